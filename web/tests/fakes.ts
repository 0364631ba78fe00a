/** A world without network or waiting: sockets and timers that the test holds in its hands. */
import type { Connection, Credentials, Listener, SocketLike, Trouble, World } from '../src/connection';
import type { CanvasState, ClientMessage, PictureFrame, ServerMessage, Welcome } from '../src/protocol';

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
  get messages(): ClientMessage[] {
    return this.sent.filter((one): one is string => typeof one === 'string').map((one) => JSON.parse(one) as ClientMessage);
  }
}

export class FakeWorld implements World {
  base = 'http://draw.example:8000/';
  sockets: FakeSocket[] = [];
  timers = new Map<number, { run: () => void; at: number }>();
  time = 0;
  kept: Credentials | null = null;
  answers: Array<Credentials | number> = [];
  asked = 0;
  private next = 1;

  socket = (url: string): SocketLike => {
    const socket = new FakeSocket(url);
    this.sockets.push(socket);
    return socket;
  };
  createSession = (): Promise<Credentials | number> => {
    this.asked++;
    return Promise.resolve(this.answers.shift() ?? CREDENTIALS);
  };
  now = (): number => this.time;
  random = (): number => 0.5;
  later = (run: () => void, ms: number): number => {
    this.timers.set(this.next, { run, at: this.time + ms });
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
  canvases: CanvasState[] = [];
  downs: Array<[Trouble, number | null]> = [];
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
  picture(frame: PictureFrame): void {
    this.pictures.push(frame);
  }
  canvas(canvas: CanvasState): void {
    this.canvases.push(canvas);
  }
  down(trouble: Trouble, _message: string, seconds: number | null): void {
    this.downs.push([trouble, seconds]);
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

export async function alive(connection: Connection, world: FakeWorld, patch: Partial<Welcome> = {}): Promise<FakeSocket> {
  connection.start();
  await settle();
  world.last.open();
  world.last.receive(welcome(patch));
  return world.last;
}
