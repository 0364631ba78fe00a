/** Flood fill over flat pixels: which pixels hang together with one, by equal colour. */

/** 1 where a pixel is 4-connected to (x, y) through pixels of its colour, row by row. */
export function connected(
  pixels: Uint32Array, width: number, height: number, x: number, y: number,
): Uint8Array {
  const mask = new Uint8Array(pixels.length);
  const target = pixels[y * width + x];
  const stack: number[] = [y * width + x];
  while (stack.length > 0) {
    const seed = stack.pop()!;
    if (mask[seed] === 1) continue;
    const row = seed - (seed % width);
    let left = seed;
    let right = seed;
    while (left > row && pixels[left - 1] === target && mask[left - 1] === 0) left--;
    while (right < row + width - 1 && pixels[right + 1] === target && mask[right + 1] === 0) right++;
    mask.fill(1, left, right + 1);
    if (row > 0) push(stack, pixels, mask, target!, left - width, right - width);
    if (row < (height - 1) * width) push(stack, pixels, mask, target!, left + width, right + width);
  }
  return mask;
}

/** One seed for each run of open pixels in the row from `left` to `right`. */
function push(
  stack: number[], pixels: Uint32Array, mask: Uint8Array, target: number, left: number, right: number,
): void {
  let inside = false;
  for (let at = left; at <= right; at++) {
    const open = pixels[at] === target && mask[at] === 0;
    if (open && !inside) stack.push(at);
    inside = open;
  }
}
