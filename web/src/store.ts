/**
 * The one store of what the page shows: a flat record, changed by patches, watched by key.
 *
 * Role: every part of the page reads and writes here and none calls another to tell it something.
 * Invariants: watchers run after the patch is whole, and only for keys whose value really changed.
 * Pixels, ink and sockets are not in here: they change too often and belong to one owner each.
 */

import type { HistoryInfo, ModelInfo, Params, RGB } from './protocol';

export type Tool = 'brush' | 'eraser' | 'fill' | 'picker';
export type View = 'over' | 'side';
export type Link =
  | 'connecting' | 'live' | 'warming' | 'busy' | 'reconnecting' | 'offline' | 'draining'
  | 'failed' | 'unauthorized';

export interface LinkDetail {
  /** What the server or the socket said, in a sentence. */
  message: string;
  /** 0..1 while warming. */
  fraction: number | null;
  /** Seconds until warm, or until the next try. */
  seconds: number | null;
}

export interface PageState {
  link: Link;
  detail: LinkDetail;
  /** A refused edit or a failed job, until the next picture. */
  notice: string;
  model: ModelInfo;
  models: readonly string[];
  params: Params;
  history: HistoryInfo;
  tool: Tool;
  color: RGB;
  size: number;
  seedLocked: boolean;
  /** A finer picture when the pen rests, where the model can. */
  finer: boolean;
  view: View;
  peek: boolean;
  /** A drawing from before a reload has no picture yet: the bare canvas stands in for it. */
  bare: boolean;
  /** The person has begun; before that nothing is wanted of the server. */
  touched: boolean;
  visible: boolean;
  /** Edits that no shown picture answers yet, and how far the picture in the making is (0..1). */
  awaiting: boolean;
  progress: number;
}

type Watcher = (state: Readonly<PageState>) => void;

export class Store {
  private current: PageState;
  private readonly watchers: Array<{ keys: ReadonlySet<keyof PageState>; run: Watcher }> = [];

  constructor(initial: PageState) {
    this.current = initial;
  }

  get state(): Readonly<PageState> {
    return this.current;
  }

  set(patch: Partial<PageState>): void {
    const changed = (Object.keys(patch) as Array<keyof PageState>).filter(
      (key) => !Object.is(patch[key], this.current[key]),
    );
    if (changed.length === 0) return;
    this.current = { ...this.current, ...patch };
    for (const { keys, run } of this.watchers) {
      if (changed.some((key) => keys.has(key))) run(this.current);
    }
  }

  /** Run `run` now, and after every change of one of `keys`. */
  watch(keys: readonly (keyof PageState)[], run: Watcher): void {
    this.watchers.push({ keys: new Set(keys), run });
    run(this.current);
  }
}
