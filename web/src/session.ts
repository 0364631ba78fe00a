/**
 * The page's side of a session: what the connection reports becomes store, surface, ink, painting.
 *
 * Role: the one place that knows what each message of the server means for the page.
 * Invariants: the server's canvas never wipes out what was drawn since; a picture that belongs to
 * a former session is never shown.
 */

import type { Surface } from './canvas';
import { Surface as NewSurface } from './canvas';
import type { Connection, Listener, Trouble } from './connection';
import type { Courier } from './courier';
import type { Ink } from './ink';
import type { Latency } from './latency';
import type { PicturePainter } from './picture';
import type {
  CanvasState, ErrorMessage, ModelInfo, Params, PictureFrame, ServerMessage, Status, Welcome,
} from './protocol';
import { pixelsOf } from './save';
import type { Link, Store } from './store';

export interface SessionParts {
  store: Store;
  connection: () => Connection;
  courier: () => Courier;
  ink: Ink;
  latency: () => Latency;
  painter: PicturePainter;
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
  private adoption = 0;

  constructor(private readonly parts: SessionParts) {}

  welcome(message: Welcome, fresh: boolean): void {
    const { store, painter, ink, wake } = this.parts;
    if (message.session !== this.session) {
      painter.reset();
      this.parts.latency().reset();
      this.revision = 0;
    }
    this.session = message.session;
    this.adopting = false;
    this.revision = Math.max(this.revision, message.revision);
    this.useModel(message.model);
    ink.unsent();
    if (fresh) this.begin(message);
    else this.resume(message);
    store.set({
      link: 'live', detail: { message: '', fraction: null, seconds: null }, history: message.history,
      model: message.model, notice: '',
    });
    wake();
  }

  accepted(id: number, revision: number): void {
    this.revision = Math.max(this.revision, revision);
    this.parts.courier().accepted(id, revision);
    this.parts.ink.accepted(id, revision);
    this.parts.latency().accepted(id, revision);
    this.parts.wake();
  }

  message(message: ServerMessage): void {
    const { store } = this.parts;
    switch (message.type) {
      case 'accepted':
        store.set({ history: { ...store.state.history, undo: message.undo, redo: message.redo } });
        break;
      case 'state': this.onState(message.revision, message.params, message.canvas); break;
      case 'error': this.onError(message); break;
      case 'status': this.onStatus(message); break;
    }
    if (message.type === 'state') store.set({ history: message.history });
  }

  picture(frame: PictureFrame, arrived: number, shown: () => void): void {
    this.parts.painter.offer(frame, arrived, shown);
  }

  canvas(canvas: CanvasState): void {
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

  /** A session that knows nothing of what was drawn here: it all goes again. */
  private begin(message: Welcome): void {
    const { store, courier } = this.parts;
    if (!store.state.touched) {
      store.set({ params: { ...message.params, ...examplePrompt(store) } });
      return;
    }
    const mine = store.state.params;
    const known = Object.keys(message.params).filter((name) => name in mine);
    const changed = known.filter((name) => mine[name] !== message.params[name]);
    const kept = Object.fromEntries(known.map((name) => [name, mine[name]!]));
    store.set({ params: { ...message.params, ...kept } });
    courier().startAnew(changed);
  }

  private resume(message: Welcome): void {
    const { store } = this.parts;
    const unaccepted = this.parts.connection().waiting;
    if (unaccepted === 0) this.takeParams(message.params);
    this.adopting = message.canvas;
    if (!message.canvas && unaccepted === 0) this.parts.courier().adopt(message.revision, null);
    store.set({ touched: true });
  }

  private onState(revision: number, params: Params, canvas: boolean): void {
    this.revision = Math.max(this.revision, revision);
    this.takeParams(params);
    this.adoption++;
    this.adopting = canvas;
    if (!canvas) this.parts.courier().adopt(revision, null);
    this.parts.wake();
  }

  /** The server's parameters, but for those that were changed here and not sent yet. */
  private takeParams(params: Params): void {
    const { store, courier } = this.parts;
    const mine = Object.entries(store.state.params).filter(([name]) => courier().unsentParam(name));
    store.set({ params: { ...params, ...Object.fromEntries(mine) } });
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
    if (message.id != null) {
      this.parts.courier().refused(message.id);
      this.parts.ink.refused(message.id, performance.now());
    }
    if (message.code === 'nothing_to_undo' || !this.parts.connection().isLive) return;
    this.parts.store.set({ notice: `${message.message} ${message.remedy ?? ''}`.trim() });
  }

  private onStatus(status: Status): void {
    const words = status.message || status.stage || '';
    const detail = { message: sentence(words), fraction: null as number | null, seconds: null as number | null };
    if (status.state === 'ready') {
      if (this.parts.connection().isLive) this.parts.store.set({ link: 'live', detail });
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
