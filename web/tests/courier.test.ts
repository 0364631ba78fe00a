import { beforeEach, describe, expect, it } from 'vitest';
import { Surface } from '../src/canvas';
import { Connection } from '../src/connection';
import { Courier } from '../src/courier';
import { alive, FakeWorld, Recorder, type FakeSocket } from './fakes';

const TREE = [30, 90, 50] as const;
const SUN = [255, 215, 70] as const;

let socket: FakeSocket;
let surface: Surface;
let courier: Courier;
let sent: number[];
let made: number[];
let world: FakeWorld;

interface Edit { kind: string; id: number; group: number; x?: number; y?: number }

function edits(): Edit[] {
  return socket.sent.slice(1).map((wire) => {
    if (typeof wire === 'string') {
      const message = JSON.parse(wire) as { type: string; id: number; group?: number };
      return { kind: message.type, id: message.id, group: message.group ?? 0 };
    }
    const view = new DataView(wire.buffer, wire.byteOffset);
    const kind = view.getUint8(1) === 1 ? 'canvas' : 'tile';
    return { kind, id: view.getUint32(4), group: view.getUint32(8), x: view.getUint16(12), y: view.getUint16(14) };
  });
}

const dot = (x: number, y: number, color: readonly [number, number, number] = TREE): void => surface.capsule(x, y, 3, x, y, 3, color);

beforeEach(async () => {
  world = new FakeWorld();
  const connection = new Connection(world, new Recorder(), null, { pictures: true, previews: true });
  surface = new Surface(64, 64, [255, 255, 255]);
  surface.unsent = null;
  sent = [];
  made = [];
  courier = new Courier(connection, () => surface, () => ({ prompt: 'fog', seed: 1 }), {
    sent: (id, madeAt) => {
      sent.push(id);
      made.push(madeAt);
    },
  }, world.now);
  socket = await alive(connection, world);
});

describe('sending', () => {
  it('sends the changed tile, once', () => {
    dot(20, 30);
    courier.flush();
    courier.flush();
    expect(edits()).toEqual([{ kind: 'tile', id: 1, group: expect.any(Number), x: 17, y: 27 }]);
    expect(sent).toEqual([1]);
  });

  it('sends the whole canvas when most of it changed', () => {
    surface.fill(1, 1, SUN);
    courier.flush();
    expect(edits()[0]).toMatchObject({ kind: 'canvas', x: 0, y: 0 });
  });

  it('keeps everything for later while the socket is backed up', () => {
    socket.bufferedAmount = 1e6;
    dot(5, 5);
    courier.flush();
    dot(50, 50);
    courier.flush();
    expect(edits()).toEqual([]);
    socket.bufferedAmount = 0;
    courier.flush();
    expect(edits()).toHaveLength(1);
    expect(surface.unsent).toBeNull();
  });

  it('gives the edits of one gesture one group, and the next another', () => {
    courier.gesture();
    dot(5, 5);
    courier.flush();
    dot(8, 5);
    courier.flush();
    courier.gesture();
    dot(20, 20);
    courier.flush();
    const [a, b, c] = edits().map((edit) => edit.group);
    expect(a).toBe(b);
    expect(c).not.toBe(a);
  });

  it('sends what was drawn before an undo before it', () => {
    dot(5, 5);
    courier.history('undo', 0);
    expect(edits().map((edit) => edit.kind)).toEqual(['tile', 'undo']);
    expect(edits().map((edit) => edit.id)).toEqual([1, 2]);
  });

  it('sends it before the undo on a slow line as well: else another stroke would be taken back', () => {
    socket.bufferedAmount = 1e6;
    dot(5, 5);
    courier.flush();
    expect(edits()).toEqual([]);
    courier.history('undo', 0);
    expect(edits().map((edit) => edit.kind)).toEqual(['tile', 'undo']);
  });

  it('clears instead of sending what clearing makes void', () => {
    dot(5, 5);
    surface.reset();
    expect(courier.clear(0)).toBe(true);
    expect(edits().map((edit) => edit.kind)).toEqual(['clear']);
  });

  it('counts what is drawn after a clear from its own time, not from the clear’s', () => {
    courier.setParams(['seed']); // a clear draws a new seed
    courier.clear(0);
    world.time = 12_000;
    dot(5, 5);
    courier.touched(world.time);
    courier.flush();
    expect(edits().map((edit) => edit.kind)).toEqual(['params', 'clear', 'tile']);
    expect(made).toEqual([0, 0, 12_000]);
  });

  it('sends several changed parameters in one edit', () => {
    courier.setParams(['prompt', 'seed']);
    courier.flush();
    expect(JSON.parse(socket.sent[1] as string)).toMatchObject({ type: 'params', params: { prompt: 'fog', seed: 1 } });
  });
});

describe('the server’s canvas', () => {
  it('takes its place, but for what was drawn since', () => {
    dot(10, 10);
    courier.flush(); // edit 1, in revision 5 already
    courier.accepted(1, 5);
    courier.history('undo', 0); // edit 2
    dot(40, 40, SUN);
    courier.flush(); // edit 3, after the undo
    dot(55, 10, SUN); // not even sent
    courier.adopt(6, new Surface(64, 64, [255, 255, 255]).pixels);
    expect(surface.colorAt(10, 10)).toEqual([255, 255, 255]);
    expect(surface.colorAt(40, 40)).toEqual(SUN);
    expect(surface.colorAt(55, 10)).toEqual(SUN);
    expect(surface.unsent).toMatchObject({ x: 52 });
  });

  it('does not bring back what was cleared since', () => {
    courier.history('undo', 0); // edit 1
    surface.reset();
    courier.clear(0); // edit 2
    dot(40, 40, SUN);
    courier.adopt(1, new Surface(64, 64, [9, 9, 9]).pixels);
    expect(surface.colorAt(10, 10)).toEqual([255, 255, 255]);
    expect(surface.colorAt(40, 40)).toEqual(SUN);
    expect(surface.unsent).toMatchObject({ x: 37, w: 7 });
  });

  it('that is none clears, but for what was drawn since', () => {
    dot(10, 10);
    courier.flush();
    courier.accepted(1, 2);
    courier.adopt(2, null);
    expect(surface.blank).toBe(true);
  });

  it('forgot everything: canvas and parameters go again', () => {
    dot(10, 10);
    courier.flush();
    courier.startAnew({}, ['prompt']);
    courier.flush();
    expect(edits().map((edit) => edit.kind)).toEqual(['tile', 'params', 'canvas']);
  });

  it('forgot a blank canvas: nothing goes', () => {
    courier.startAnew({}, []);
    courier.flush();
    expect(edits()).toEqual([]);
  });
});
