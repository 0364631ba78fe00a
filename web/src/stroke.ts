/**
 * From pointer events to the segments of a stroke.
 *
 * Role: coalesced events, pen pressure, palm rejection, smoothing. A stroke is a chain of quadratic
 * curves through the middles between samples, flattened to short thick lines; it ends exactly where
 * the pen was lifted. It does not know tools, colours or pixels: positions are in the canvas's units.
 */

export interface Point {
  x: number;
  y: number;
  /** 0..1; 0.5 for what has no pressure. */
  pressure: number;
}

export interface Segment {
  x0: number;
  y0: number;
  p0: number;
  x1: number;
  y1: number;
  p1: number;
}

const LONGEST_PIECE = 3;
const SHORTEST_MOVE = 0.25;

/** The smoothing alone: points in, segments out. */
export class Smoother {
  private last: Point;
  private end: Point;

  constructor(start: Point) {
    this.last = start;
    this.end = start;
  }

  move(to: Point): Segment[] {
    if (Math.hypot(to.x - this.last.x, to.y - this.last.y) < SHORTEST_MOVE) return [];
    const middle = between(this.last, to, 0.5);
    const out = flatten(this.end, this.last, middle);
    this.last = to;
    this.end = middle;
    return out;
  }

  finish(at: Point): Segment[] {
    const out = flatten(this.end, this.last, at);
    this.last = at;
    this.end = at;
    return out;
  }
}

function between(a: Point, b: Point, t: number): Point {
  return {
    x: a.x + (b.x - a.x) * t,
    y: a.y + (b.y - a.y) * t,
    pressure: a.pressure + (b.pressure - a.pressure) * t,
  };
}

function flatten(from: Point, control: Point, to: Point): Segment[] {
  const length = Math.hypot(control.x - from.x, control.y - from.y) +
    Math.hypot(to.x - control.x, to.y - control.y);
  const pieces = Math.min(32, Math.max(1, Math.ceil(length / LONGEST_PIECE)));
  const out: Segment[] = [];
  let a = from;
  for (let i = 1; i <= pieces; i++) {
    const t = i / pieces;
    const b = between(between(from, control, t), between(control, to, t), t);
    out.push({ x0: a.x, y0: a.y, p0: a.pressure, x1: b.x, y1: b.y, p1: b.pressure });
    a = b;
  }
  return out;
}

export interface PenHandler {
  down(point: Point): boolean;
  segments(segments: readonly Segment[], time: number): void;
  up(): void;
  /** The stroke turned out to be a palm or the first finger of two. */
  cancel(): void;
  hover(event: PointerEvent | null): void;
}

const PALM = 70;
const PEN_RULES_MS = 1000;

/** Listens on `element`; one stroke at a time. */
export class Pen {
  private pointer: number | null = null;
  private smoother: Smoother | null = null;
  private penSeen = -Infinity;

  constructor(
    private readonly element: HTMLElement,
    private readonly size: () => { width: number; height: number },
    private readonly handler: PenHandler,
  ) {
    element.addEventListener('pointerdown', (event) => this.onDown(event));
    element.addEventListener('pointermove', (event) => this.onMove(event));
    element.addEventListener('pointerup', (event) => this.onUp(event));
    element.addEventListener('pointercancel', (event) => this.onCancel(event));
    element.addEventListener('pointerleave', () => this.handler.hover(null));
    element.addEventListener('contextmenu', (event) => event.preventDefault());
  }

  get drawing(): boolean {
    return this.pointer !== null;
  }

  private onDown(event: PointerEvent): void {
    if (event.pointerType === 'pen') this.penSeen = event.timeStamp;
    if (event.button !== 0 || this.isPalm(event)) return;
    if (this.pointer !== null) {
      if (event.pointerType === 'touch') this.abandon();
      return;
    }
    const point = this.point(event);
    if (!this.handler.down(point)) return;
    this.pointer = event.pointerId;
    this.element.setPointerCapture(event.pointerId);
    this.smoother = new Smoother(point);
    this.handler.segments([dot(point)], event.timeStamp);
  }

  private onMove(event: PointerEvent): void {
    if (event.pointerType === 'pen') this.penSeen = event.timeStamp;
    this.handler.hover(event);
    if (event.pointerId !== this.pointer || this.smoother === null) return;
    const all = event.getCoalescedEvents?.() ?? []; // older Safari has none
    const samples = all.length > 0 ? all : [event];
    const segments = samples.flatMap((sample) => this.smoother!.move(this.point(sample)));
    if (segments.length > 0) this.handler.segments(segments, samples[0]!.timeStamp);
  }

  private onUp(event: PointerEvent): void {
    if (event.pointerId !== this.pointer || this.smoother === null) return;
    this.handler.segments(this.smoother.finish(this.point(event)), event.timeStamp);
    this.release();
    this.handler.up();
  }

  private onCancel(event: PointerEvent): void {
    if (event.pointerId === this.pointer) this.abandon();
  }

  private abandon(): void {
    this.release();
    this.handler.cancel();
  }

  private release(): void {
    this.pointer = null;
    this.smoother = null;
  }

  /** A hand on the glass: a wide touch, or any touch while a pen is in use. */
  private isPalm(event: PointerEvent): boolean {
    if (event.pointerType !== 'touch') return false;
    const recent = event.timeStamp - this.penSeen < PEN_RULES_MS;
    return recent || Math.max(event.width, event.height) > PALM;
  }

  private point(event: PointerEvent): Point {
    const box = this.element.getBoundingClientRect();
    const { width, height } = this.size();
    const pressure = event.pointerType === 'pen' && event.pressure > 0 ? event.pressure : 0.5;
    return {
      x: ((event.clientX - box.left) / box.width) * width,
      y: ((event.clientY - box.top) / box.height) * height,
      pressure,
    };
  }
}

function dot(point: Point): Segment {
  const { x, y, pressure } = point;
  return { x0: x, y0: y, p0: pressure, x1: x, y1: y, p1: pressure };
}

/** The brush's radius at a pressure: half its size at 0.5. */
export function radius(size: number, pressure: number): number {
  return Math.max(0.5, (size / 2) * (0.4 + 1.2 * pressure));
}
