/**
 * The canvas that the model is given: flat pixels of exactly its input's size.
 *
 * Role: the one copy of what the person drew; tools write here, the courier reads what changed.
 * Invariants: every pixel is opaque, shapes have hard edges (a material has one colour, and a
 * blended edge would be none). It does not know the screen, the pen or the server.
 */

import { connected } from './fill';
import { clip, union, type Rect } from './geometry';
import type { RGB } from './protocol';

export function packed([r, g, b]: RGB): number {
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

export function unpacked(color: number): RGB {
  return [color & 0xff, (color >>> 8) & 0xff, (color >>> 16) & 0xff];
}

export class Surface {
  readonly pixels: Uint32Array<ArrayBuffer>;
  readonly background: number;
  /** What the server hasn't been sent. */
  unsent: Rect | null = null;
  /** What the screen hasn't been shown. */
  unshown: Rect | null;

  constructor(readonly width: number, readonly height: number, background: RGB) {
    this.background = packed(background);
    this.pixels = new Uint32Array(width * height).fill(this.background);
    this.unshown = this.whole;
  }

  get whole(): Rect {
    return { x: 0, y: 0, w: this.width, h: this.height };
  }

  get blank(): boolean {
    return this.pixels.every((pixel) => pixel === this.background);
  }

  /** A thick line with round ends, from radius r0 to radius r1. */
  capsule(x0: number, y0: number, r0: number, x1: number, y1: number, r1: number, color: RGB): void {
    const reach = Math.max(r0, r1);
    const box = clip(
      Math.min(x0, x1) - reach, Math.min(y0, y1) - reach,
      Math.max(x0, x1) + reach + 1, Math.max(y0, y1) + reach + 1, this.width, this.height,
    );
    if (box === null) return;
    const [dx, dy, value] = [x1 - x0, y1 - y0, packed(color)];
    const length2 = dx * dx + dy * dy;
    for (let y = box.y; y < box.y + box.h; y++) {
      for (let x = box.x; x < box.x + box.w; x++) {
        const [px, py] = [x + 0.5 - x0, y + 0.5 - y0];
        const along = length2 === 0 ? 0 : Math.min(1, Math.max(0, (px * dx + py * dy) / length2));
        const [ex, ey, r] = [px - along * dx, py - along * dy, r0 + along * (r1 - r0)];
        if (ex * ex + ey * ey <= r * r) this.pixels[y * this.width + x] = value;
      }
    }
    this.touch(box);
  }

  /** Fill the area around (x, y); the mask of the pixels that changed, or null if none did. */
  fill(x: number, y: number, color: RGB): Uint8Array | null {
    const value = packed(color);
    const [column, row] = [Math.floor(x), Math.floor(y)];
    if (column < 0 || row < 0 || column >= this.width || row >= this.height) return null;
    if (this.pixels[row * this.width + column] === value) return null;
    const mask = connected(this.pixels, this.width, this.height, column, row);
    mask.forEach((inside, at) => {
      if (inside === 1) this.pixels[at] = value;
    });
    this.touch(this.bounds(mask));
    return mask;
  }

  colorAt(x: number, y: number): RGB | null {
    const [column, row] = [Math.floor(x), Math.floor(y)];
    const inside = column >= 0 && row >= 0 && column < this.width && row < this.height;
    return inside ? unpacked(this.pixels[row * this.width + column]!) : null;
  }

  reset(): void {
    this.pixels.fill(this.background);
    this.touch(this.whole);
  }

  /** Put a picture over the whole canvas; transparent pixels count as the background. */
  replace(pixels: Uint32Array): void {
    for (let i = 0; i < this.pixels.length; i++) {
      const pixel = pixels[i]!;
      this.pixels[i] = pixel >>> 24 < 128 ? this.background : (pixel | 0xff000000) >>> 0;
    }
    this.touch(this.whole);
  }

  /** A copy of the pixels in `rect`. */
  copy(rect: Rect): Uint32Array<ArrayBuffer> {
    const out = new Uint32Array(rect.w * rect.h);
    for (let row = 0; row < rect.h; row++) {
      const from = (rect.y + row) * this.width + rect.x;
      out.set(this.pixels.subarray(from, from + rect.w), row * rect.w);
    }
    return out;
  }

  /** Put back what `copy` gave. */
  blit(rect: Rect, pixels: Uint32Array): void {
    for (let row = 0; row < rect.h; row++) {
      const at = row * rect.w;
      this.pixels.set(pixels.subarray(at, at + rect.w), (rect.y + row) * this.width + rect.x);
    }
    this.unshown = union(this.unshown, rect);
  }

  /** The same drawing at another size, for a model that takes another input. */
  resized(width: number, height: number, background: RGB): Surface {
    const out = new Surface(width, height, background);
    if (this.blank) return out;
    for (let y = 0; y < height; y++) {
      const row = Math.floor((y * this.height) / height) * this.width;
      for (let x = 0; x < width; x++) {
        const pixel = this.pixels[row + Math.floor((x * this.width) / width)]!;
        out.pixels[y * width + x] = pixel === this.background ? out.background : pixel;
      }
    }
    return out;
  }

  private touch(rect: Rect | null): void {
    this.unsent = union(this.unsent, rect);
    this.unshown = union(this.unshown, rect);
  }

  private bounds(mask: Uint8Array): Rect | null {
    let box: Rect | null = null;
    for (let y = 0; y < this.height; y++) {
      const row = mask.subarray(y * this.width, (y + 1) * this.width);
      const left = row.indexOf(1);
      if (left < 0) continue;
      box = union(box, { x: left, y, w: row.lastIndexOf(1) + 1 - left, h: 1 });
    }
    return box;
  }
}
