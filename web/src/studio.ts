/**
 * What a person can do, as verbs: the panel, the keyboard and a dropped file all call these.
 *
 * Role: keeps surface, ink, courier and store in step; ends the example at the first touch.
 * It does not know the DOM's controls or pointer events.
 */

import { packed, Surface } from './canvas';
import type { Connection } from './connection';
import type { Courier } from './courier';
import { fitted } from './fitted';
import type { Ink } from './ink';
import type { Params, ParamValue, RGB } from './protocol';
import { settable } from './sizes';
import { radius, type Segment } from './stroke';
import type { Store, Tool } from './store';

/** A state to come back to: what was drawn and what was asked. */
export interface Snapshot {
  params: Params;
  pixels: Uint32Array;
  width: number;
  height: number;
}

export interface Parts {
  store: Store;
  ink: Ink;
  connection: Connection;
  courier: Courier;
  wake: () => void;
  say: (text: string) => void;
  /** The first touch: the example ends. With `keep`, what it drew becomes the person's. */
  begin: (keep: boolean) => void;
}

const TYPING_MS = 1200;
const SMALLEST = 2;
const LARGEST = 64;

export class Studio {
  surface: Surface;
  private strokeColor: RGB = [0, 0, 0];
  private lastParam = { names: '', at: -Infinity };
  private beforeStroke: Uint32Array<ArrayBuffer> | null = null;

  constructor(private readonly parts: Parts, surface: Surface) {
    this.surface = surface;
  }

  /** The person has begun. `keep`: they changed the words, not the drawing. */
  touch(keep: boolean): void {
    if (this.parts.store.state.touched) return;
    this.parts.begin(keep);
    this.parts.store.set({ touched: true });
    if (keep) this.parts.courier.touched(performance.now());
  }

  // --- drawing ----------------------------------------------------------------------------------

  /** The pen touches the canvas; false where the tool needs no stroke. */
  down(x: number, y: number): boolean {
    const { tool } = this.parts.store.state;
    if (tool === 'picker') {
      this.pick(x, y);
      return false;
    }
    this.touch(false);
    this.parts.courier.gesture();
    if (tool === 'fill') {
      this.fill(x, y);
      return false;
    }
    this.strokeColor = tool === 'eraser' ? this.background : this.parts.store.state.color;
    this.beforeStroke = this.surface.pixels.slice();
    return true;
  }

  segments(segments: readonly Segment[], time: number): void {
    const { size } = this.parts.store.state;
    for (const { x0, y0, p0, x1, y1, p1 } of segments) {
      const [r0, r1] = [radius(size, p0), radius(size, p1)];
      this.surface.capsule(x0, y0, r0, x1, y1, r1, this.strokeColor);
      this.parts.ink.line(x0, y0, r0, x1, y1, r1, this.strokeColor);
    }
    this.parts.courier.touched(time);
    this.parts.wake();
  }

  up(): void {
    this.beforeStroke = null;
    this.parts.wake();
  }

  /** Take the stroke in progress back: it was a palm. */
  cancel(): void {
    if (this.beforeStroke === null) return;
    this.surface.replace(this.beforeStroke);
    this.beforeStroke = null;
    this.parts.courier.touched(performance.now());
    this.parts.wake();
  }

  fill(x: number, y: number): void {
    const { color } = this.parts.store.state;
    const mask = this.surface.fill(x, y, color);
    if (mask === null) return;
    this.parts.ink.area(mask, color);
    this.parts.courier.touched(performance.now());
    this.parts.wake();
  }

  pick(x: number, y: number): void {
    const color = this.surface.colorAt(x, y);
    if (color === null) return;
    const swatches = this.parts.store.state.model.palette ?? [];
    const swatch = swatches.find((entry) => packed(entry.color) === packed(color));
    if (swatches.length > 0 && swatch === undefined) {
      this.parts.say('Bare paper: the model decides here.');
      return;
    }
    this.parts.store.set({ color: swatch?.color ?? color, tool: 'brush' });
    this.parts.say(swatch === undefined ? 'Colour picked' : `Picked ${swatch.name}`);
  }

  // --- the history ------------------------------------------------------------------------------

  undo(): void {
    this.move('undo');
  }

  redo(): void {
    this.move('redo');
  }

  private move(type: 'undo' | 'redo'): void {
    const { store, courier, connection } = this.parts;
    const pending = courier.unsent || connection.waiting > 0;
    if (store.state.history[type] === 0 && !pending) return;
    if (!courier.history(type, performance.now())) return;
    this.parts.ink.clear();
    this.parts.say(type === 'undo' ? 'Undone' : 'Done again');
    this.parts.wake();
  }

  clear(): void {
    this.touch(false);
    const { courier, ink, store } = this.parts;
    courier.gesture();
    if (!store.state.seedLocked) this.setParam('seed', randomSeed(), false);
    this.surface.reset();
    ink.clear();
    if (!courier.clear(performance.now())) courier.touched(performance.now());
    this.parts.say('Canvas cleared');
    this.parts.wake();
  }

  // --- words and numbers ------------------------------------------------------------------------

  /** Change a parameter; a quick series of changes of the same one is one gesture. */
  setParam(name: string, value: ParamValue, gesture = true): void {
    this.setParams({ [name]: value }, gesture);
  }

  setParams(patch: Params, gesture = true): void {
    const { store, courier } = this.parts;
    const fit = fitted(patch, settable(store.state.model));
    const before = store.state.params;
    const names = Object.keys(fit).filter((name) => fit[name] !== before[name]);
    if (names.length === 0) return;
    this.touch(true);
    const now = performance.now();
    const key = names.join();
    if (gesture && (key !== this.lastParam.names || now - this.lastParam.at > TYPING_MS)) {
      courier.gesture();
    }
    this.lastParam = { names: key, at: now };
    const picked = Object.fromEntries(names.map((name) => [name, fit[name]!]));
    store.set({ params: { ...store.state.params, ...picked } });
    courier.setParams(names);
    this.parts.wake();
  }

  newSeed(): void {
    if (this.parts.store.state.seedLocked) {
      this.parts.say('The seed is locked');
      return;
    }
    this.setParam('seed', randomSeed());
  }

  // --- tools ------------------------------------------------------------------------------------

  setTool(tool: Tool): void {
    this.parts.store.set({ tool });
  }

  setColor(color: RGB): void {
    const { tool } = this.parts.store.state;
    this.parts.store.set({ color, tool: tool === 'fill' ? 'fill' : 'brush' });
  }

  setSize(size: number): void {
    this.parts.store.set({ size: Math.min(LARGEST, Math.max(SMALLEST, Math.round(size))) });
  }

  // --- whole states -----------------------------------------------------------------------------

  snapshot(): Snapshot {
    const { width, height, pixels } = this.surface;
    return { params: { ...this.parts.store.state.params }, pixels: pixels.slice(), width, height };
  }

  /** Go back to a snapshot, as one gesture; without `params` they stay. */
  restore(snapshot: { params?: Params; pixels: Uint32Array; width: number; height: number }): void {
    this.touch(false);
    const { courier, ink } = this.parts;
    courier.gesture();
    if (snapshot.params !== undefined) this.setParams(snapshot.params, false);
    this.surface.replace(this.fitted(snapshot));
    ink.clear();
    courier.touched(performance.now());
    this.parts.wake();
  }

  private fitted({ pixels, width, height }: Omit<Snapshot, 'params'>): Uint32Array {
    if (width === this.surface.width && height === this.surface.height) return pixels;
    const from = new Surface(width, height, this.background);
    from.pixels.set(pixels);
    return from.resized(this.surface.width, this.surface.height, this.background).pixels;
  }

  private get background(): RGB {
    return this.parts.store.state.model.inputs[0]?.background ?? [255, 255, 255];
  }
}

export function randomSeed(): number {
  return Math.floor(Math.random() * 1_000_000);
}
