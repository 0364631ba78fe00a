/**
 * One connection to one session, that heals by itself.
 *
 * Role: opens a session (HTTP first, for its credentials), connects to the page's own server and, if
 * that doesn't know the session, to the address that came with it; says hello, keeps
 * edits until they are accepted, comes back after a loss with backoff and jitter, obeys `draining`
 * and `moved`, and knows the server's clock. Invariants: edit ids rise in the order of sending; an
 * edit leaves the list of unaccepted ones only by an answer, or because its session is gone.
 * It does not know canvases, pictures or controls: it hands messages to its listener.
 */

import {
  decodeBinary, decodeText, PATH, VERSION,
  type ClientMessage, type ErrorMessage, type Hello, type ServerMessage, type Welcome,
} from './protocol';
import { ServerClock } from './clock';
import type { Listener, Trouble, Wants } from './listener';
import type { Credentials, SocketLike, World } from './world';

interface Unaccepted {
  id: number;
  wire: string | Uint8Array<ArrayBuffer>;
}

const OPEN = 1;
const MOST_BUFFERED = 48 * 1024;
const FIRST_WAIT = 250;
const LONGEST_WAIT = 8000;
const PING_EVERY = 2000;
const SILENCE = 9000;
const GREETING = 12000;
/** A model that failed to load comes back with another server only. */
const FAILED_WAIT = 30000;

export class Connection {
  readonly clock = new ServerClock();
  private socket: SocketLike | null = null;
  private live = false;
  private closed = false;
  private attempt = 0;
  private opening = 0;
  private lastEdit = 0;
  private heard = 0;
  /** When something was asked (hello, then pings) that nothing was heard after. */
  private asked: number | null = null;
  private unaccepted: Unaccepted[] = [];
  private retryTimer = 0;
  private pulseTimer = 0;
  /** Where the server said that the new session lives, as long as that wasn't tried. */
  private told: string | null = null;
  private nextWait: number | null = null;
  private refused: ErrorMessage | null = null;
  private warming = false;
  /** What the server was told on this line: its welcome may come long after the hello. */
  private said: Wants;
  /** Why the model failed, where the server said so on this line. */
  private broken: string | null = null;
  private readonly name: string;

  constructor(
    private readonly world: World,
    private readonly listener: Listener,
    private credentials: Credentials | null,
    private wants: Wants,
    private model: string | null = null,
    private token: string | null = null,
  ) {
    this.said = wants;
    this.name = `page-${Math.floor(world.random() * 2 ** 48).toString(36)}`;
  }

  get isLive(): boolean {
    return this.live;
  }

  /** Did the server last say on this line that its model is being made ready? */
  get isWarming(): boolean {
    return this.warming;
  }

  get waiting(): number {
    return this.unaccepted.length;
  }

  /** May an edit be sent now? Not while the line is down or the socket is backed up. */
  get clear(): boolean {
    return this.live && this.socket!.bufferedAmount < MOST_BUFFERED && this.unaccepted.length < 240;
  }

  start(): void {
    this.closed = false;
    void this.open();
  }

  /** Try again now: the person asked, or the network came back. */
  retry(): void {
    if (this.live || this.closed || this.socket !== null) return;
    this.attempt = 0;
    void this.open();
  }

  useToken(token: string): void {
    this.token = token;
    this.drop();
    this.retry();
  }

  /** Leave the session and open one of another model. */
  useModel(model: string): void {
    if (this.live) this.send({ type: 'end' });
    this.model = model;
    this.forget();
    this.drop();
    this.retry();
  }

  stop(): void {
    this.closed = true;
    this.drop();
  }

  want(wants: Wants): void {
    this.wants = wants;
    if (this.live) this.demand();
  }

  /** Tell what is wanted, where the server was told something else. */
  private demand(): void {
    const { pictures, previews } = this.wants;
    if (pictures === this.said.pictures && previews === this.said.previews) return;
    this.said = this.wants;
    this.send({ type: 'demand', pictures, previews });
  }

  /** Send one edit; its id, or null where there is no line (the caller keeps what it has). */
  edit(build: (id: number) => string | Uint8Array<ArrayBuffer>): number | null {
    if (!this.live) return null;
    const id = ++this.lastEdit;
    const wire = build(id);
    this.unaccepted.push({ id, wire });
    this.socket!.send(wire);
    return id;
  }

  private send(message: ClientMessage): void {
    this.socket?.send(JSON.stringify(message));
  }

  private async open(): Promise<void> {
    this.world.cancel(this.retryTimer);
    const turn = ++this.opening;
    const url = this.credentials?.url ?? this.ownUrl();
    if (this.credentials === null) {
      const made = await this.world.createSession(this.world.base, this.model, this.token);
      if (turn !== this.opening || this.closed) return;
      if ('session' in made) {
        // What reached the page reaches its socket; a public name may not, from where the page is.
        this.told = made.url === url ? null : made.url;
        this.remember({ ...made, url });
      } else if (made.status === 0) {
        return this.lost('The server doesn’t answer.');
      } else if (made.status === 401) {
        return this.unauthorized(made.message);
      } // any other status: the socket's own hello tells why, or how far the warm-up is
    }
    this.dial(url);
  }

  private ownUrl(): string {
    const url = new URL(PATH, this.world.base);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    url.search = '';
    url.hash = '';
    return url.href;
  }

  private dial(url: string): void {
    const socket = this.world.socket(url);
    this.socket = socket;
    this.refused = null;
    this.broken = null;
    this.warming = false;
    this.nextWait = null;
    this.asked = this.world.now();
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => socket.send(JSON.stringify(this.hello()));
    socket.onmessage = (event) => {
      if (socket === this.socket) this.receive(socket, event.data as string | ArrayBuffer);
    };
    socket.onclose = (event) => {
      if (socket === this.socket) this.onClose(event.code);
    };
    this.pulse();
  }

  private hello(): Hello {
    this.said = this.wants;
    const hello: Hello = { type: 'hello', version: VERSION, client: this.name, ...this.wants };
    if (this.token !== null) hello.token = this.token;
    if (this.credentials !== null) {
      hello.session = this.credentials.session;
      hello.secret = this.credentials.secret;
    } else if (this.model !== null) {
      hello.model = this.model;
    }
    return hello;
  }

  private receive(socket: SocketLike, data: string | ArrayBuffer): void {
    this.heard = this.world.now();
    this.asked = null;
    if (typeof data === 'string') {
      const message = decodeText(data);
      if (message !== null) this.onMessage(message);
      return;
    }
    const frame = decodeBinary(data);
    if (frame?.kind === 'canvas') return this.listener.canvas(frame);
    if (frame?.kind !== 'picture') return;
    this.listener.picture(frame, this.heard, () => {
      // Every line counts its pictures from 1: on another one this number means another picture.
      if (socket === this.socket) this.send({ type: 'ack', sequence: frame.sequence });
    });
  }

  private onMessage(message: ServerMessage): void {
    switch (message.type) {
      case 'welcome': return this.onWelcome(message);
      case 'pong': return this.clock.sample(message.at, message.server, this.heard);
      case 'accepted':
        this.unaccepted = this.unaccepted.filter((edit) => edit.id !== message.id);
        this.listener.accepted(message.id, message.revision);
        break;
      case 'error': this.onError(message); break;
      case 'status':
        this.warming = message.state === 'warming';
        this.broken = message.state === 'failed' ? (message.message ?? '') : null;
        break;
      case 'draining':
        this.remember({ url: this.credentials?.url ?? this.ownUrl(), ...only(message) });
        this.nextWait = Math.max(100, message.retry_seconds * 1000);
        break;
      case 'moved': this.onMoved(message.url); break;
      case 'ended': this.forget(); break;
    }
    this.listener.message(message);
  }

  private onWelcome(message: Welcome): void {
    this.live = true;
    this.told = null;
    this.attempt = 0;
    const url = this.credentials?.url ?? this.ownUrl();
    this.remember({ url, session: message.session, secret: message.secret });
    const fresh = !message.resumed || message.revision === 0;
    if (!fresh) {
      this.unaccepted = this.unaccepted.filter((edit) => {
        if (edit.id > message.last_edit) return true;
        this.listener.accepted(edit.id, message.revision);
        return false;
      });
    } else {
      this.unaccepted = [];
    }
    this.demand();
    this.listener.welcome(message, fresh);
    for (const edit of this.unaccepted) this.socket!.send(edit.wire);
  }

  private onError(message: ErrorMessage): void {
    if (message.id != null) this.unaccepted = this.unaccepted.filter((e) => e.id !== message.id);
    if (!this.live) this.refused = message;
  }

  private onMoved(url: string): void {
    if (this.credentials === null || !/^wss?:/.test(url)) return;
    this.remember({ ...this.credentials, url });
    this.nextWait = 0;
    this.drop();
    this.scheduleRetry('draining', 'The session moves to another server.', 0);
  }

  private onClose(code: number): void {
    this.drop();
    if (this.closed) return;
    const why = this.refused?.code ?? '';
    if (why === 'unauthorized' || code === 4401) {
      return this.unauthorized(this.refused?.message ?? '');
    }
    if (why === 'unknown_session' || why === 'wrong_secret' || code === 4403 || code === 4404) {
      if (this.credentials === null) return this.fail('failed', this.refused?.message ?? 'Refused.');
      if (this.told !== null) {
        this.remember({ ...this.credentials, url: this.told });
        this.told = null;
        return this.scheduleRetry('lost', 'The session lives on another server.', 0);
      }
      this.forget();
      return this.scheduleRetry('lost', 'The server started anew.', 0);
    }
    if (code === 1012 || this.nextWait !== null) {
      const wait = this.nextWait ?? this.backoff();
      return this.scheduleRetry('draining', 'The server is restarting.', wait);
    }
    if (code === 1013 && (why === 'not_ready' || this.broken !== null)) {
      const wait = FAILED_WAIT * (0.5 + 0.5 * this.world.random());
      return this.scheduleRetry('failed', this.refused?.message ?? this.broken ?? '', wait);
    }
    if (code === 1013) return this.scheduleRetry('busy', 'The server has no room now.', this.backoff());
    this.lost(this.refused?.message ?? 'The line is lost.');
  }

  private lost(message: string): void {
    // A session whose own server is gone for long may be found again through the page's server.
    if (this.attempt === 4 && this.credentials !== null) this.credentials.url = this.ownUrl();
    this.scheduleRetry('lost', message, this.backoff());
  }

  private unauthorized(message: string): void {
    this.fail('unauthorized', message || 'This server asks for a token.');
  }

  private fail(trouble: Trouble, message: string): void {
    this.socket = null;
    this.listener.down(trouble, message, null);
  }

  private backoff(): number {
    const most = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.attempt++);
    return most * (0.5 + 0.5 * this.world.random());
  }

  private scheduleRetry(trouble: Trouble, message: string, ms: number): void {
    this.socket = null;
    this.nextWait = null;
    this.world.cancel(this.retryTimer);
    this.retryTimer = this.world.later(() => void this.open(), ms);
    this.listener.down(trouble, message, ms / 1000);
  }

  /**
   * Silence counts from a question without an answer, not from the last message: a hidden tab's
   * timers run once a minute, and its server has nothing to say in between.
   */
  private pulse(): void {
    this.world.cancel(this.pulseTimer);
    this.pulseTimer = this.world.later(() => {
      const now = this.world.now();
      if (this.asked === null) {
        this.asked = now;
        this.send({ type: 'ping', at: now });
      } else if (now - this.asked > (this.live ? SILENCE : GREETING)) {
        return this.onClose(4000);
      }
      this.pulse();
    }, this.clock.known ? PING_EVERY : PING_EVERY / 8);
  }

  /** Let the socket go without waiting for its farewell. */
  private drop(): void {
    const socket = this.socket;
    this.socket = null;
    this.live = false;
    this.opening++;
    this.clock.forget();
    this.world.cancel(this.pulseTimer);
    this.world.cancel(this.retryTimer);
    if (socket !== null && socket.readyState <= OPEN) socket.close();
  }

  private remember(credentials: Credentials): void {
    this.credentials = credentials;
    this.world.remember(credentials);
  }

  private forget(): void {
    this.credentials = null;
    this.told = null;
    this.unaccepted = [];
    this.world.remember(null);
  }
}

function only(message: { session: string; secret: string }): { session: string; secret: string } {
  return { session: message.session, secret: message.secret };
}
