/** The golden wire files and the generated JSON Schema hold the page's types and codec. */
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import Ajv2020 from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import {
  decodeBinary, decodeText, encodePictureEdit, type ClientMessage, type ServerMessage,
} from '../src/protocol';

const ROOT = resolve(import.meta.dirname, '../..');

interface Golden {
  name: string;
  direction: 'client' | 'server';
  kind: 'text' | 'binary';
  wire: string;
  message: Record<string, unknown>;
}

const golden = readdirSync(resolve(ROOT, 'tests/golden'))
  .filter((name) => name.endsWith('.json'))
  .map((name) => JSON.parse(readFileSync(resolve(ROOT, 'tests/golden', name), 'utf8')) as Golden);

const schema = JSON.parse(readFileSync(resolve(ROOT, 'docs/protocol.schema.json'), 'utf8')) as {
  $defs: Record<string, object>;
};
const ajv = new Ajv2020({ strict: false, discriminator: false, formats: { } });
ajv.addSchema({ ...schema, $id: 'wire' });
const validClient = ajv.compile({ $ref: 'wire#/$defs/ClientMessage' });
const validServer = ajv.compile({ $ref: 'wire#/$defs/ServerMessage' });

const bytes = (hex: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));

describe('golden wire files', () => {
  it('are all read', () => expect(golden.length).toBeGreaterThan(20));

  for (const file of golden.filter((one) => one.direction === 'server' && one.kind === 'text')) {
    it(`decodes ${file.name}`, () => {
      expect(decodeText(file.wire)).toMatchObject(JSON.parse(file.wire) as object);
      expect(validServer(JSON.parse(file.wire))).toBe(true);
    });
  }

  for (const file of golden.filter((one) => one.direction === 'server' && one.kind === 'binary')) {
    it(`decodes ${file.name}`, () => {
      const frame = decodeBinary(bytes(file.wire).buffer);
      const { data, kind, ...head } = file.message;
      expect(frame).toMatchObject(head);
      expect(frame?.data).toEqual(bytes(data as string));
      expect(frame?.kind).toBe(kind === 'PictureFrame' ? 'picture' : 'canvas');
    });
  }

  for (const file of golden.filter((one) => one.direction === 'client' && one.kind === 'binary')) {
    it(`encodes ${file.name}`, () => {
      const { id, group, x, y, tile, data } = file.message as unknown as {
        id: number; group: number; x: number; y: number; tile: boolean; data: string;
      };
      const wire = encodePictureEdit({ id, group, x, y, tile, data: bytes(data) });
      expect(wire).toEqual(bytes(file.wire));
    });
  }
});

/** One value for every message the page sends, with all the fields it ever sets. */
const SENT: Record<ClientMessage['type'], ClientMessage> = {
  hello: {
    type: 'hello', version: 1, client: 'page-1', session: 's', secret: 'x', model: 'scenes', token: 't',
    credits: 2, format: 'jpeg', quality: 80, pictures: false, previews: true,
  },
  params: { type: 'params', id: 1, params: { prompt: 'sunset', seed: 3, strength: 0.5, tiled: true }, group: 7, passing: true },
  clear: { type: 'clear', id: 2, group: 7 },
  undo: { type: 'undo', id: 3 },
  redo: { type: 'redo', id: 4 },
  demand: { type: 'demand', pictures: true, previews: true },
  ack: { type: 'ack', sequence: 9 },
  ping: { type: 'ping', at: 12.5 },
  end: { type: 'end' },
};

/** The server's types that the page handles; a type missing here doesn't compile. */
const HANDLED: Record<ServerMessage['type'], true> = {
  welcome: true, accepted: true, state: true, error: true, status: true, draining: true,
  moved: true, pong: true, ended: true,
};

describe('the generated schema', () => {
  for (const message of Object.values(SENT)) {
    it(`allows what the page sends as ${message.type}`, () => {
      validClient(message);
      expect(validClient.errors ?? []).toEqual([]);
    });
  }

  it('knows exactly the types that the page knows', () => {
    const types = (side: string): string[] =>
      Object.keys((schema.$defs[side] as { discriminator: { mapping: object } }).discriminator.mapping).sort();
    expect(types('ClientMessage')).toEqual(Object.keys(SENT).sort());
    expect(types('ServerMessage')).toEqual(Object.keys(HANDLED).sort());
  });

  it('refuses a misspelt field, so that this test can fail', () => {
    expect(validClient({ type: 'ack', sequense: 9 })).toBe(false);
  });

  it('has every field that the page reads of each server message', () => {
    for (const file of golden.filter((one) => one.direction === 'server' && one.kind === 'text')) {
      const name = { draining: 'DrainingNotice' }[file.message['type'] as string] ??
        String(file.message['type']).replace(/^./, (letter) => letter.toUpperCase());
      const definition = schema.$defs[name] as { properties: Record<string, object> };
      for (const field of Object.keys(file.message)) expect(definition.properties).toHaveProperty(field);
    }
  });
});

describe('what isn’t the protocol', () => {
  it('is ignored', () => {
    expect(decodeText('{')).toBeNull();
    expect(decodeText('null')).toBeNull();
    expect(decodeText('{"type":"novel"}')).toBeNull();
    expect(decodeBinary(new ArrayBuffer(3))).toBeNull();
    expect(decodeBinary(bytes('0110000101').buffer)).toBeNull();
    expect(decodeBinary(bytes(`0210${'00'.repeat(80)}`).buffer)).toBeNull();
    expect(decodeBinary(bytes(`0163${'01'.repeat(80)}`).buffer)).toBeNull();
  });
});
