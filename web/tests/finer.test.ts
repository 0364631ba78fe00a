/** When a finer picture is asked for, what goes over the wire for it, and when it is shown. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Surface } from '../src/canvas';
import { Connection } from '../src/connection';
import { Courier } from '../src/courier';
import { Finer, REST_MS } from '../src/finer';
import type { Ink } from '../src/ink';
import type { Latency } from '../src/latency';
import type { PicturePainter } from '../src/picture';
import type { ModelInfo, Params, PictureFrame, Welcome } from '../src/protocol';
import { PageSession } from '../src/session';
import { Store, type PageState } from '../src/store';
import { Studio } from '../src/studio';
import { alive, FakeWorld, settle, welcome, type FakeSocket } from './fakes';

const SIZE = { name: 'size', type: 'integer', default: 256, choices: [512, 256] } as const;
const MODEL: ModelInfo = {
  name: 'm', title: 'M', tracks: [],
  parameters: [
    { name: 'prompt', type: 'string', default: '' }, { name: 'seed', type: 'integer', default: 0 }, SIZE,
  ],
  inputs: [{ name: 'canvas', width: 64, height: 64, background: [255, 255, 255] }],
};
const SERVER: Params = { prompt: '', seed: 0, size: 256 };

let world: FakeWorld;
let socket: FakeSocket;
let store: Store;
let connection: Connection;
let courier: Courier;
let studio: Studio;
let session: PageSession;
let finer: Finer;
let shown: PictureFrame | null;
let settled: PictureFrame[];
let acknowledged: number[];
let drawing: boolean;
let noticed: number[];

function frame(revision: number, width: number, patch: Partial<PictureFrame> = {}): PictureFrame {
  return {
    kind: 'picture', track: 0, step: 2, steps: 2, sequence: revision, revision, job: revision, width, height: width,
    pts: 0, received: 0, sent: 0, times: { queue: 0, begin: 0, step: 0, decode: 0, wait: 0, encode: 0 },
    format: 'jpeg', final: true, replay: false, data: new Uint8Array(1), ...patch,
  };
}

/** A picture comes; a small one is on the screen at once. */
function come(one: PictureFrame): void {
  session.picture(one, 0, () => void acknowledged.push(one.sequence));
  finer.tick();
}
const accept = (id: number, revision: number): void => {
  socket.receive({ type: 'accepted', id, revision, undo: 1, redo: 0 });
  finer.tick();
};
const type = (prompt: string): void => {
  studio.setParam('prompt', prompt);
  courier.flush();
  finer.tick();
};
const stroke = (): void => {
  studio.down(10, 10);
  studio.segments([{ x0: 10, y0: 10, p0: 0.5, x1: 20, y1: 10, p1: 0.5 }], world.time);
  studio.up();
  courier.flush();
  finer.tick();
};
const asked = (): unknown[] => socket.messages.filter((one) => one.type === 'params' && one.passing === true);

beforeEach(() => {
  vi.stubGlobal('Path2D', class {});
  vi.stubGlobal('navigator', { onLine: true });
  world = new FakeWorld();
  store = new Store({
    link: 'live', notice: '', touched: true, visible: true, finer: true, model: MODEL, params: { ...SERVER }, size: 8,
    tool: 'brush', color: [9, 9, 9], history: { undo: 0, redo: 0 }, detail: { message: '', fraction: null, seconds: null },
  } as unknown as PageState);
  [shown, settled, acknowledged, noticed, drawing] = [null, [], [], [], false];
  const nothing = (): void => undefined;
  const silent = new Proxy({}, { get: () => nothing });
  const painter = { reset: nothing, offer: (one: PictureFrame) => void (shown = one) } as unknown as PicturePainter;
  session = new PageSession({
    store, ink: silent as Ink, painter, wake: nothing, connection: () => connection, courier: () => courier,
    latency: () => silent as Latency, finer: () => finer, surface: () => studio.surface, useSurface: nothing,
  });
  connection = new Connection(world, session, null, { pictures: true, previews: true });
  const events = { sent: (id: number) => void (noticed.push(id), finer.edited()) };
  courier = new Courier(connection, () => studio.surface, () => store.state.params, events, world.now);
  const surface = new Surface(64, 64, [255, 255, 255]);
  surface.unsent = null;
  studio = new Studio({ store, ink: silent as Ink, connection, courier, wake: nothing, say: nothing, begin: nothing }, surface);
  finer = new Finer({
    store, wake: nothing, revision: () => session.revision, drawing: () => drawing, shown: () => shown,
    pending: () => connection.waiting > 0 || courier.unsent, pass: (params) => courier.pass(params),
    settle: (one, _, acknowledge) => {
      settled.push(one);
      shown = one;
      acknowledge();
    },
    now: world.now, later: world.later, cancel: world.cancel,
  });
});
afterEach(() => void vi.unstubAllGlobals());

/** A session in which a hill was asked for and its small picture is shown. */
async function drawn(patch: Partial<Welcome> = {}): Promise<void> {
  socket = await alive(connection, world, welcome({ model: MODEL, params: SERVER, ...patch }));
  socket.answerPings(world);
  type('a hill');
  accept(1, 1);
  come(frame(1, 256));
}

/** And the finer one was asked for. */
async function rested(): Promise<void> {
  await drawn();
  await world.pass(REST_MS);
  accept(2, 2);
}

describe('when the hand rests', () => {
  it('asks for the largest size once, by an edit that passes', async () => {
    await drawn();
    await world.pass(REST_MS - 10);
    expect(asked()).toEqual([]);
    await world.pass(20);
    expect(asked()).toEqual([{ type: 'params', id: 2, params: { size: 512 }, passing: true }]);
    accept(2, 2);
    await world.pass(10 * REST_MS);
    expect(asked()).toHaveLength(1);
  });

  it('waits until the small picture is shown as a whole', async () => {
    await drawn();
    type('a sea');
    accept(2, 2);
    await world.pass(10 * REST_MS);
    come(frame(2, 256, { final: false, step: 1 }));
    await world.pass(10 * REST_MS);
    expect(asked()).toEqual([]);
    come(frame(2, 256));
    expect(asked()).toHaveLength(1);
  });

  it.each([
    ['words', () => type('a sea')],
    ['a stroke', () => stroke()],
    ['undo', () => (store.set({ history: { undo: 1, redo: 0 } }), studio.undo())],
    ['a seed', () => (studio.newSeed(), courier.flush())],
  ])('begins to wait anew with %s', async (_, act) => {
    await drawn();
    await world.pass(REST_MS - 10);
    act();
    accept(2, 2);
    come(frame(2, 256));
    await world.pass(REST_MS - 10);
    expect(asked()).toEqual([]);
    await world.pass(20);
    expect(asked()).toHaveLength(1);
  });

  it.each<[string, () => void]>([
    ['with a pen on the canvas', () => void (drawing = true)],
    ['in a hidden tab', () => store.set({ visible: false })],
    ['with the switch off', () => store.set({ finer: false })],
    ['without a line', () => store.set({ link: 'reconnecting' })],
    ['of a model with one size', () => store.set({ model: { ...MODEL, parameters: [{ ...SIZE, choices: [256] }] } })],
    ['of a model that means something else by it', () =>
      store.set({ model: { ...MODEL, parameters: [{ name: 'size', type: 'number', default: 1, choices: [1, 512] }] } })],
    ['where the session paints so large already', () => store.set({ params: { ...SERVER, size: 512 } })],
  ])('asks for nothing %s', async (_, given) => {
    await drawn();
    given();
    finer.tick();
    await world.pass(10 * REST_MS);
    expect(asked()).toEqual([]);
  });

  it('takes nothing that it does for the person’s', async () => {
    await rested();
    expect(noticed).toEqual([1]);
    expect(store.state.params).toEqual({ ...SERVER, prompt: 'a hill' });
    expect(finer.isNewest(1)).toBe(true);
  });
});

describe('the finer picture', () => {
  it('takes the small one’s place; previews of it are acknowledged and tell how far it is', async () => {
    await rested();
    come(frame(2, 512, { final: false, step: 1, sequence: 7 }));
    expect([settled, acknowledged, finer.progress]).toEqual([[], [7], 0.5]);
    come(frame(2, 512, { sequence: 8 }));
    expect([settled.map(({ width }) => width), acknowledged]).toEqual([[512], [7, 8]]);
    await world.pass(10 * REST_MS);
    expect(asked()).toHaveLength(1);
  });

  it('costs the next edit no message: it goes out alone, and small pictures come as ever', async () => {
    await rested();
    come(frame(2, 512));
    const before = socket.sent.length;
    stroke();
    expect(socket.sent.length).toBe(before + 1);
    accept(3, 3);
    come(frame(3, 256));
    expect([shown?.width, settled.length]).toEqual([256, 1]);
  });

  it('is of no use once something was drawn', async () => {
    await rested();
    stroke();
    come(frame(2, 512, { sequence: 9 }));
    expect([settled, acknowledged]).toEqual([[], []]); // it may still turn out to be the newest
    accept(3, 3);
    expect([settled, acknowledged]).toEqual([[], [9]]);
  });

  it('is shown after all where that changed nothing', async () => {
    await rested();
    stroke();
    come(frame(2, 512, { sequence: 9 }));
    accept(3, 2);
    expect([settled.length, acknowledged]).toEqual([1, [9]]);
  });

  it('answers no edit, nor does one that comes again with a session', async () => {
    await drawn();
    expect([finer.isFiner(frame(1, 256)), finer.isFiner(frame(2, 512))]).toEqual([false, true]);
    shown = null;
    come(frame(2, 512, { replay: true }));
    expect([settled.length, (shown as PictureFrame | null)?.width]).toEqual([0, 512]);
  });
});

describe('a finer picture that does not come', () => {
  it('is not waited for, no notice tells of it, and the next rest asks again', async () => {
    await rested();
    socket.receive({ type: 'error', code: 'resource_exhausted', message: 'no room', retryable: true, revision: 2 });
    expect([finer.isMissing, store.state.notice]).toEqual([true, '']);
    await world.pass(10 * REST_MS);
    expect(asked()).toHaveLength(1);
    type('a sea');
    accept(3, 3);
    expect(finer.isMissing).toBe(false);
    come(frame(3, 256));
    await world.pass(REST_MS);
    expect(asked()).toHaveLength(2);
  });

  it('that the server refuses is not asked of it again, until there is another session', async () => {
    await drawn();
    await world.pass(REST_MS);
    socket.receive({ type: 'error', code: 'invalid_parameter', message: 'size: no', id: 2 });
    expect(store.state.notice).toBe('');
    type('a sea');
    accept(3, 3);
    come(frame(3, 256));
    await world.pass(10 * REST_MS);
    expect(asked()).toHaveLength(1);
    session.welcome(welcome({ model: MODEL, params: SERVER, session: 's2' }), true);
    await settle();
    courier.flush();
    accept(4, 1);
    come(frame(1, 256));
    await world.pass(REST_MS);
    expect(asked()).toHaveLength(2);
  });

  it('because nothing would change is not asked for again and again', async () => {
    await drawn();
    await world.pass(REST_MS);
    accept(2, 1);
    await world.pass(10 * REST_MS);
    expect(asked()).toHaveLength(1);
  });
});

describe('the size', () => {
  it('is not a person’s to set: neither by a saved recipe nor by what another model was used with', async () => {
    await drawn();
    studio.setParams({ prompt: 'fog', size: 512 });
    expect(store.state.params).toEqual({ ...SERVER, prompt: 'fog' });
    store.set({ params: { prompt: 'fog', size: 512 } });
    session.welcome(welcome({ model: MODEL, params: SERVER, session: 's2' }), true);
    expect(store.state.params).toEqual({ ...SERVER, prompt: 'fog' });
  });
});
