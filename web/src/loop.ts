/**
 * One animation loop for the whole page: tasks run in order of their registration, once a frame,
 * and only while somebody asked. A task that returns true wants the next frame as well.
 */

export type Task = (now: number) => boolean | void;

export class Loop {
  private readonly tasks: Task[] = [];
  private handle = 0;

  add(task: Task): void {
    this.tasks.push(task);
  }

  readonly wake = (): void => {
    if (this.handle === 0) this.handle = requestAnimationFrame(this.tick);
  };

  private readonly tick = (now: number): void => {
    this.handle = 0;
    let again = false;
    for (const task of this.tasks) again = task(now) === true || again;
    if (again) this.wake();
  };
}
