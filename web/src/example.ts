/**
 * The recorded drawing that ships with the page and paints itself until the person touches it.
 *
 * Role: replays strokes as ink and recorded paintings in their own time; no server is needed or
 * asked. `python -m tests.browser.record_example` makes the recording with the real page and model.
 */

import type { Surface } from './canvas';
import type { Ink } from './ink';
import type { ModelInfo, RGB } from './protocol';
import { radius, Smoother } from './stroke';

export interface Recording {
  model: ModelInfo;
  /** [x, y, ms] in the canvas's units. */
  strokes: ReadonlyArray<{ color: RGB; size: number; points: ReadonlyArray<readonly [number, number, number]> }>;
  /** [ms, prompt] */
  prompts: ReadonlyArray<readonly [number, string]>;
  /** [ms, file] */
  pictures: ReadonlyArray<readonly [number, string]>;
  duration: number;
}

export interface Scene {
  surface: () => Surface;
  ink: Ink;
  show: (picture: HTMLImageElement) => void;
  prompt: (text: string) => void;
  wake: () => void;
  still: boolean;
}

const REST_MS = 4000;

export class Example {
  playing = false;
  private started: number | null = null;
  private nextPicture = 0;
  private nextPrompt = 0;
  private stroke = 0;
  private point = 0;
  private smoother: Smoother | null = null;

  private constructor(
    private readonly recording: Recording,
    private readonly pictures: readonly HTMLImageElement[],
    private readonly scene: Scene,
  ) {}

  static async load(url: string, scene: Scene): Promise<Example> {
    const response = await fetch(url);
    const recording = (await response.json()) as Recording;
    const pictures = recording.pictures.map(([, file]) => {
      const image = new Image();
      image.src = new URL(file, response.url).href;
      return image;
    });
    await pictures[0]?.decode();
    return new Example(recording, pictures, scene);
  }

  get model(): ModelInfo {
    return this.recording.model;
  }

  /** The prompt that the recording ends with. */
  get lastPrompt(): string {
    return this.recording.prompts.at(-1)?.[1] ?? '';
  }

  play(): void {
    this.playing = true;
    this.scene.wake();
    if (this.scene.still) void this.showEnd();
  }

  stop(): void {
    this.playing = false;
  }

  /** The whole drawing at once, for who goes on from it. */
  finish(): void {
    const surface = this.scene.surface();
    surface.reset();
    for (const { color, size, points } of this.recording.strokes) {
      const [first, ...rest] = points.map(([x, y]) => ({ x, y, pressure: 0.5 }));
      if (first === undefined) continue;
      const smoother = new Smoother(first);
      const segments = [...rest.flatMap((p) => smoother.move(p)), ...smoother.finish(rest.at(-1) ?? first)];
      for (const s of segments) {
        surface.capsule(s.x0, s.y0, radius(size, s.p0), s.x1, s.y1, radius(size, s.p1), color);
      }
    }
  }

  /** The loop's task. */
  readonly tick = (now: number): boolean => {
    if (!this.playing || this.scene.still) return false;
    this.started ??= now;
    const at = now - this.started;
    this.showPictures(at);
    this.showPrompts(at);
    this.drawUntil(at);
    if (at > this.recording.duration + REST_MS) this.rewind();
    return true;
  };

  private showPictures(at: number): void {
    for (let next = this.recording.pictures[this.nextPicture]; next !== undefined && next[0] <= at; ) {
      const image = this.pictures[this.nextPicture]!;
      const index = ++this.nextPicture;
      next = this.recording.pictures[this.nextPicture];
      if (!image.complete || image.naturalWidth === 0) continue;
      this.scene.show(image);
      this.scene.ink.accepted(index, index);
      this.scene.ink.answered(index, performance.now());
      this.scene.ink.sent(index + 1);
    }
  }

  private showPrompts(at: number): void {
    const next = this.recording.prompts[this.nextPrompt];
    if (next === undefined || next[0] > at) return;
    this.nextPrompt++;
    this.scene.prompt(next[1]);
  }

  private drawUntil(at: number): void {
    for (;;) {
      const stroke = this.recording.strokes[this.stroke];
      const point = stroke?.points[this.point];
      if (stroke === undefined || (point !== undefined && point[2] > at)) return;
      if (point === undefined) {
        this.stroke++;
        this.point = 0;
        this.smoother = null;
        continue;
      }
      this.point++;
      this.drawPoint({ x: point[0], y: point[1], pressure: 0.5 }, stroke.color, stroke.size);
    }
  }

  private drawPoint(point: { x: number; y: number; pressure: number }, color: RGB, size: number): void {
    const first = this.smoother === null;
    this.smoother ??= new Smoother(point);
    const segments = first ? this.smoother.finish(point) : this.smoother.move(point);
    for (const s of segments) {
      const [r0, r1] = [radius(size, s.p0), radius(size, s.p1)];
      this.scene.surface().capsule(s.x0, s.y0, r0, s.x1, s.y1, r1, color);
      this.scene.ink.line(s.x0, s.y0, r0, s.x1, s.y1, r1, color);
    }
  }

  private rewind(): void {
    this.started = null;
    this.nextPicture = this.nextPrompt = this.stroke = this.point = 0;
    this.smoother = null;
    this.scene.ink.clear();
    this.scene.surface().reset();
    this.scene.prompt('');
  }

  private async showEnd(): Promise<void> {
    const last = this.pictures.at(-1);
    if (last === undefined) return;
    await last.decode();
    if (!this.playing) return;
    this.finish();
    this.scene.show(last);
    this.scene.prompt(this.lastPrompt);
    this.scene.wake();
  }
}
