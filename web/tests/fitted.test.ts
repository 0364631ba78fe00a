import { describe, expect, it } from 'vitest';
import { Asked } from '../src/asked';
import { fitted } from '../src/fitted';
import type { ParameterInfo } from '../src/protocol';

const INFOS: ParameterInfo[] = [
  { name: 'steps', type: 'integer', default: 2, minimum: 1, maximum: 4 },
  { name: 'strength', type: 'number', default: 0.5, minimum: 0, maximum: 1 },
  { name: 'prompt', type: 'string', default: '', max_length: 3 },
  { name: 'size', type: 'string', default: 's', choices: ['s', 'm'] },
  { name: 'tiled', type: 'boolean', default: false },
];

describe('fitted', () => {
  it('leaves what fits as it is', () => {
    const params = { steps: 3, strength: 0.25, prompt: 'fog', size: 'm', tiled: true };
    expect(fitted(params, INFOS)).toEqual(params);
  });
  it('brings numbers into their range, and whole where they have to be', () => {
    expect(fitted({ steps: 8, strength: -2 }, INFOS)).toEqual({ steps: 4, strength: 0 });
    expect(fitted({ steps: 2.4 }, INFOS)).toEqual({ steps: 2 });
  });
  it('cuts a text between characters', () => expect(fitted({ prompt: 'ab🌊🌊' }, INFOS)).toEqual({ prompt: 'ab🌊' }));
  it('leaves out what has another type, no such choice, or no such name', () => {
    expect(fitted({ steps: '3', tiled: 1, size: 'xl', prompt: 4, strength: NaN, more: 1 }, INFOS)).toEqual({});
  });
});

describe('Asked', () => {
  it('lays on a snapshot what came after it, and nothing that is in it', () => {
    const asked = new Asked();
    asked.sent(1, { a: 1 });
    asked.sent(2, { a: 2, b: 2 });
    asked.sent(3, { b: 3 });
    asked.accepted(1, 11);
    asked.accepted(2, 12);
    asked.snapshot(11, { a: 0, b: 0 });
    expect(asked.params).toEqual({ a: 2, b: 3 });
    expect(asked.refused(3)).toBe(true);
    expect(asked.params).toEqual({ a: 2, b: 2 });
    asked.snapshot(12, { a: 5, b: 5 });
    expect(asked.params).toEqual({ a: 5, b: 5 });
    expect(asked.refused(3)).toBe(false);
  });

  it('stays small however long nothing is heard but acceptance', () => {
    const asked = new Asked();
    for (let id = 1; id <= 500; id++) {
      asked.sent(id, { [`p${id % 7}`]: id });
      asked.accepted(id, id);
    }
    expect(Object.values(asked.params).sort()).toEqual([494, 495, 496, 497, 498, 499, 500]);
    expect(asked['edits'].length).toBeLessThan(100);
  });
});
