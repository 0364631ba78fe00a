/** A world without network or waiting: sockets and timers that the test holds in its hands. */
import type { Connection } from '../src/connection';
import type { Listener, Trouble } from '../src/listener';
import type { CanvasState, ClientMessage, PictureFrame, ServerMessage, Welcome } from '../src/protocol';
import type { Credentials, Refusal, SocketLike, World } from '../src/world';

export class FakeSocket implements SocketLike {
  binaryType = '';
  readyState = 0;
  bufferedAmount = 0;
  onopen: ((event: Event) => void) | null = null;
  onmessage: ((event: MessageEvent) => void) | null = null;
  onclose: ((event: CloseEvent) => void) | null = null;
  sent: Array<string | Uint8Array> = [];

  constructor(readonly url: string) {}

  send(data: string | Uint8Array): void {
    this.sent.push(data);
  }
  close(): void {
    this.readyState = 3;
  }
  open(): void {
    this.readyState = 1;
    this.onopen?.({} as Event);
  }
  lose(code = 1006): void {
    this.readyState = 3;
    this.onclose?.({ code } as CloseEvent);
  }
  receive(message: ServerMessage): void {
    this.onmessage?.({ data: JSON.stringify(message) } as MessageEvent);
  }
  receiveBytes(data: ArrayBuffer): void {
    this.onmessage?.({ data } as MessageEvent);
  }
  /** Answer each ping at once, as a server does. */
  answerPings(world: { time: number }): void {
    const { send } = this;
    this.send = (data) => {
      send.call(this, data);
      const message = typeof data === 'string' ? (JSON.parse(data) as ClientMessage) : null;
      if (message?.type === 'ping') this.receive({ type: 'pong', at: message.at, server: world.time });
    };
  }
  get messages(): ClientMessage[] {
    return this.sent.filter((one): one is string => typeof one === 'string').map((one) => JSON.parse(one) as ClientMessage);
  }
}

export class FakeWorld implements World {
  base = 'http://draw.example:8000/';
  sockets: FakeSocket[] = [];
  timers = new Map<number, { run: () => void; at: number }>();
  time = 0;
  /** A browser that runs timers at most once in so many ms (a hidden tab's: once a minute). */
  coarse = 0;
  kept: Credentials | null = null;
  /** A number: refused with this HTTP status. */
  answers: Array<Credentials | Refusal | number> = [];
  asked = 0;
  private next = 1;

  socket = (url: string): SocketLike => {
    const socket = new FakeSocket(url);
    this.sockets.push(socket);
    return socket;
  };
  createSession = (): Promise<Credentials | Refusal> => {
    this.asked++;
    const answer = this.answers.shift() ?? CREDENTIALS;
    return Promise.resolve(typeof answer === 'number' ? { status: answer, message: '' } : answer);
  };
  now = (): number => this.time;
  random = (): number => 0.5;
  later = (run: () => void, ms: number): number => {
    this.timers.set(this.next, { run, at: this.time + Math.max(ms, this.coarse) });
    return this.next++;
  };
  cancel = (timer: number): void => void this.timers.delete(timer);
  remember = (credentials: Credentials | null): void => void (this.kept = credentials);

  get last(): FakeSocket {
    return this.sockets.at(-1)!;
  }

  /** Let time pass; timers run in their order. */
  async pass(ms: number): Promise<void> {
    const end = this.time + ms;
    for (;;) {
      await settle();
      const due = [...this.timers].filter(([, timer]) => timer.at <= end).sort((a, b) => a[1].at - b[1].at)[0];
      if (due === undefined) break;
      this.timers.delete(due[0]);
      this.time = due[1].at;
      due[1].run();
    }
    this.time = end;
    await settle();
  }
}

export const settle = async (): Promise<void> => {
  for (let i = 0; i < 8; i++) await Promise.resolve();
};

export const CREDENTIALS: Credentials = { url: 'ws://one.example/v1/session', session: 's1', secret: 'x1' };

export class Recorder implements Listener {
  welcomes: Array<[Welcome, boolean]> = [];
  acceptedEdits: Array<[number, number]> = [];
  messages: ServerMessage[] = [];
  pictures: PictureFrame[] = [];
  shown: Array<() => void> = [];
  canvases: CanvasState[] = [];
  downs: Array<[Trouble, number | null]> = [];
  words = '';
  onWelcome: (() => void) | null = null;

  welcome(message: Welcome, fresh: boolean): void {
    this.welcomes.push([message, fresh]);
    this.onWelcome?.();
  }
  accepted(id: number, revision: number): void {
    this.acceptedEdits.push([id, revision]);
  }
  message(message: ServerMessage): void {
    this.messages.push(message);
  }
  picture(frame: PictureFrame, _arrived: number, shown: () => void): void {
    this.pictures.push(frame);
    this.shown.push(shown);
  }
  canvas(canvas: CanvasState): void {
    this.canvases.push(canvas);
  }
  down(trouble: Trouble, message: string, seconds: number | null): void {
    this.downs.push([trouble, seconds]);
    this.words = message;
  }
}

export function welcome(patch: Partial<Welcome> = {}): Welcome {
  return {
    type: 'welcome', version: 1, session: 's1', secret: 'x1', resumed: false, revision: 0, last_edit: 0,
    params: { prompt: '', seed: 0 }, canvas: false, history: { undo: 0, redo: 0 },
    model: {
      name: 'm', title: 'M', parameters: [], tracks: [],
      inputs: [{ name: 'canvas', width: 64, height: 64, background: [255, 255, 255] }],
    },
    keep_seconds: 600, max_message_bytes: 4194304, ...patch,
  };
}

/** A picture as its frame on the wire: only the header, and only what makes it one. */
export function pictureBytes(sequence: number): ArrayBuffer {
  const view = new DataView(new ArrayBuffer(72));
  for (const [at, value] of [[0, 1], [1, 16], [3, 1]] as const) view.setUint8(at, value);
  view.setUint32(8, sequence);
  return view.buffer;
}

export async function alive(connection: Connection, world: FakeWorld, patch: Partial<Welcome> = {}): Promise<FakeSocket> {
  connection.start();
  await settle();
  world.last.open();
  world.last.receive(welcome(patch));
  return world.last;
}
