/**
 * The pen's ink on the painting: translucent, and gone once the painting shows what it meant.
 *
 * Role: draws what the pen did since the last answer, in vectors at the screen's own resolution.
 * Invariants: newer ink replaces older ink under it (no darker crossings); a blot melts when a
 * picture of its edit's revision, or a later one, was painted. It does not know the server: it is
 * told when an edit was sent, accepted and answered.
 */

import type { RGB } from './protocol';

const OPACITY = 0.72;
const LONGEST_SIDE = 1280;

interface Blot {
  path: Path2D;
  mask: HTMLCanvasElement | null;
  color: RGB;
  edit: number | null;
  revision: number | null;
  melting: number | null;
}

/** The outline of a thick line with round ends, as parts that wind the same way. */
export function addCapsule(
  path: Path2D, x0: number, y0: number, r0: number, x1: number, y1: number, r1: number,
): void {
  for (const [x, y, r] of [[x0, y0, r0], [x1, y1, r1]] as const) {
    path.moveTo(x + r, y);
    path.arc(x, y, r, 0, 2 * Math.PI);
  }
  const length = Math.hypot(x1 - x0, y1 - y0);
  if (length === 0) return;
  const [nx, ny] = [-(y1 - y0) / length, (x1 - x0) / length];
  path.moveTo(x0 + nx * r0, y0 + ny * r0);
  path.lineTo(x0 - nx * r0, y0 - ny * r0);
  path.lineTo(x1 - nx * r1, y1 - ny * r1);
  path.lineTo(x1 + nx * r1, y1 + ny * r1);
  path.closePath();
}

export class Ink {
  /** False while the bare canvas is in view: it shows the strokes itself. */
  shown = true;
  private blots: Blot[] = [];
  private stale = false;
  private readonly context: CanvasRenderingContext2D;

  constructor(
    private readonly element: HTMLCanvasElement,
    private size: { width: number; height: number },
    private readonly wake: () => void,
    private readonly meltMs: number,
  ) {
    this.context = element.getContext('2d')!;
  }

  /** Fit the bitmap to the element's place on the screen. */
  fit(size: { width: number; height: number }): void {
    this.size = size;
    const box = this.element.getBoundingClientRect();
    const ratio = Math.min(devicePixelRatio, LONGEST_SIDE / Math.max(1, box.width, box.height));
    const [w, h] = [Math.max(1, Math.round(box.width * ratio)), Math.max(1, Math.round(box.height * ratio))];
    if (this.element.width !== w || this.element.height !== h) {
      this.element.width = w;
      this.element.height = h;
      this.refresh();
    }
  }

  line(x0: number, y0: number, r0: number, x1: number, y1: number, r1: number, color: RGB): void {
    addCapsule(this.open(color).path, x0, y0, r0, x1, y1, r1);
    this.refresh();
  }

  area(mask: Uint8Array, color: RGB): void {
    const canvas = document.createElement('canvas');
    canvas.width = this.size.width;
    canvas.height = this.size.height;
    const context = canvas.getContext('2d')!;
    const image = context.createImageData(canvas.width, canvas.height);
    for (let i = 0; i < mask.length; i++) {
      if (mask[i] === 1) image.data.set([...color, 255], i * 4);
    }
    context.putImageData(image, 0, 0);
    this.blots.push({ ...fresh(color), mask: canvas });
    this.refresh();
  }

  /** All ink that no edit carried yet travels with edit `id`. */
  sent(id: number): void {
    for (const blot of this.blots) blot.edit ??= id;
  }

  /** Another session: the whole canvas will go again, and nothing is on its way. */
  unsent(): void {
    for (const blot of this.blots) {
      if (blot.revision === null) blot.edit = null;
    }
  }

  accepted(id: number, revision: number): void {
    for (const blot of this.blots) {
      if (blot.edit !== null && blot.edit <= id) blot.revision ??= revision;
    }
  }

  /** A picture of `revision` is on the screen: the ink that it answers melts. */
  answered(revision: number, now: number): void {
    for (const blot of this.blots) {
      if (blot.revision !== null && blot.revision <= revision) blot.melting ??= now;
    }
    if (this.blots.length > 0) this.refresh();
  }

  refused(id: number, now: number): void {
    for (const blot of this.blots) {
      if (blot.edit === id) blot.melting ??= now;
    }
    this.refresh();
  }

  clear(): void {
    this.blots = [];
    this.refresh();
  }

  /** Draw if something changed; true while ink is melting. */
  draw(now: number): boolean {
    const melting = this.blots.some((blot) => blot.melting !== null);
    if (!this.stale && !melting) return false;
    this.stale = false;
    const span = this.meltMs;
    this.blots = this.blots.filter((blot) => blot.melting === null || now - blot.melting < span);
    const context = this.context;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.globalCompositeOperation = 'source-over';
    context.clearRect(0, 0, this.element.width, this.element.height);
    const empty = String(this.blots.length === 0 || !this.shown);
    if (this.element.dataset['empty'] !== empty) this.element.dataset['empty'] = empty;
    if (this.shown) for (const blot of joined(this.blots)) this.drawBlot(blot, now, span);
    return melting;
  }

  private drawBlot(blot: Blot, now: number, span: number): void {
    const left = blot.melting === null ? 1 : Math.max(0, 1 - (now - blot.melting) / span);
    const context = this.context;
    const { width, height } = this.element;
    context.setTransform(width / this.size.width, 0, 0, height / this.size.height, 0, 0);
    for (const [operation, alpha] of [['destination-out', 1], ['source-over', OPACITY * left]] as const) {
      context.globalCompositeOperation = operation;
      context.globalAlpha = alpha;
      context.fillStyle = `rgb(${blot.color.join(' ')})`;
      if (blot.mask === null) context.fill(blot.path);
      else context.drawImage(blot.mask, 0, 0, this.size.width, this.size.height);
    }
    context.globalAlpha = 1;
  }

  private open(color: RGB): Blot {
    const last = this.blots.at(-1);
    const same = last !== undefined && last.edit === null && last.mask === null && last.color === color;
    if (same) return last;
    const blot = fresh(color);
    this.blots.push(blot);
    return blot;
  }

  refresh(): void {
    this.stale = true;
    this.wake();
  }
}

/** Neighbours of one colour that melt together are one shape: no seams, and fewer to fill. */
function joined(blots: readonly Blot[]): Blot[] {
  const out: Blot[] = [];
  for (const blot of blots) {
    const last = out.at(-1);
    const same = last !== undefined && last.color === blot.color && last.melting === blot.melting;
    if (same && last.mask === null && blot.mask === null) last.path.addPath(blot.path);
    else out.push({ ...blot, path: new Path2D(blot.path) });
  }
  return out;
}

function fresh(color: RGB): Blot {
  return { path: new Path2D(), mask: null, color, edit: null, revision: null, melting: null };
}
