/**
 * One picture settling into another in the same place: a mix of both, more of the new one each frame.
 *
 * Invariants: it is over after its time, however few frames there were; the bitmap is closed once, at
 * the end or when something else takes its place. The mix is opaque, on the one canvas that is there:
 * a second, translucent one would have to be composed even where nothing changes.
 */

export class Fade {
  private to: ImageBitmap | null = null;
  private former: OffscreenCanvas | null = null;
  private begun = 0;

  constructor(
    private readonly element: HTMLCanvasElement,
    private readonly context: CanvasRenderingContext2D,
    private readonly ms: number,
  ) {}

  get going(): boolean {
    return this.to !== null;
  }

  /** From what is on the canvas to `picture`, which is closed here. */
  begin(picture: ImageBitmap, now: number): void {
    this.stop();
    const { width, height } = this.element;
    this.former = new OffscreenCanvas(width, height);
    this.former.getContext('2d', { alpha: false })!.drawImage(this.element, 0, 0);
    this.element.width = picture.width;
    this.element.height = picture.height;
    this.to = picture;
    this.begun = now;
    this.step(now);
  }

  /** Draw this frame's mix; true while it isn't over. */
  step(now: number): boolean {
    if (this.to === null || this.former === null) return false;
    const share = this.ms > 0 ? eased((now - this.begun) / this.ms) : 1;
    if (share < 1) this.context.drawImage(this.former, 0, 0, this.to.width, this.to.height);
    this.context.globalAlpha = share;
    this.context.drawImage(this.to, 0, 0);
    this.context.globalAlpha = 1;
    if (share === 1) this.stop();
    return this.going;
  }

  /** The new picture as it is, now. */
  finish(): void {
    this.step(Infinity);
  }

  /** Something else is drawn next. */
  stop(): void {
    this.to?.close();
    this.to = this.former = null;
  }
}

/** Slow, quick, slow: 0..1 for 0..1 of the time, and no further. */
export function eased(time: number): number {
  const t = Math.min(1, Math.max(0, time));
  return t * t * (3 - 2 * t);
}
