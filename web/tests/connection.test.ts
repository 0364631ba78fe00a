import { beforeEach, describe, expect, it } from 'vitest';
import { Connection } from '../src/connection';
import type { ServerMessage } from '../src/protocol';
import { alive, CREDENTIALS, FakeWorld, pictureBytes, Recorder, settle, welcome } from './fakes';

let world: FakeWorld;
let heard: Recorder;
let connection: Connection;
const text = (id: number): string => JSON.stringify({ type: 'clear', id });

beforeEach(() => {
  world = new FakeWorld();
  heard = new Recorder();
  connection = new Connection(world, heard, null, { pictures: false, previews: true });
});

describe('opening', () => {
  it('asks for a session and connects to the server that the page came from', async () => {
    await alive(connection, world);
    expect(world.last.url).toBe('ws://draw.example:8000/v1/session');
    expect(world.last.messages[0]).toMatchObject({ type: 'hello', session: 's1', secret: 'x1', pictures: false });
    expect(world.kept).toEqual({ ...CREDENTIALS, url: 'ws://draw.example:8000/v1/session' });
    expect(heard.welcomes[0]![1]).toBe(true);
  });

  it('goes to the address that came with the session where its own server doesn’t know it', async () => {
    connection.start();
    await settle();
    world.last.open();
    world.last.lose(4404);
    await world.pass(1);
    expect(world.last.url).toBe(CREDENTIALS.url);
    world.last.open();
    expect(world.last.messages[0]).toMatchObject({ session: 's1', secret: 'x1' });
    world.last.lose(4404); // there neither: another session
    await world.pass(1);
    expect(world.asked).toBe(2);
  });

  it('says hello without a session where none can be made yet, and so hears of the warm-up', async () => {
    world.answers = [503];
    connection.start();
    await settle();
    world.last.open();
    expect(world.last.url).toBe('ws://draw.example:8000/v1/session');
    expect(world.last.messages[0]).not.toHaveProperty('session');
    world.last.receive({ type: 'status', state: 'warming', fraction: 0.5 });
    expect(heard.messages).toHaveLength(1);
    expect(connection.isLive).toBe(false);
  });

  it('asks for a token where one is wanted, and uses it', async () => {
    world.answers = [401];
    connection.start();
    await settle();
    expect(heard.downs).toEqual([['unauthorized', null]]);
    expect(world.sockets).toHaveLength(0);
    connection.useToken('t');
    await settle();
    world.last.open();
    expect(world.last.messages[0]).toMatchObject({ token: 't' });
  });

  it('passes on what the server says of a token, asked for by HTTP or on the line', async () => {
    world.answers = [{ status: 401, message: 'the token is wrong' }];
    connection.start();
    await settle();
    expect(heard.words).toBe('the token is wrong');
    connection.useToken('t');
    await settle();
    world.last.open();
    world.last.receive({ type: 'error', code: 'unauthorized', message: 'the token is out of date' });
    world.last.lose(4401);
    expect(heard.downs.at(-1)).toEqual(['unauthorized', null]);
    expect(heard.words).toBe('the token is out of date');
  });

  it('comes back with what the tab remembers, without asking for another session', async () => {
    connection = new Connection(world, heard, CREDENTIALS, { pictures: true, previews: true });
    await alive(connection, world, { resumed: true, revision: 4 });
    expect(world.asked).toBe(0);
    expect(heard.welcomes[0]![1]).toBe(false);
  });
});

describe('a lost line', () => {
  it('is tried again, later and later, with jitter, up to a limit', async () => {
    world.answers = Array.from({ length: 20 }, () => 0);
    connection.start();
    await world.pass(60_000);
    const waits = heard.downs.map(([, seconds]) => seconds!);
    expect(waits.slice(0, 3)).toEqual([0.1875, 0.375, 0.75]);
    expect(Math.max(...waits)).toBeLessThanOrEqual(8);
  });

  it('sends again what was not accepted, in order, and nothing else', async () => {
    const socket = await alive(connection, world);
    for (let i = 0; i < 4; i++) connection.edit(text);
    socket.receive({ type: 'accepted', id: 1, revision: 1, undo: 1, redo: 0 });
    socket.lose();
    expect(heard.downs.at(-1)![0]).toBe('lost');
    expect(connection.edit(text)).toBeNull();
    await world.pass(1000);
    world.last.open();
    world.last.receive(welcome({ resumed: true, revision: 2, last_edit: 2 }));
    expect(world.last.messages.filter((one) => one.type === 'clear')).toEqual([{ type: 'clear', id: 3 }, { type: 'clear', id: 4 }]);
    expect(heard.acceptedEdits).toEqual([[1, 1], [2, 2]]);
    expect(connection.edit(text)).toBe(5);
  });

  it('that a new server forgot: a new session, and nothing old is sent', async () => {
    const socket = await alive(connection, world);
    connection.edit(text);
    socket.lose();
    await world.pass(1000);
    world.last.open();
    world.last.receive({ type: 'error', code: 'wrong_secret', message: 'not yours' });
    world.last.lose(4403);
    expect(world.kept).toBeNull();
    await world.pass(100);
    expect(world.asked).toBe(2);
    world.last.open();
    world.last.receive(welcome({ resumed: true, session: 's2' }));
    expect(heard.welcomes.at(-1)![1]).toBe(true);
    expect(world.last.messages.map((one) => one.type)).toEqual(['hello']);
  });

  it('is noticed when the server falls silent', async () => {
    await alive(connection, world);
    await world.pass(12_000);
    expect(heard.downs[0]).toEqual(['lost', expect.any(Number)]);
  });

  it('is not suspected while pongs come', async () => {
    const socket = await alive(connection, world);
    for (let i = 0; i < 30; i++) {
      await world.pass(1000);
      socket.receive({ type: 'pong', at: world.time - 4, server: world.time + 500 });
    }
    expect(heard.downs).toEqual([]);
    expect(connection.clock.local(1500)).toBeCloseTo(1500 - 500 - 2);
  });

  it('is not suspected in a hidden tab, whose timers run once a minute', async () => {
    const socket = await alive(connection, world);
    socket.answerPings(world);
    await world.pass(3000);
    world.coarse = 60_000;
    await world.pass(600_000);
    expect(heard.downs).toEqual([]);
    expect(world.sockets).toHaveLength(1);
    socket.send = () => undefined; // now it is dead indeed
    await world.pass(180_000);
    expect(heard.downs[0]).toEqual(['lost', expect.any(Number)]);
  });

  it('is not suspected while a long warm-up has nothing to say', async () => {
    world.answers = [503];
    connection.start();
    await settle();
    world.last.answerPings(world);
    world.last.open();
    world.last.receive({ type: 'status', state: 'warming', fraction: 0.1 });
    await world.pass(60_000);
    expect(heard.downs).toEqual([]);
  });
});

describe('the server’s wishes', () => {
  it('draining: it comes back when it was asked to, with the secret', async () => {
    const socket = await alive(connection, world);
    socket.receive({ type: 'draining', session: 's1', secret: 'x9', retry_seconds: 3 });
    socket.lose(1012);
    expect(heard.downs.at(-1)).toEqual(['draining', 3]);
    await world.pass(2900);
    expect(world.sockets).toHaveLength(1);
    await world.pass(200);
    world.last.open();
    expect(world.last.messages[0]).toMatchObject({ session: 's1', secret: 'x9' });
  });

  it('moved: it goes there, with the same session', async () => {
    const socket = await alive(connection, world);
    socket.receive({ type: 'moved', url: 'wss://two.example/v1/session' });
    await world.pass(10);
    world.last.open();
    expect(world.last.url).toBe('wss://two.example/v1/session');
    expect(world.last.messages[0]).toMatchObject({ session: 's1', secret: 'x1' });
  });

  it('moved to something that is no socket is not obeyed', async () => {
    const socket = await alive(connection, world);
    socket.receive({ type: 'moved', url: 'javascript:alert(1)' });
    await world.pass(10);
    expect(world.sockets).toHaveLength(1);
    expect(connection.isLive).toBe(true);
  });

  it('busy: it tries again by itself', async () => {
    connection.start();
    await settle();
    world.last.open();
    world.last.receive({ type: 'error', code: 'busy', message: 'full', retryable: true });
    world.last.lose(1013);
    expect(heard.downs.at(-1)![0]).toBe('busy');
    await world.pass(1000);
    expect(world.sockets).toHaveLength(2);
  });
});

describe('a model that failed', () => {
  const close = async (...said: ServerMessage[]): Promise<void> => {
    connection.start();
    await settle();
    world.last.open();
    for (const message of said) world.last.receive(message);
    world.last.lose(1013);
  };

  it('is no lack of room: its own words, and another try much later', async () => {
    await close({ type: 'error', code: 'not_ready', message: 'the model failed: no weights', retryable: true });
    expect(heard.downs).toEqual([['failed', expect.any(Number)]]);
    expect(heard.downs[0]![1]).toBeGreaterThan(10);
    expect(heard.words).toBe('the model failed: no weights');
    await world.pass(9000);
    expect(world.sockets).toHaveLength(1);
    await world.pass(15_000);
    expect(world.sockets).toHaveLength(2);
  });

  it('is known by the last status as well', async () => {
    await close({ type: 'status', state: 'failed', message: 'the engine has stopped' });
    expect([heard.downs[0]![0], heard.words]).toEqual(['failed', 'the engine has stopped']);
  });
});

describe('flow', () => {
  it('gives a credit back on the line that brought the picture, and on no other', async () => {
    const socket = await alive(connection, world);
    socket.receiveBytes(pictureBytes(500));
    heard.shown[0]!();
    expect(socket.messages.at(-1)).toEqual({ type: 'ack', sequence: 500 });
    socket.lose();
    await world.pass(1000);
    world.last.open();
    world.last.receive(welcome({ resumed: true, revision: 2 }));
    heard.shown[0]!();
    expect(world.last.messages.map((one) => one.type)).toEqual(['hello']);
  });

  it('is not clear while the socket is backed up, or down', async () => {
    expect(connection.clear).toBe(false);
    const socket = await alive(connection, world);
    expect(connection.clear).toBe(true);
    socket.bufferedAmount = 100_000;
    expect(connection.clear).toBe(false);
  });

  it('tells the server what is wanted only when that changes', async () => {
    const socket = await alive(connection, world);
    connection.want({ pictures: true, previews: true });
    connection.want({ pictures: true, previews: true });
    expect(socket.messages.filter((one) => one.type === 'demand')).toHaveLength(1);
  });

  it('tells with the welcome what came to be wanted after the hello', async () => {
    connection.start();
    await settle();
    world.last.open();
    connection.want({ pictures: true, previews: true }); // the person draws while the model loads
    expect(world.last.messages.map((one) => one.type)).toEqual(['hello']);
    world.last.receive(welcome());
    expect(world.last.messages.at(-1)).toEqual({ type: 'demand', pictures: true, previews: true });
    connection.want({ pictures: false, previews: true });
    connection.want({ pictures: true, previews: true });
    world.last.lose();
    await world.pass(10_000);
    world.last.open();
    world.last.receive(welcome());
    expect(world.last.messages.map((one) => one.type)).toEqual(['hello']); // the hello said it
  });

  it('stops for good when told so', async () => {
    await alive(connection, world);
    connection.stop();
    await world.pass(60_000);
    expect(world.sockets).toHaveLength(1);
  });
});
