/**
 * The painting as a PNG that knows how it was made, and the way back.
 *
 * Role: an iTXt chunk `riverrun` holds JSON: model, parameters, and the canvas as a PNG; a saved
 * painting dropped on the page brings all of it back.
 */

import { unpacked } from './canvas';
import { encodePng, readText, withText } from './png';
import type { Params, ParamValue } from './protocol';
import type { Snapshot } from './studio';

const KEYWORD = 'riverrun';

interface Recipe {
  version: 1;
  model: string;
  params: Params;
  canvas: string;
}

export function toDataUrl(png: Uint8Array): string {
  let text = '';
  for (const byte of png) text += String.fromCharCode(byte);
  return `data:image/png;base64,${btoa(text)}`;
}

/** The bytes of a data URL; throws where it holds no base64. */
export function fromDataUrl(url: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(url.slice(url.indexOf(',') + 1)), (letter) => letter.charCodeAt(0));
}

/** The PNG bytes of `picture` with its recipe inside. */
export async function withRecipe(
  picture: HTMLCanvasElement, snapshot: Snapshot, model: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const blob = await new Promise<Blob | null>((done) => picture.toBlob(done, 'image/png'));
  if (blob === null) throw new Error('the painting could not be encoded');
  const png = new Uint8Array(await blob.arrayBuffer());
  const canvas = encodePng(snapshot.pixels, snapshot.width, snapshot.height);
  const recipe: Recipe = {
    version: 1, model, params: snapshot.params, canvas: toDataUrl(canvas),
  };
  return withText(png, KEYWORD, JSON.stringify(recipe));
}

/** The recipe in a saved painting: its parameters and the canvas's PNG; null for other pictures. */
export function readRecipe(png: Uint8Array): { params: Params; canvas: Uint8Array<ArrayBuffer> } | null {
  const text = readText(png, KEYWORD);
  if (text === null) return null;
  try {
    const recipe = JSON.parse(text) as Partial<Recipe> | null;
    if (typeof recipe?.canvas !== 'string' || typeof recipe.params !== 'object') return null;
    return { params: plain(recipe.params), canvas: fromDataUrl(recipe.canvas) };
  } catch {
    return null; // somebody else's text under our name: it's just a picture
  }
}

function plain(params: object): Params {
  const ok = (value: unknown): value is ParamValue => ['string', 'number', 'boolean'].includes(typeof value);
  return Object.fromEntries(Object.entries(params).filter((entry): entry is [string, ParamValue] => ok(entry[1])));
}

export function download(bytes: Uint8Array<ArrayBuffer>, name: string): void {
  const url = URL.createObjectURL(new Blob([bytes], { type: 'image/png' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export function fileName(params: Params, now: Date): string {
  const words = String(params['prompt'] ?? '').toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-|-$/g, '');
  const stamp = now.toISOString().slice(0, 19).replace(/[T:]/g, '-');
  return `riverrun-${words === '' ? '' : `${words.slice(0, 40)}-`}${stamp}.png`;
}

/** The pixels of a picture, scaled to cover width × height; with `palette`, snapped to its colours. */
export async function pixelsOf(
  source: Blob, width: number, height: number, palette: readonly number[] = [],
): Promise<Uint32Array> {
  const bitmap = await createImageBitmap(source);
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d', { willReadFrequently: true })!;
  const scale = Math.max(width / bitmap.width, height / bitmap.height);
  const [w, h] = [bitmap.width * scale, bitmap.height * scale];
  context.imageSmoothingEnabled = scale !== 1;
  context.drawImage(bitmap, (width - w) / 2, (height - h) / 2, w, h);
  bitmap.close();
  const pixels = new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);
  return palette.length === 0 ? pixels : snapped(pixels, palette);
}

/** Each pixel as the palette's nearest colour: materials have one colour each. */
export function snapped(pixels: Uint32Array, palette: readonly number[]): Uint32Array {
  const colors = palette.map((color) => unpacked(color));
  const memo = new Map<number, number>();
  return pixels.map((pixel) => {
    const known = memo.get(pixel);
    if (known !== undefined) return known;
    const [r, g, b] = unpacked(pixel);
    let best = 0;
    let least = Infinity;
    colors.forEach(([x, y, z], index) => {
      const distance = (r - x) ** 2 + (g - y) ** 2 + (b - z) ** 2;
      if (distance < least) [least, best] = [distance, index];
    });
    const value = pixel >>> 24 < 128 ? pixel : palette[best]!;
    memo.set(pixel, value);
    return value;
  });
}
