import { inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { encodePng, readText, withText, zlib } from '../src/png';

const RED = 0xff0000ff;
const SKY = 0xffebaf6e;

function chunks(png: Uint8Array): Map<string, Buffer> {
  const out = new Map<string, Buffer>();
  const data = Buffer.from(png);
  for (let at = 8; at < data.length; at += 12 + data.readUInt32BE(at)) {
    out.set(data.toString('latin1', at + 4, at + 8), data.subarray(at + 8, at + 8 + data.readUInt32BE(at)));
  }
  return out;
}

/** The pixels of one of our own PNGs, by node's zlib and filter "up". */
function decode(png: Uint8Array, width: number, height: number): number[][] {
  const parts = chunks(png);
  const indexed = parts.get('IHDR')![9] === 3;
  const stride = width * (indexed ? 1 : 3);
  const raw = inflateSync(parts.get('IDAT')!);
  const rows: number[][] = [];
  for (let y = 0; y < height; y++) {
    const line = [...raw.subarray(y * (stride + 1) + 1, (y + 1) * (stride + 1))];
    expect(raw[y * (stride + 1)]).toBe(2);
    rows.push(line.map((byte, x) => (byte + (rows[y - 1]?.[x] ?? 0)) & 255));
  }
  const flat = rows.flat();
  const palette = parts.get('PLTE');
  return Array.from({ length: width * height }, (_, i) =>
    indexed ? [...palette!.subarray(flat[i]! * 3, flat[i]! * 3 + 3)] : flat.slice(i * 3, i * 3 + 3),
  );
}

describe('zlib', () => {
  it('gives back every length of run', () => {
    for (const run of [1, 2, 3, 4, 10, 11, 57, 130, 226, 227, 257, 258, 259, 260, 1000]) {
      const data = Uint8Array.from({ length: run + 3 }, (_, i) => (i === 0 || i > run ? 200 + i : 7));
      expect(new Uint8Array(inflateSync(zlib(data)))).toEqual(data);
    }
  });

  it('gives back noise of every byte', () => {
    const data = Uint8Array.from({ length: 5000 }, (_, i) => (i * 193 + (i >> 3) * 31) & 255);
    expect(new Uint8Array(inflateSync(zlib(data)))).toEqual(data);
  });
});

describe('encodePng', () => {
  it('keeps flat materials as a palette, small', () => {
    const pixels = new Uint32Array(256 * 256).fill(SKY);
    pixels.fill(RED, 256 * 100 + 20, 256 * 100 + 90);
    const png = encodePng(pixels, 256, 256);
    expect(png.length).toBeLessThan(1500);
    const out = decode(png, 256, 256);
    expect(out[0]).toEqual([110, 175, 235]);
    expect(out[256 * 100 + 20]).toEqual([255, 0, 0]);
    expect(out[256 * 100 + 90]).toEqual([110, 175, 235]);
  });

  it('keeps more than 256 colours exactly', () => {
    const pixels = Uint32Array.from({ length: 400 }, (_, i) => (0xff000000 | (i * 7919)) >>> 0);
    const out = decode(encodePng(pixels, 20, 20), 20, 20);
    expect(out).toEqual([...pixels].map((p) => [p & 255, (p >>> 8) & 255, (p >>> 16) & 255]));
  });
});

describe('text in a PNG', () => {
  const png = encodePng(new Uint32Array(4).fill(RED), 2, 2);

  it('comes back, umlauts too', () => {
    const text = JSON.stringify({ prompt: 'Dämmerung, 雪' });
    expect(readText(withText(png, 'riverrun', text), 'riverrun')).toBe(text);
  });

  it('is null elsewhere: another key, no text, no PNG, a PNG cut short', () => {
    expect(readText(withText(png, 'other', 'x'), 'riverrun')).toBeNull();
    expect(readText(png, 'riverrun')).toBeNull();
    expect(readText(Uint8Array.of(1, 2, 3), 'riverrun')).toBeNull();
    expect(readText(withText(png, 'riverrun', 'x').subarray(0, 60), 'riverrun')).toBeNull();
  });
});
