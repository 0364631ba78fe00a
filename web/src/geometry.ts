/** Rectangles of whole pixels, half open: x..x+w, y..y+h. */

export interface Rect {
  x: number;
  y: number;
  w: number;
  h: number;
}

export function union(a: Rect | null, b: Rect | null): Rect | null {
  if (a === null || b === null) return a ?? b;
  const x = Math.min(a.x, b.x);
  const y = Math.min(a.y, b.y);
  return { x, y, w: Math.max(a.x + a.w, b.x + b.w) - x, h: Math.max(a.y + a.h, b.y + b.h) - y };
}

/** The pixels that the box from (left, top) to (right, bottom) touches, inside width × height. */
export function clip(
  left: number, top: number, right: number, bottom: number, width: number, height: number,
): Rect | null {
  const x = Math.max(0, Math.floor(left));
  const y = Math.max(0, Math.floor(top));
  const w = Math.min(width, Math.ceil(right)) - x;
  const h = Math.min(height, Math.ceil(bottom)) - y;
  return w > 0 && h > 0 ? { x, y, w, h } : null;
}
