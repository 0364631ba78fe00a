/**
 * The finer picture: asked for when the hand rests, shown where the small one was, gone with the next
 * edit.
 *
 * Role: knows when a person has rested and asks once, by an edit that passes (docs/protocol.md): the
 * server ends it with the next edit, so that nobody has to take it back. Keeps a finer picture until it
 * is certain that it shows the newest drawing.
 * Invariants: it is asked for only after the small one was shown as a whole; nothing finer is shown over
 * something newer, and no preview of it ever; what it asks is never taken for the person's.
 * It does not know pixels, sockets or how pictures are painted.
 */

import type { ErrorMessage, Params, PictureFrame } from './protocol';
import { drawnAt, sized, sizes } from './sizes';
import type { Store } from './store';

export const REST_MS = 500;

export interface FinerParts {
  store: Store;
  /** The newest revision that the server has told of. */
  revision: () => number;
  /** Edits of the person's that aren't sent or have no answer. */
  pending: () => boolean;
  /** Is a pen on the canvas? */
  drawing: () => boolean;
  shown: () => PictureFrame | null;
  /** Ask by an edit that passes; its id, or null where that can't be now. */
  pass: (params: Params) => number | null;
  /** Let this picture take the place of the one that is shown. */
  settle: (frame: PictureFrame, arrived: number, acknowledge: () => void) => void;
  wake: () => void;
  now: () => number;
  later: (run: () => void, ms: number) => number;
  cancel: (timer: number) => void;
}

interface Held {
  frame: PictureFrame;
  arrived: number;
  acknowledge: () => void;
}

export class Finer {
  /** How far the one in the making is, 0..1. */
  progress = 0;
  private editedAt = -Infinity;
  private timer: number | null = null;
  /** The edit that asks, as long as it has no answer. */
  private asked: number | null = null;
  /** The revision that was shown when it was asked for, and the one that the asking made. */
  private drawn = 0;
  private made = 0;
  /** A revision of which none will come. */
  private missing = 0;
  private refusedHere = false;
  private held: Held | null = null;

  constructor(private readonly parts: FinerParts) {}

  /** Does this picture have more pixels than the person draws at? Then it answers no edit of theirs. */
  isFiner({ width, height }: PictureFrame): boolean {
    const { model, params } = this.parts.store.state;
    const edge = drawnAt(model, params);
    return edge !== null && Math.max(width, height) > edge;
  }

  /** Does a picture of `revision` show all that the person did? */
  isNewest(revision: number): boolean {
    const newest = this.parts.revision();
    return revision === newest || (revision === this.drawn && newest === this.made);
  }

  /** Is the newest revision one of which no picture will come? */
  get isMissing(): boolean {
    return this.missing > 0 && this.missing === this.parts.revision();
  }

  /** Another session: nothing was asked of it. */
  reset(): void {
    this.edited();
    this.drawn = this.made = this.missing = 0;
    this.refusedHere = false;
    this.held?.acknowledge();
    this.held = null;
  }

  /** The person changed something. */
  edited(): void {
    this.editedAt = this.parts.now();
    this.asked = null;
    this.progress = 0;
  }

  accepted(id: number, revision: number): void {
    if (id !== this.asked) return;
    this.asked = null;
    this.made = revision;
    if (revision === this.drawn) this.missing = revision; // it changed nothing
  }

  /** Was this about a finer picture? Then nothing of the person's went wrong. */
  failed({ id, revision }: ErrorMessage): boolean {
    if (id != null && id === this.asked) {
      this.asked = null;
      this.refusedHere = true;
      return true;
    }
    if (revision == null || revision !== this.made) return false;
    this.missing = revision;
    this.parts.wake();
    return true;
  }

  /** Is this picture looked after here? Any other one is to be painted as it comes. */
  takes(frame: PictureFrame, arrived: number, acknowledge: () => void): boolean {
    if (this.parts.shown() === null || !this.isFiner(frame)) return false;
    if (frame.final) {
      this.held?.acknowledge();
      this.held = { frame, arrived, acknowledge };
    } else {
      if (this.isNewest(frame.revision)) this.progress = frame.step / frame.steps;
      acknowledge();
    }
    this.parts.wake();
    return true;
  }

  /** The loop's task, in every frame in which anything changes. */
  tick(): void {
    if (this.parts.drawing()) this.editedAt = this.parts.now();
    this.release();
    const wait = this.canAsk() ? this.editedAt + REST_MS - this.parts.now() : null;
    if (wait === null && this.timer !== null) this.stopWaiting();
    else if (wait !== null && wait > 0) this.timer ??= this.parts.later(() => this.due(), wait);
    else if (wait !== null) this.ask();
  }

  private due(): void {
    this.timer = null;
    this.tick();
  }

  private stopWaiting(): void {
    this.parts.cancel(this.timer!);
    this.timer = null;
  }

  private canAsk(): boolean {
    const { finer, touched, visible, link, model, params } = this.parts.store.state;
    const coarse = (drawnAt(model, params) ?? Infinity) < (sizes(model).at(-1) ?? 0);
    if (!finer || !touched || !visible || link !== 'live' || !coarse || this.refusedHere) return false;
    const busy = this.asked !== null || this.held !== null || this.parts.drawing() || this.parts.pending();
    const shown = this.parts.shown();
    if (busy || this.isMissing || shown === null || this.isFiner(shown)) return false;
    return shown.final && shown.revision === this.parts.revision();
  }

  private ask(): void {
    const { model } = this.parts.store.state;
    this.drawn = this.parts.revision();
    this.asked = this.parts.pass(sized(model, sizes(model).at(-1)!));
    this.editedAt = this.parts.now(); // where it couldn't be sent: after as long again
    this.progress = 0;
    this.parts.wake();
  }

  /** Show what is held, once it's certain that nothing was drawn since; else it's of no use. */
  private release(): void {
    if (this.held === null || this.parts.pending()) return;
    const { frame, arrived, acknowledge } = this.held;
    this.held = null;
    if (frame.revision >= this.parts.revision()) this.parts.settle(frame, arrived, acknowledge);
    else acknowledge();
  }
}
