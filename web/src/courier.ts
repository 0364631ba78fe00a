/**
 * What the person changed, carried to the server: at most one canvas edit a frame.
 *
 * Role: sends the changed tile (or the whole canvas where most of it changed) and the changed
 * parameters, tells the ink which edit carries it, and when the server shows another canvas (undo,
 * a resume, another window) puts on top of it what was drawn and set since.
 * Invariants: nothing is sent while the line is down or backed up: it stays marked as unsent, so
 * nothing is lost and nothing queues; but what was changed before an undo is sent before it, always:
 * an undo that overtakes a stroke would take back another one.
 */

import { Asked } from './asked';
import type { Surface } from './canvas';
import type { Connection } from './connection';
import type { Rect } from './geometry';
import { encodePng } from './png';
import { encodePictureEdit, type Params } from './protocol';

/** More of the canvas than this, and it's sent as a whole. */
const WHOLE_SHARE = 0.6;
const KEPT_PATCHES = 96;

interface Patch {
  id: number;
  revision: number | null;
  rect: Rect | null;
  pixels: Uint32Array | null;
}

export interface CourierEvents {
  sent(id: number, madeAt: number, sentAt: number): void;
}

export class Courier {
  private group: number;
  private patches: Patch[] = [];
  private params = new Map<string, number>();
  private readonly asked = new Asked();
  private madeAt: number | null = null;

  constructor(
    private readonly connection: Connection,
    private readonly surface: () => Surface,
    private readonly values: () => Params,
    private readonly events: CourierEvents,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.group = 1 + Math.floor(Math.random() * 2 ** 31);
  }

  /** The edits until the next call are one gesture, which undo takes back as a whole. */
  gesture(): void {
    this.flush();
    this.group = (this.group + 1) % 2 ** 32 || 1;
  }

  /** The canvas was changed by something that happened at `time`. */
  touched(time: number): void {
    this.madeAt ??= time;
  }

  setParams(names: Iterable<string>): void {
    this.madeAt ??= this.now();
    for (const name of names) this.params.set(name, this.group);
  }

  /** The parameters as the server has them or will have them, with what wasn't sent on top. */
  currentParams(): Params {
    const mine = Object.entries(this.values()).filter(([name]) => this.params.has(name));
    return { ...this.asked.params, ...Object.fromEntries(mine) };
  }

  get unsent(): boolean {
    return this.surface().unsent !== null || this.params.size > 0;
  }

  /** Send what changed, if the line is free. */
  flush(): void {
    if (this.connection.clear) this.sendAll();
  }

  clear(time: number): boolean {
    if (!this.connection.isLive) return false;
    this.sendParams(time);
    this.surface().unsent = null;
    this.madeAt = null; // nothing is left that was made then
    const group = this.group;
    const id = this.sendText(time, (edit) => ({ type: 'clear', id: edit, group }));
    if (id !== null) this.keep(id, null, null);
    return id !== null;
  }

  /** Parameters until the next edit, for what the page does of itself: no event tells of it. */
  pass(params: Params): number | null {
    if (this.unsent || !this.connection.clear) return null;
    return this.connection.edit((id) => JSON.stringify({ type: 'params', id, params, passing: true }));
  }

  history(type: 'undo' | 'redo', time: number): boolean {
    if (!this.connection.isLive) return false;
    this.sendAll();
    return this.sendText(time, (id) => ({ type, id })) !== null;
  }

  accepted(id: number, revision: number): void {
    this.asked.accepted(id, revision);
    for (const patch of this.patches) {
      if (patch.id <= id) patch.revision ??= revision;
    }
  }

  /** Were they parameters? Then the page's are to be `currentParams` again. */
  refused(id: number): boolean {
    this.patches = this.patches.filter((patch) => patch.id !== id);
    return this.asked.refused(id);
  }

  /** The server's parameters at `revision`; what was set since stays on top of them. */
  adoptParams(revision: number, params: Params): Params {
    this.asked.snapshot(revision, params);
    return this.currentParams();
  }

  /** The server's canvas at `revision` (null: none); what was drawn since stays on top of it. */
  adopt(revision: number, pixels: Uint32Array | null): void {
    const surface = this.surface();
    const unsent = surface.unsent;
    const later = unsent && surface.copy(unsent);
    if (pixels === null) surface.reset();
    else surface.replace(pixels);
    for (const patch of this.patches) {
      if (patch.revision !== null && patch.revision <= revision) continue;
      if (patch.rect === null) surface.reset();
      else surface.blit(patch.rect, patch.pixels!);
    }
    surface.unsent = unsent;
    if (unsent !== null) surface.blit(unsent, later!);
  }

  /** A session that has `known` parameters and nothing else: the canvas and `params` go again. */
  startAnew(known: Params, params: Iterable<string>): void {
    const surface = this.surface();
    this.asked.reset(known);
    this.patches = [];
    surface.unsent = surface.blank ? null : surface.whole;
    this.params.clear();
    this.setParams(params);
    if (!this.unsent) this.madeAt = null;
  }

  private sendAll(): void {
    if (!this.unsent || !this.connection.isLive) return;
    const madeAt = this.madeAt ?? this.now();
    this.madeAt = null;
    this.sendParams(madeAt);
    this.sendCanvas(madeAt);
  }

  private sendParams(madeAt: number): void {
    if (this.params.size === 0) return;
    const all = this.values();
    const params: Params = {};
    let group = 0;
    for (const [name, of] of this.params) {
      const value = all[name];
      if (value !== undefined) params[name] = value;
      group = of;
    }
    this.params.clear();
    const id = this.sendText(madeAt, (edit) => ({ type: 'params', id: edit, params, group }));
    if (id !== null) this.asked.sent(id, params);
  }

  private sendText(madeAt: number, message: (id: number) => object): number | null {
    const id = this.connection.edit((edit) => JSON.stringify(message(edit)));
    if (id !== null) this.events.sent(id, madeAt, this.now());
    return id;
  }

  private sendCanvas(madeAt: number): void {
    const surface = this.surface();
    const rect = surface.unsent;
    if (rect === null) return;
    const whole = rect.w * rect.h > WHOLE_SHARE * surface.width * surface.height;
    const part = whole ? surface.whole : rect;
    const pixels = surface.copy(part);
    const data = encodePng(pixels, part.w, part.h);
    const group = this.group;
    const id = this.connection.edit((edit) =>
      encodePictureEdit({ id: edit, group, x: part.x, y: part.y, tile: !whole, data }),
    );
    if (id === null) return;
    surface.unsent = null;
    this.keep(id, part, pixels);
    this.events.sent(id, madeAt, this.now());
  }

  private keep(id: number, rect: Rect | null, pixels: Uint32Array | null): void {
    this.patches.push({ id, revision: null, rect, pixels });
    while (this.patches.length > KEPT_PATCHES && this.patches[0]!.revision !== null) this.patches.shift();
  }
}
