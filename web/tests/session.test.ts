/** What each message of the server means for the page: real connection, courier, ink and store. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Surface } from '../src/canvas';
import { Connection } from '../src/connection';
import { Courier } from '../src/courier';
import type { Finer } from '../src/finer';
import { Ink } from '../src/ink';
import type { Latency } from '../src/latency';
import type { PicturePainter } from '../src/picture';
import type { ModelInfo, Params, ServerMessage, Welcome } from '../src/protocol';
import { PageSession } from '../src/session';
import { Store, type PageState } from '../src/store';
import { Studio } from '../src/studio';
import { alive, FakeWorld, pictureBytes, settle, welcome, type FakeSocket } from './fakes';

const MODEL: ModelInfo = {
  name: 'm', title: 'M', tracks: [],
  parameters: [
    { name: 'prompt', type: 'string', default: '', max_length: 12 },
    { name: 'seed', type: 'integer', default: 0, minimum: 0 },
    { name: 'steps', type: 'integer', default: 2, minimum: 1, maximum: 4 },
  ],
  inputs: [{ name: 'canvas', width: 64, height: 64, background: [255, 255, 255] }],
};
const SERVER: Params = { prompt: '', seed: 0, steps: 2 };

let world: FakeWorld;
let socket: FakeSocket;
let store: Store;
let connection: Connection;
let courier: Courier;
let ink: Ink;
let studio: Studio;
let session: PageSession;

const hello = (patch: Partial<Welcome> = {}): Welcome => welcome({ model: MODEL, params: SERVER, ...patch });

function makeInk(): Ink {
  const context = new Proxy({}, { get: () => () => undefined, set: () => true });
  const box = { width: 64, height: 64, dataset: {} as Record<string, string>, getContext: () => context };
  dataset = box.dataset;
  return new Ink(box as unknown as HTMLCanvasElement, { width: 64, height: 64 }, () => undefined, 0);
}
let dataset: Record<string, string>;

/** Is any ink left on the stage, once what is answered has melted? */
function inked(): boolean {
  ink.draw(1e9);
  return dataset['empty'] === 'false';
}

beforeEach(() => {
  vi.stubGlobal('Path2D', class {
    moveTo = (): void => undefined;
    arc = this.moveTo;
    lineTo = this.moveTo;
    closePath = this.moveTo;
    addPath = this.moveTo;
  });
  vi.stubGlobal('navigator', { onLine: true });
  world = new FakeWorld();
  store = new Store({
    link: 'connecting', notice: '', touched: true, model: MODEL, params: { ...SERVER }, color: [9, 9, 9],
    history: { undo: 0, redo: 0 }, size: 8, tool: 'brush', detail: { message: '', fraction: null, seconds: null },
  } as unknown as PageState);
  ink = makeInk();
  const painter = { reset: () => undefined, offer: () => undefined } as unknown as PicturePainter;
  const latency = { reset: () => undefined, accepted: () => undefined } as unknown as Latency;
  const never = { reset: () => undefined, accepted: () => undefined, takes: () => false, failed: () => false };
  session = new PageSession({
    store, ink, painter, finer: () => never as unknown as Finer, wake: () => undefined, connection: () => connection, courier: () => courier,
    latency: () => latency, surface: () => studio.surface, useSurface: (surface) => void (studio.surface = surface),
  });
  connection = new Connection(world, session, null, { pictures: true, previews: true });
  courier = new Courier(connection, () => studio.surface, () => store.state.params, { sent: (id) => ink.sent(id) }, world.now);
  const surface = new Surface(64, 64, [255, 255, 255]);
  surface.unsent = null;
  const nothing = (): void => undefined;
  studio = new Studio({ store, ink, connection, courier, wake: nothing, say: nothing, begin: nothing }, surface);
});
afterEach(() => void vi.unstubAllGlobals());

const type = (prompt: string): void => {
  studio.setParam('prompt', prompt);
  courier.flush();
};
const stroke = (y: number): void => {
  studio.down(10, y);
  studio.segments([{ x0: 10, y0: y, p0: 0.5, x1: 20, y1: y, p1: 0.5 }], 0);
  studio.up();
  courier.flush();
};
const accepted = (id: number, revision: number): void =>
  socket.receive({ type: 'accepted', id, revision, undo: id, redo: 0 });
const state = (revision: number, params: Params): ServerMessage =>
  ({ type: 'state', revision, params: { ...SERVER, ...params }, canvas: false, history: { undo: 0, redo: 1 } });
const sentParams = (): Params[] =>
  socket.messages.flatMap((one) => (one.type === 'params' ? [one.params] : []));

describe('a state that was overtaken', () => {
  beforeEach(async () => {
    socket = await alive(connection, world, hello());
  });

  it('takes back what was undone, not what was typed after it', () => {
    type('a sun');
    accepted(1, 1);
    studio.newSeed();
    courier.flush();
    accepted(2, 2);
    studio.undo(); // edit 3 takes the seed back
    type('a sunset');
    accepted(3, 3);
    accepted(4, 4);
    socket.receive(state(3, { prompt: 'a sun', seed: 0 }));
    expect(store.state.params).toEqual({ prompt: 'a sunset', seed: 0, steps: 2 });
  });

  it('leaves what has no answer yet, and what was not even sent', () => {
    type('a');
    studio.undo();
    studio.setParam('steps', 3);
    courier.flush();
    studio.setParam('seed', 5);
    accepted(1, 1);
    accepted(2, 2);
    socket.receive(state(2, {}));
    expect(store.state.params).toEqual({ prompt: '', seed: 5, steps: 3 });
  });

  it('does not tell how much can be undone: that was answered since', () => {
    for (let id = 1; id <= 3; id++) {
      type('x'.repeat(id));
      accepted(id, id);
    }
    socket.receive(state(2, {}));
    expect(store.state.history).toMatchObject({ undo: 3, redo: 0 });
    socket.receive(state(3, {}));
    expect(store.state.history).toMatchObject({ undo: 0, redo: 1 });
  });

  it('changes nothing where a newer one is here already', () => {
    socket.receive(state(5, { prompt: 'new' }));
    socket.receive(state(4, { prompt: 'old' }));
    expect(store.state.params['prompt']).toBe('new');
  });
});

describe('parameters that the model does not take', () => {
  it('are made to fit when a session begins, so that the others are not refused with them', async () => {
    store.set({ params: { prompt: 'a very long description', seed: 7, steps: 8, gone: 1 } });
    socket = await alive(connection, world, hello());
    courier.flush();
    expect(sentParams()).toEqual([{ prompt: 'a very long ', seed: 7, steps: 4 }]);
    expect(store.state.params).toEqual({ prompt: 'a very long ', seed: 7, steps: 4 });
  });

  it('are made to fit when they come with a saved recipe', async () => {
    socket = await alive(connection, world, hello());
    studio.setParams({ prompt: 'fog', steps: 8, seed: 'seven', other: 1 });
    courier.flush();
    expect(sentParams()).toEqual([{ prompt: 'fog', steps: 4 }]);
  });

  it('that are refused give way to what was accepted last, with a word', async () => {
    socket = await alive(connection, world, hello());
    type('fog');
    accepted(1, 1);
    studio.setParams({ prompt: 'mist', steps: 3 });
    courier.flush();
    studio.setParam('seed', 4); // newer, and not sent: it stays
    socket.receive({ type: 'error', code: 'invalid_parameter', message: 'steps: is 3, the most is 2', id: 2 });
    expect(store.state.params).toEqual({ prompt: 'fog', steps: 2, seed: 4 });
    expect(store.state.notice).toBe('Steps: is 3, the most is 2. What it replaced is back.');
  });
});

describe('a line that comes back', () => {
  it('melts the ink of strokes that were sent again', async () => {
    socket = await alive(connection, world, hello());
    stroke(10);
    accepted(1, 1);
    stroke(30);
    socket.lose();
    await world.pass(1000);
    socket = world.last;
    socket.open();
    socket.receive(hello({ resumed: true, revision: 1, last_edit: 1 }));
    expect(socket.sent).toHaveLength(2);
    ink.answered(1, 0);
    expect(inked()).toBe(true);
    accepted(2, 2);
    ink.answered(2, 0);
    expect(inked()).toBe(false);
  });

  it('keeps what was set before it went, and has no answer', async () => {
    socket = await alive(connection, world, hello());
    type('fog');
    accepted(1, 1);
    type('mist');
    socket.lose();
    studio.setParam('seed', 9);
    await world.pass(1000);
    socket = world.last;
    socket.open();
    socket.receive(hello({ resumed: true, revision: 4, last_edit: 1, params: { prompt: 'fog', seed: 0, steps: 3 } }));
    expect(store.state.params).toEqual({ prompt: 'mist', seed: 9, steps: 3 });
  });
});

describe('a model that warms up', () => {
  const warm = (fraction: number): void => socket.receive({ type: 'status', state: 'warming', fraction });

  beforeEach(async () => {
    connection.start();
    await settle();
    socket = world.last;
    socket.open();
    warm(0.1);
    socket.receive(hello());
  });

  it('is said to warm up until it is ready, though the session is there already', () => {
    expect(connection.isLive).toBe(true);
    expect(store.state).toMatchObject({ link: 'warming', detail: { fraction: 0.1 } });
    warm(0.4);
    expect(store.state).toMatchObject({ link: 'warming', detail: { fraction: 0.4 } });
    socket.receive({ type: 'status', state: 'ready' });
    expect(store.state).toMatchObject({ link: 'live', detail: { fraction: null } });
  });

  it('is ready as soon as a picture comes', () => {
    socket.receiveBytes(pictureBytes(1));
    expect(store.state.link).toBe('live');
  });

  it('is forgotten with the line that told of it', async () => {
    socket.lose();
    await world.pass(1000);
    world.last.open();
    world.last.receive(hello({ resumed: true, revision: 1 }));
    expect(store.state.link).toBe('live');
  });
});
