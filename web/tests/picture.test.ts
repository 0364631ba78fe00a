import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PicturePainter } from '../src/picture';
import type { PictureFrame } from '../src/protocol';
import { settle } from './fakes';

let decoding: Array<(bitmap: ImageBitmap) => void>;
let acknowledged: number[];
let painted: number[];
let painter: PicturePainter;
let element: HTMLCanvasElement;

function frame(sequence: number, revision: number, step = 1): PictureFrame {
  return {
    kind: 'picture', track: 0, step, steps: 2, sequence, revision, job: revision, width: 2, height: 2, pts: 0,
    received: 0, sent: 0, times: { queue: 0, begin: 0, step: 0, decode: 0, wait: 0, encode: 0 },
    format: 'jpeg', final: step === 2, replay: false, data: new Uint8Array(1),
  };
}

const done = async (width = 2): Promise<void> => {
  decoding.shift()!({ width, height: width, close: () => undefined } as unknown as ImageBitmap);
  await settle();
};

const offer = (one: PictureFrame): void => painter.offer(one, 0, () => void acknowledged.push(one.sequence));

beforeEach(() => {
  vi.stubGlobal('document', { hidden: false });
  decoding = [];
  acknowledged = [];
  painted = [];
  const context = { drawImage: () => undefined, fillRect: () => undefined };
  element = { width: 2, height: 2, getContext: () => context } as unknown as HTMLCanvasElement;
  const note = ({ frame: { sequence } }: { frame: PictureFrame }): void => void painted.push(sequence);
  painter = new PicturePainter(element, note, () => undefined, 200, () => new Promise((resolve) => decoding.push(resolve)));
});
afterEach(() => void vi.unstubAllGlobals());

describe('PicturePainter', () => {
  it('acknowledges what it painted, when it painted it', async () => {
    offer(frame(1, 1));
    await done();
    expect(acknowledged).toEqual([]);
    painter.paint(0);
    expect([acknowledged, painted]).toEqual([[1], [1]]);
  });

  it('decodes only the newest of those that wait', async () => {
    for (let n = 1; n <= 4; n++) offer(frame(n, n));
    expect(decoding).toHaveLength(1);
    await done();
    await done();
    painter.paint(0);
    expect([painted, painter.drops]).toEqual([[4], 3]);
  });

  it('drops what is older than what it has', async () => {
    offer(frame(1, 5));
    await done();
    painter.paint(0);
    offer(frame(2, 4));
    expect(decoding).toHaveLength(0);
    expect(acknowledged).toEqual([1, 2]);
    offer(frame(3, 5, 2));
    expect(decoding).toHaveLength(1);
  });

  it('never shows a picture of a former session', async () => {
    offer(frame(1, 9));
    painter.reset();
    await done();
    painter.paint(0);
    expect(painted).toEqual([]);
    offer(frame(1, 1));
    await done();
    painter.paint(0);
    expect(painted).toEqual([1]);
  });

  it('gives the credit back in a hidden tab, which paints nothing', () => {
    vi.stubGlobal('document', { hidden: true });
    offer(frame(1, 1));
    expect(acknowledged).toEqual([1]);
  });

  it('lets one settle into what is shown, and the next small one end that at once', async () => {
    vi.stubGlobal('OffscreenCanvas', class {
      getContext = (): object => ({ drawImage: () => undefined });
    });
    offer(frame(1, 1));
    await done();
    expect(painter.paint(0)).toBe(false);
    painter.offer({ ...frame(2, 2), width: 4 }, 0, () => void acknowledged.push(2), true);
    await done(4);
    expect([painter.paint(100), acknowledged, element.width]).toEqual([true, [1, 2], 4]);
    expect(painter.paint(150)).toBe(true);
    offer(frame(3, 3));
    await done();
    expect([painter.paint(160), painter.fading, element.width]).toEqual([false, false, 2]);
  });

  it('has nothing to settle into before the first', async () => {
    painter.offer(frame(1, 1), 0, () => undefined, true);
    await done();
    expect([painter.paint(0), painted]).toEqual([false, [1]]);
  });
});
