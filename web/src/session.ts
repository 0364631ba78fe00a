/**
 * The page's side of a session: what the connection reports becomes store, surface, ink, painting.
 *
 * Role: the one place that knows what each message of the server means for the page.
 * Invariants: a snapshot of the server's never wipes out what was drawn or set since, and one that
 * is older than the newest snapshot changes nothing; a picture that belongs to a former session is
 * never shown.
 */

import type { Surface } from './canvas';
import { Surface as NewSurface } from './canvas';
import type { Connection } from './connection';
import type { Listener, Trouble } from './listener';
import type { Courier } from './courier';
import type { Finer } from './finer';
import { fitted } from './fitted';
import type { Ink } from './ink';
import type { Latency } from './latency';
import type { PicturePainter } from './picture';
import type {
  CanvasState, ErrorMessage, ModelInfo, Params, PictureFrame, ServerMessage, State, Status,
  Welcome,
} from './protocol';
import { pixelsOf } from './save';
import { settable } from './sizes';
import type { Link, Store } from './store';

export interface SessionParts {
  store: Store;
  connection: () => Connection;
  courier: () => Courier;
  ink: Ink;
  latency: () => Latency;
  painter: PicturePainter;
  finer: () => Finer;
  surface: () => Surface;
  useSurface: (surface: Surface) => void;
  wake: () => void;
}

const LINKS: Record<Trouble, Link> = {
  lost: 'reconnecting', busy: 'busy', draining: 'draining', unauthorized: 'unauthorized', failed: 'failed',
};

export class PageSession implements Listener {
  /** The newest revision that the server has told of. */
  revision = 0;
  /** The server's canvas was announced and isn't on the paper yet. */
  adopting = false;
  private session = '';
  /** The revision of the newest snapshot. */
  private snapshot = 0;
  private adoption = 0;

  constructor(private readonly parts: SessionParts) {}

  welcome(message: Welcome, fresh: boolean): void {
    const { store, painter, wake } = this.parts;
    if (message.session !== this.session) {
      painter.reset();
      this.parts.latency().reset();
      this.parts.finer().reset();
      this.revision = 0;
    }
    this.session = message.session;
    this.adopting = false;
    this.snapshot = message.revision;
    this.revision = Math.max(this.revision, message.revision);
    this.useModel(message.model);
    if (fresh) this.begin(message);
    else this.resume(message);
    store.set({ history: message.history, model: message.model, notice: '' });
    if (!this.parts.connection().isWarming) this.live(); // who is let in early still waits
    wake();
  }

  accepted(id: number, revision: number): void {
    this.revision = Math.max(this.revision, revision);
    this.parts.courier().accepted(id, revision);
    this.parts.ink.accepted(id, revision);
    this.parts.latency().accepted(id, revision);
    this.parts.finer().accepted(id, revision);
    this.parts.wake();
  }

  message(message: ServerMessage): void {
    const { store } = this.parts;
    switch (message.type) {
      case 'accepted':
        store.set({ history: { ...store.state.history, undo: message.undo, redo: message.redo } });
        break;
      case 'state': this.onState(message); break;
      case 'error': this.onError(message); break;
      case 'status': this.onStatus(message); break;
    }
  }

  picture(frame: PictureFrame, arrived: number, shown: () => void): void {
    if (this.parts.store.state.link === 'warming' && !frame.replay) this.live();
    if (this.parts.finer().takes(frame, arrived, shown)) return;
    this.parts.painter.offer(frame, arrived, shown);
  }

  canvas(canvas: CanvasState): void {
    if (canvas.revision < this.snapshot) return;
    const { width, height } = this.parts.surface();
    const turn = ++this.adoption;
    const blob = new Blob([canvas.data], { type: `image/${canvas.format}` });
    void pixelsOf(blob, width, height).then((pixels) => {
      if (turn !== this.adoption) return; // a newer state came while this one was decoded
      this.adopting = false;
      this.parts.courier().adopt(canvas.revision, pixels);
      this.parts.wake();
    });
  }

  down(trouble: Trouble, message: string, seconds: number | null): void {
    const lost = trouble === 'lost' && !navigator.onLine;
    this.parts.store.set({
      link: lost ? 'offline' : LINKS[trouble], detail: { message: sentence(message), fraction: null, seconds },
    });
  }

  private live(): void {
    this.parts.store.set({ link: 'live', detail: { message: '', fraction: null, seconds: null } });
  }

  /** A session that knows nothing of what was drawn here: it all goes again. */
  private begin(message: Welcome): void {
    const { store, courier, ink } = this.parts;
    ink.unsent();
    if (!store.state.touched) {
      courier().adoptParams(message.revision, message.params);
      store.set({ params: { ...message.params, ...examplePrompt(store) } });
      return;
    }
    const kept = fitted(store.state.params, settable(message.model));
    const changed = Object.keys(kept).filter((name) => kept[name] !== message.params[name]);
    store.set({ params: { ...message.params, ...kept } });
    courier().startAnew(message.params, changed);
  }

  private resume(message: Welcome): void {
    this.adopting = message.canvas;
    this.takeParams(message.revision, message.params);
    if (!message.canvas) this.parts.courier().adopt(message.revision, null);
    this.parts.store.set({ touched: true });
  }

  private onState({ revision, params, canvas, history }: State): void {
    if (revision < this.snapshot) return;
    const { undo, redo } = revision < this.revision ? this.parts.store.state.history : history;
    this.parts.store.set({ history: { ...history, undo, redo } }); // `accepted` told newer numbers
    this.snapshot = revision;
    this.revision = Math.max(this.revision, revision);
    this.takeParams(revision, params);
    this.adoption++;
    this.adopting = canvas;
    if (!canvas) this.parts.courier().adopt(revision, null);
    this.parts.wake();
  }

  /** The server's parameters at `revision`, but for those that were changed here since. */
  private takeParams(revision: number, params: Params): void {
    this.parts.store.set({ params: this.parts.courier().adoptParams(revision, params) });
  }

  private useModel(model: ModelInfo): void {
    const input = model.inputs[0];
    const surface = this.parts.surface();
    if (input === undefined || (surface.width === input.width && surface.height === input.height)) return;
    const blank = !this.parts.store.state.touched;
    this.parts.useSurface(
      blank
        ? new NewSurface(input.width, input.height, input.background)
        : surface.resized(input.width, input.height, input.background),
    );
  }

  private onError(message: ErrorMessage): void {
    const { store, courier, ink } = this.parts;
    if (this.parts.finer().failed(message)) return;
    const words = [sentence(message.message), message.remedy ?? ''];
    if (message.id != null) {
      ink.refused(message.id, performance.now());
      if (courier().refused(message.id)) {
        store.set({ params: courier().currentParams() });
        words.push('What it replaced is back.');
      }
    }
    if (message.code === 'nothing_to_undo' || !this.parts.connection().isLive) return;
    store.set({ notice: words.filter((some) => some !== '').join(' ') });
  }

  private onStatus(status: Status): void {
    const words = status.message || status.stage || '';
    const detail = { message: sentence(words), fraction: null as number | null, seconds: null as number | null };
    if (status.state === 'ready') {
      if (this.parts.connection().isLive) this.live();
      return;
    }
    if (status.state === 'warming') {
      detail.fraction = status.fraction ?? 0;
      detail.seconds = status.seconds_left ?? null;
    }
    this.parts.store.set({ link: status.state, detail });
  }
}

function examplePrompt(store: Store): Params {
  const prompt = store.state.params['prompt'];
  return prompt === undefined ? {} : { prompt };
}

function sentence(words: string): string {
  if (words === '') return '';
  const first = words[0]!.toUpperCase() + words.slice(1);
  return /[.!?…]$/.test(first) ? first : `${first}.`;
}
