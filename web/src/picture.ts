/**
 * The painting on the screen: the newest picture, decoded off the main thread, painted in a frame.
 *
 * Invariants: a picture older than the one shown is dropped; only the newest waiting picture is
 * decoded; a picture is acknowledged when it was painted (or at once in a hidden tab, which never
 * paints), because the acknowledgement is the credit and the measured age. The picture brings its
 * own way to acknowledge it: it may be painted after the line that brought it was lost.
 */

import { Fade } from './fade';
import type { PictureFrame } from './protocol';

export interface Painted {
  frame: PictureFrame;
  arrived: number;
  decoded: number;
  painted: number;
}

interface Waiting {
  frame: PictureFrame;
  arrived: number;
  acknowledge: () => void;
  epoch: number;
  settling: boolean;
}

export class PicturePainter {
  drops = 0;
  shown: PictureFrame | null = null;
  private waiting: Waiting | null = null;
  private ready: (Waiting & { bitmap: ImageBitmap; decoded: number }) | null = null;
  private decoding = false;
  private newest: PictureFrame | null = null;
  private epoch = 0;
  private readonly context: CanvasRenderingContext2D;
  private readonly fade: Fade;

  /** `fadeMs`: how long one picture takes to settle into another, where that is asked for. */
  constructor(
    readonly element: HTMLCanvasElement,
    private readonly painted: (picture: Painted) => void,
    private readonly wake: () => void,
    fadeMs = 0,
    private readonly decode: (data: Blob) => Promise<ImageBitmap> = (data) => createImageBitmap(data),
  ) {
    this.context = element.getContext('2d', { alpha: false })!;
    this.fade = new Fade(element, this.context, fadeMs);
    this.context.fillStyle = '#fff';
    this.context.fillRect(0, 0, element.width, element.height);
  }

  /** Another session: its revisions begin again, and pictures on their way belong to the former. */
  reset(): void {
    this.epoch++;
    this.newest = null;
    this.shown = null;
    this.waiting = null;
    this.ready?.bitmap.close();
    this.ready = null;
  }

  /** Is a picture settling into another? */
  get fading(): boolean {
    return this.fade.going;
  }

  /** What settles has settled: for who wants the picture as it is. */
  finish(): void {
    this.fade.finish();
  }

  /** `settling`: what is shown turns into this one, instead of jumping. */
  offer(frame: PictureFrame, arrived: number, acknowledge: () => void, settling = false): void {
    if (this.newest !== null && older(frame, this.newest)) {
      this.drops++;
      return acknowledge();
    }
    this.newest = frame;
    if (this.waiting !== null) this.drops++;
    this.waiting = { frame, arrived, acknowledge, epoch: this.epoch, settling };
    if (document.hidden) acknowledge();
    void this.decodeNext();
  }

  /** The loop's task; true while a picture settles. */
  paint(now: number): boolean {
    const ready = this.ready;
    if (ready === null) return this.fade.step(now);
    this.ready = null;
    const { bitmap, frame, arrived, acknowledge, decoded, settling } = ready;
    if (settling && this.shown !== null) {
      this.fade.begin(bitmap, now);
    } else {
      this.draw(bitmap);
      bitmap.close();
    }
    this.shown = frame;
    acknowledge();
    this.painted({ frame, arrived, decoded, painted: performance.now() });
    return this.fade.going;
  }

  /** Paint a picture that didn't come over the wire. */
  draw(image: ImageBitmap | HTMLImageElement): void {
    this.fade.stop();
    const { width, height } = image;
    if (this.element.width !== width || this.element.height !== height) {
      this.element.width = width;
      this.element.height = height;
    }
    this.context.drawImage(image, 0, 0);
  }

  private async decodeNext(): Promise<void> {
    if (this.decoding || this.waiting === null) return;
    const next = this.waiting;
    this.waiting = null;
    this.decoding = true;
    const bitmap = await this.bitmap(next);
    this.decoding = false;
    if (bitmap !== null) this.place(next, bitmap);
    void this.decodeNext();
  }

  private async bitmap({ frame, acknowledge }: Waiting): Promise<ImageBitmap | null> {
    try {
      return await this.decode(new Blob([frame.data], { type: `image/${frame.format}` }));
    } catch {
      this.drops++;
      acknowledge(); // undecodable: the next one may be whole
      return null;
    }
  }

  private place(next: Waiting, bitmap: ImageBitmap): void {
    if (next.epoch !== this.epoch) return bitmap.close();
    if (this.ready !== null) {
      this.ready.bitmap.close();
      this.drops++;
    }
    this.ready = { ...next, bitmap, decoded: performance.now() };
    this.wake();
  }
}

function older(a: PictureFrame, b: PictureFrame): boolean {
  if (a.revision !== b.revision) return a.revision < b.revision;
  return a.job === b.job && a.step < b.step;
}
