import { describe, expect, it } from 'vitest';
import { packed, Surface, unpacked } from '../src/canvas';
import { connected } from '../src/fill';

const WHITE = [255, 255, 255] as const;
const TREE = [30, 90, 50] as const;
const SUN = [255, 215, 70] as const;

function sent(surface: Surface): Surface {
  surface.unsent = null;
  return surface;
}

describe('Surface', () => {
  it('draws lines with hard edges and marks only what changed', () => {
    const surface = sent(new Surface(64, 64, WHITE));
    surface.capsule(20, 20, 4, 40, 20, 4, TREE);
    expect(surface.colorAt(30, 20)).toEqual(TREE);
    expect(surface.colorAt(30, 23)).toEqual(TREE);
    expect(surface.colorAt(30, 26)).toEqual(WHITE);
    expect(new Set(surface.pixels).size).toBe(2);
    const { x, y, w, h } = surface.unsent!;
    expect([x >= 15, y >= 15, x + w <= 46, y + h <= 26]).toEqual([true, true, true, true]);
  });

  it('is untouched by what lies outside', () => {
    const surface = sent(new Surface(32, 32, WHITE));
    surface.capsule(-40, -40, 5, -20, -20, 5, TREE);
    expect(surface.fill(40, 3, TREE)).toBeNull();
    expect(surface.unsent).toBeNull();
    expect(surface.blank).toBe(true);
  });

  it('fills up to a line, and reports where', () => {
    const surface = new Surface(32, 32, WHITE);
    surface.capsule(0, 16, 1, 32, 16, 1, TREE);
    sent(surface);
    const mask = surface.fill(3, 3, SUN)!;
    expect(surface.colorAt(31, 0)).toEqual(SUN);
    expect(surface.colorAt(3, 30)).toEqual(WHITE);
    expect(mask[0]).toBe(1);
    expect(surface.unsent!.h).toBeLessThan(20);
    expect(surface.fill(3, 3, SUN)).toBeNull();
  });

  it('copies and puts back', () => {
    const surface = new Surface(16, 16, WHITE);
    surface.capsule(8, 8, 3, 8, 8, 3, TREE);
    const rect = { x: 4, y: 4, w: 8, h: 8 };
    const kept = surface.copy(rect);
    surface.reset();
    surface.blit(rect, kept);
    expect(surface.colorAt(8, 8)).toEqual(TREE);
  });

  it('takes transparent pixels as bare paper', () => {
    const surface = new Surface(2, 1, WHITE);
    surface.replace(Uint32Array.of(0x00112233, packed(SUN)));
    expect([surface.colorAt(0, 0), surface.colorAt(1, 0)]).toEqual([WHITE, SUN]);
  });

  it('moves to another size and paper', () => {
    const surface = new Surface(8, 8, WHITE);
    surface.capsule(2, 2, 2, 2, 2, 2, TREE);
    const larger = surface.resized(16, 16, [0, 0, 0]);
    expect(larger.colorAt(4, 4)).toEqual(TREE);
    expect(larger.colorAt(14, 14)).toEqual([0, 0, 0]);
  });
});

it('packs and unpacks colours', () => expect(unpacked(packed(SUN))).toEqual(SUN));

it('fills a spiral without leaving it', () => {
  const map = ['00000', '11110', '00010', '01110', '00000'].join('');
  const mask = connected(Uint32Array.from(map, Number), 5, 5, 0, 0);
  expect([...mask].filter(Boolean).length).toBe([...map].filter((c) => c === '0').length);
  const walls = connected(Uint32Array.from('01010', Number), 5, 1, 0, 0);
  expect([...walls]).toEqual([1, 0, 0, 0, 0]);
});
