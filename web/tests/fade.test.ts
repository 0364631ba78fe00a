/** One picture settles into another: in its time, in one place, and at once where nothing may move. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { eased, Fade } from '../src/fade';

interface Drawn { what: unknown; alpha: number; width: number | undefined }

let drawn: Drawn[];
let closed: unknown[];
let element: { width: number; height: number };

const context = {
  globalAlpha: 1,
  drawImage(what: unknown, _x: number, _y: number, width?: number): void {
    drawn.push({ what, alpha: this.globalAlpha, width });
  },
};
const picture = (width = 8): ImageBitmap => {
  const one = { width, height: width, close: () => void closed.push(one) };
  return one as unknown as ImageBitmap;
};
const fade = (ms: number): Fade =>
  new Fade(element as unknown as HTMLCanvasElement, context as unknown as CanvasRenderingContext2D, ms);

beforeEach(() => {
  drawn = [];
  closed = [];
  element = { width: 4, height: 4 };
  vi.stubGlobal('OffscreenCanvas', class {
    getContext = (): object => ({ drawImage: () => undefined });
  });
});
afterEach(() => void vi.unstubAllGlobals());

describe('Fade', () => {
  it('begins with what was there, scaled to the new picture’s pixels, and ends with the new one alone', () => {
    const one = fade(200);
    const to = picture();
    one.begin(to, 1000);
    expect(element).toEqual({ width: 8, height: 8 });
    expect(drawn).toEqual([{ what: expect.anything(), alpha: 1, width: 8 }, { what: to, alpha: 0, width: undefined }]);
    expect(one.step(1100)).toBe(true);
    expect(drawn.at(-1)).toMatchObject({ what: to, alpha: 0.5 });
    drawn = [];
    expect(one.step(1200)).toBe(false);
    expect(drawn).toEqual([{ what: to, alpha: 1, width: undefined }]);
    expect([closed, one.going]).toEqual([[to], false]);
  });

  it('shows more of the new picture in every frame', () => {
    const one = fade(200);
    one.begin(picture(), 0);
    for (let at = 16; at < 200; at += 16) one.step(at);
    const shares = drawn.filter((_, i) => i % 2 === 1).map(({ alpha }) => alpha);
    expect(shares.length).toBeGreaterThan(10);
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
    expect(new Set(shares).size).toBe(shares.length);
  });

  it('is over after its time, however few frames there were', () => {
    const one = fade(200);
    one.begin(picture(), 0);
    expect(one.step(5000)).toBe(false);
    expect(drawn.at(-1)).toMatchObject({ alpha: 1 });
    expect(one.step(5016)).toBe(false);
  });

  it('is no time at all where nothing may move', () => {
    const to = picture();
    fade(0).begin(to, 1000);
    expect(drawn).toEqual([{ what: to, alpha: 1, width: undefined }]);
    expect(closed).toEqual([to]);
  });

  it('gives way to another picture, and can be finished at once', () => {
    const [one, to] = [fade(200), picture()];
    one.begin(to, 0);
    one.stop();
    expect([one.going, one.step(100), closed]).toEqual([false, false, [to]]);
    one.begin(picture(), 200);
    one.finish();
    expect([one.going, drawn.at(-1)!.alpha, closed.length]).toEqual([false, 1, 2]);
  });
});

it('eases: slow, quick, slow', () => {
  expect([eased(-1), eased(0), eased(0.5), eased(1), eased(2)]).toEqual([0, 0, 0.5, 1, 1]);
  expect(eased(0.1)).toBeLessThan(0.1);
  expect(eased(0.9)).toBeGreaterThan(0.9);
});
