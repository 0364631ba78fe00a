/**
 * A small synchronous PNG writer, and text chunks for any PNG.
 *
 * Role: a canvas tile becomes bytes within the same frame, so edits keep their order without a
 * queue of encoders. Flat materials are palette pictures whose rows mostly repeat, so filter "up"
 * plus runs under fixed Huffman codes makes a 256² canvas a kilobyte or two in well under 1 ms.
 * It does not know canvases or sockets: RGBA pixels in, bytes out.
 */

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

function crc32(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of bytes) c = CRC_TABLE[(c ^ byte) & 0xff]! ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

function adler32(bytes: Uint8Array): number {
  let a = 1;
  let b = 0;
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(at + 3800, bytes.length); // the sums stay below 2**31 for so many bytes
    for (; at < end; at++) {
      a += bytes[at]!;
      b += a;
    }
    a %= 65521;
    b %= 65521;
  }
  return ((b << 16) | a) >>> 0;
}

/** Deflate's lengths 3..258 as [symbol, extra bits, value of the extra bits], RFC 1951 3.2.5. */
const LENGTHS: ReadonlyArray<readonly [number, number, number]> = (() => {
  const table: Array<readonly [number, number, number]> = [];
  let length = 3;
  for (let symbol = 257; symbol < 285; symbol++) {
    const extra = symbol < 265 ? 0 : (symbol - 261) >> 2;
    for (let value = 0; value < 1 << extra && length < 258; value++) {
      table[length++] = [symbol, extra, value];
    }
  }
  table[258] = [285, 0, 0];
  return table;
})();

function reversed(code: number, bits: number): number {
  let out = 0;
  for (let i = 0; i < bits; i++) out |= ((code >> i) & 1) << (bits - 1 - i);
  return out;
}

/** Fixed Huffman codes, bit-reversed as the stream wants them: [code, bits] by symbol. */
const FIXED: ReadonlyArray<readonly [number, number]> = Array.from({ length: 286 }, (_, s) => {
  if (s < 144) return [reversed(0x30 + s, 8), 8] as const;
  if (s < 256) return [reversed(0x190 + s - 144, 9), 9] as const;
  if (s < 280) return [reversed(s - 256, 7), 7] as const;
  return [reversed(0xc0 + s - 280, 8), 8] as const;
});

class Bits {
  private out: Uint8Array<ArrayBuffer>;
  private size = 0;
  private hold = 0;
  private held = 0;

  constructor(capacity: number) {
    this.out = new Uint8Array(capacity);
  }

  put(value: number, bits: number): void {
    this.hold |= value << this.held;
    this.held += bits;
    while (this.held >= 8) {
      this.out[this.size++] = this.hold & 0xff;
      this.hold >>>= 8;
      this.held -= 8;
    }
  }

  symbol(symbol: number): void {
    const [code, bits] = FIXED[symbol]!;
    this.put(code, bits);
  }

  bytes(): Uint8Array<ArrayBuffer> {
    if (this.held > 0) this.put(0, 8 - this.held);
    return this.out.subarray(0, this.size);
  }
}

/** A zlib stream of `data`: literals, and runs of the byte before (distance 1). */
export function zlib(data: Uint8Array): Uint8Array<ArrayBuffer> {
  const bits = new Bits(Math.ceil((data.length * 9) / 8) + 16);
  bits.put(0x78, 8);
  bits.put(0x01, 8);
  bits.put(3, 3); // the last block, fixed codes
  for (let at = 0; at < data.length; ) {
    const byte = data[at]!;
    let run = 0;
    if (at > 0 && byte === data[at - 1]) {
      while (run < 258 && at + run < data.length && data[at + run] === byte) run++;
    }
    if (run < 3) {
      bits.symbol(byte);
      at++;
      continue;
    }
    const [symbol, extra, value] = LENGTHS[run]!;
    bits.symbol(symbol);
    if (extra > 0) bits.put(value, extra);
    bits.put(0, 5); // distance 1
    at += run;
  }
  bits.symbol(256);
  const body = bits.bytes();
  const out = new Uint8Array(body.length + 4);
  out.set(body);
  new DataView(out.buffer).setUint32(body.length, adler32(data));
  return out;
}

function chunk(type: string, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(12 + data.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) out[4 + i] = type.charCodeAt(i);
  out.set(data, 8);
  view.setUint32(8 + data.length, crc32(out.subarray(4, 8 + data.length)));
  return out;
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Opaque pixels (one 0xAABBGGRR a pixel, row by row) as a PNG: by palette where 256 colours do. */
export function encodePng(pixels: Uint32Array, width: number, height: number): Uint8Array<ArrayBuffer> {
  const indexed = indexPixels(pixels);
  const channels = indexed ? 1 : 3;
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header[8] = 8;
  header[9] = indexed ? 3 : 2;
  const raw = indexed ? indexed.indices : rgbBytes(pixels);
  const parts = [SIGNATURE, chunk('IHDR', header)];
  if (indexed) parts.push(chunk('PLTE', rgbBytes(Uint32Array.from(indexed.colors))));
  parts.push(chunk('IDAT', zlib(filterUp(raw, width * channels, height))), chunk('IEND', new Uint8Array(0)));
  return joined(parts);
}

function indexPixels(pixels: Uint32Array): { indices: Uint8Array; colors: number[] } | null {
  const colors: number[] = [];
  const places = new Map<number, number>();
  const indices = new Uint8Array(pixels.length);
  let last = -1;
  let lastPlace = 0;
  for (let i = 0; i < pixels.length; i++) {
    const color = pixels[i]!;
    if (color !== last) {
      let place = places.get(color);
      if (place === undefined) {
        if (colors.length === 256) return null;
        place = colors.push(color) - 1;
        places.set(color, place);
      }
      last = color;
      lastPlace = place;
    }
    indices[i] = lastPlace;
  }
  return { indices, colors };
}

function rgbBytes(pixels: Uint32Array): Uint8Array {
  const out = new Uint8Array(pixels.length * 3);
  for (let i = 0, at = 0; i < pixels.length; i++) {
    const color = pixels[i]!;
    out[at++] = color & 0xff;
    out[at++] = (color >>> 8) & 0xff;
    out[at++] = (color >>> 16) & 0xff;
  }
  return out;
}

function filterUp(raw: Uint8Array, stride: number, height: number): Uint8Array {
  const out = new Uint8Array((stride + 1) * height);
  for (let y = 0; y < height; y++) {
    const from = y * stride;
    const to = y * (stride + 1);
    out[to] = 2;
    for (let x = 0; x < stride; x++) {
      const above = y === 0 ? 0 : raw[from - stride + x]!;
      out[to + 1 + x] = (raw[from + x]! - above) & 0xff;
    }
  }
  return out;
}

/** `png` with an iTXt chunk before its end. */
export function withText(png: Uint8Array, keyword: string, text: string): Uint8Array<ArrayBuffer> {
  const key = new TextEncoder().encode(keyword);
  const body = joined([key, new Uint8Array(5), new TextEncoder().encode(text)]);
  const end = png.length - 12;
  return joined([png.subarray(0, end), chunk('iTXt', body), png.subarray(end)]);
}

/** The text under `keyword` in a PNG's iTXt or tEXt chunks, or null (also for what isn't a PNG). */
export function readText(png: Uint8Array, keyword: string): string | null {
  if (png.length < 20 || SIGNATURE.some((byte, i) => png[i] !== byte)) return null;
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  for (let at = 8; at + 12 <= png.length; ) {
    const size = view.getUint32(at);
    const type = String.fromCharCode(...png.subarray(at + 4, at + 8));
    const data = png.subarray(at + 8, Math.min(at + 8 + size, png.length));
    if (type === 'iTXt' || type === 'tEXt') {
      const text = chunkText(data, type, keyword);
      if (text !== null) return text;
    }
    at += 12 + size;
  }
  return null;
}

function chunkText(data: Uint8Array, type: string, keyword: string): string | null {
  const end = data.indexOf(0);
  if (end < 0 || new TextDecoder('latin1').decode(data.subarray(0, end)) !== keyword) return null;
  if (type === 'tEXt') return new TextDecoder('latin1').decode(data.subarray(end + 1));
  if (data[end + 1] !== 0) return null; // compressed text isn't ours
  const language = data.indexOf(0, end + 3);
  const start = language < 0 ? -1 : data.indexOf(0, language + 1) + 1;
  return start <= 0 ? null : new TextDecoder().decode(data.subarray(start));
}
