/**
 * The stage: bare canvas, painting and ink in one place, the ring under the cursor, the views.
 *
 * Role: fits the stage to the window, shows what changed on the bare canvas, and lets the keyboard
 * hold the brush. It does not know what a tool does: it passes points on.
 */

import type { Surface } from './canvas';
import { byId } from './dom';
import type { HelpLine } from './help';
import type { Ink } from './ink';
import { Pen, type Point } from './stroke';
import type { Store } from './store';
import type { Studio } from './studio';

const AMBIENT_MS = 1000;
const AMBIENT_SHARE = { dark: 0.3, light: 0.2 };

/** What `onKey` obeys, for the list. */
export const BRUSH_KEYS: readonly HelpLine[] = [
  { label: 'Arrows', what: 'Move the brush, with the drawing in focus' },
  { label: 'Enter', what: 'Paint a dab there' },
  { label: 'Shift Arrows', what: 'Paint a line' },
];

export class Easel {
  readonly pen: Pen;
  private readonly canvas = byId<HTMLCanvasElement>('canvas');
  private readonly paper = byId<HTMLCanvasElement>('paper');
  private readonly ring = byId('ring');
  private readonly frame = byId('frame');
  private cursor: Point = { x: 0, y: 0, pressure: 0.5 };
  private keyStroke = false;
  private ambientAt = -Infinity;

  constructor(
    private readonly store: Store, private readonly studio: Studio, private readonly ink: Ink,
    private readonly wake: () => void,
  ) {
    this.pen = new Pen(this.canvas, () => this.surface, {
      down: (point) => studio.down(point.x, point.y),
      segments: (segments, time) => studio.segments(segments, time),
      up: () => studio.up(),
      cancel: () => studio.cancel(),
      hover: (event) => this.hover(event),
    });
    this.canvas.addEventListener('keydown', (event) => this.onKey(event));
    this.canvas.addEventListener('keyup', (event) => this.onKeyUp(event));
    this.canvas.addEventListener('focus', () => this.onFocus());
    this.canvas.addEventListener('blur', () => (this.ring.hidden = true));
    new ResizeObserver(() => this.ink.fit(this.surface)).observe(this.frame);
    store.watch(['view', 'peek', 'bare'], () => this.arrange());
    store.watch(['size', 'tool'], () => this.placeRing());
    store.watch(['awaiting', 'progress'], () => this.coming());
  }

  private get surface(): Surface {
    return this.studio.surface;
  }

  /** The canvas has another size now. */
  reshape(): void {
    const { width, height } = this.surface;
    this.frame.style.setProperty('--shape', String(width / height));
    this.paper.width = width;
    this.paper.height = height;
    this.surface.unshown = this.surface.whole;
    this.ink.fit(this.surface);
    this.wake();
  }

  /** The loop's task: what changed on the bare canvas. */
  show(): void {
    const rect = this.surface.unshown;
    if (rect === null) return;
    this.surface.unshown = null;
    const pixels = new Uint8ClampedArray(this.surface.copy(rect).buffer);
    this.paper.getContext('2d')!.putImageData(new ImageData(pixels, rect.w, rect.h), rect.x, rect.y);
  }

  /** The painting's light on the room: a few pixels of it, behind everything. */
  ambient(picture: HTMLCanvasElement, now: number): void {
    if (now - this.ambientAt < AMBIENT_MS) return;
    this.ambientAt = now;
    const context = byId<HTMLCanvasElement>('ambient').getContext('2d', { alpha: false })!;
    const { colorScheme } = getComputedStyle(document.documentElement);
    context.globalAlpha = 1;
    context.fillStyle = getComputedStyle(document.documentElement).backgroundColor;
    context.fillRect(0, 0, 24, 24);
    context.globalAlpha = colorScheme === 'light' ? AMBIENT_SHARE.light : AMBIENT_SHARE.dark;
    context.drawImage(picture, 0, 0, 24, 24);
  }

  private arrange(): void {
    const { view } = this.store.state;
    const paper = this.store.state.peek || this.store.state.bare;
    const stage = byId('stage');
    stage.dataset['view'] = view;
    stage.dataset['peek'] = String(paper);
    this.ink.shown = view === 'over' && !paper;
    this.ink.fit(this.surface);
    this.ink.refresh();
  }

  private coming(): void {
    const { awaiting, progress } = this.store.state;
    const line = byId('coming');
    line.dataset['on'] = String(awaiting);
    line.style.transform = `scaleX(${Math.max(0.06, progress)})`;
  }

  // --- the ring ---------------------------------------------------------------------------------

  private hover(event: PointerEvent | null): void {
    this.ring.hidden = event === null || event.pointerType === 'touch';
    if (event === null) return;
    const box = this.canvas.getBoundingClientRect();
    this.cursor = {
      x: ((event.clientX - box.left) / box.width) * this.surface.width,
      y: ((event.clientY - box.top) / box.height) * this.surface.height,
      pressure: 0.5,
    };
    this.placeRing();
  }

  private placeRing(): void {
    const { size, tool } = this.store.state;
    const scale = this.canvas.clientWidth / this.surface.width;
    const wide = tool === 'brush' || tool === 'eraser' ? Math.max(4, size * scale) : 12;
    const [x, y] = [this.cursor.x * scale - wide / 2, this.cursor.y * scale - wide / 2];
    this.ring.dataset['tool'] = tool;
    this.ring.style.width = this.ring.style.height = `${wide}px`;
    this.ring.style.transform = `translate(${x}px, ${y}px)`;
  }

  // --- the keyboard -----------------------------------------------------------------------------

  private onFocus(): void {
    if (!this.canvas.matches(':focus-visible')) return;
    if (this.cursor.x === 0) this.cursor = { x: this.surface.width / 2, y: this.surface.height / 2, pressure: 0.5 };
    this.ring.hidden = false;
    this.placeRing();
  }

  private onKey(event: KeyboardEvent): void {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.key === 'Enter') {
      this.begin();
      this.end();
    } else if (move !== undefined) {
      const step = Math.max(2, this.store.state.size / 3);
      this.moveTo(this.cursor.x + move[0]! * step, this.cursor.y + move[1]! * step, event.shiftKey);
    } else {
      return;
    }
    event.preventDefault();
  }

  private onKeyUp(event: KeyboardEvent): void {
    if (event.key === 'Shift') this.end();
  }

  private begin(): void {
    if (this.keyStroke || !this.studio.down(this.cursor.x, this.cursor.y)) return;
    this.keyStroke = true;
    this.draw(this.cursor);
  }

  private end(): void {
    if (this.keyStroke) this.studio.up();
    this.keyStroke = false;
  }

  private moveTo(x: number, y: number, drawing: boolean): void {
    if (drawing) this.begin();
    const to = {
      x: Math.min(this.surface.width, Math.max(0, x)), y: Math.min(this.surface.height, Math.max(0, y)), pressure: 0.5,
    };
    if (this.keyStroke) this.draw(to);
    this.cursor = to;
    this.ring.hidden = false;
    this.placeRing();
  }

  private draw(to: Point): void {
    const { x, y } = this.cursor;
    this.studio.segments([{ x0: x, y0: y, p0: 0.5, x1: to.x, y1: to.y, p1: 0.5 }], performance.now());
  }
}
