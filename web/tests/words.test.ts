import { describe, expect, it } from 'vitest';
import { has, suggestion, toggle, understood } from '../src/words';

const TIME = { name: 'time', words: ['day', 'sunset', 'night'], synonyms: ['dusk', 'golden hour'] };
const SEASON = { name: 'season', words: ['winter', 'autumn'], synonyms: ['fall'] };
const words = (text: string): string[] =>
  understood(text, [TIME, SEASON]).map(({ start, end }) => text.slice(start, end));

describe('understood', () => {
  it('finds words and synonyms, in any case', () => {
    expect(words('A Winter landscape at golden  hour')).toEqual(['Winter', 'golden  hour']);
  });
  it('does not find them inside of others', () => expect(words('waterfall, holiday, midnight')).toEqual([]));
  it('takes the longer of two', () => {
    const group = { name: 'time', words: ['night', 'starry night'] };
    expect(understood('starry night', [group])).toHaveLength(1);
  });
  it('survives words that look like patterns', () => {
    expect(understood('c++ (x)', [{ name: 'odd', words: ['c++', '(x)'] }]).length).toBeGreaterThan(0);
  });
});

describe('toggle', () => {
  it('adds a word', () => expect(toggle('my house', 'sunset', TIME)).toBe('my house, sunset'));
  it('replaces its group’s other words, synonyms too', () => {
    expect(toggle('dusk, winter', 'night', TIME)).toBe('winter, night');
  });
  it('takes it away again', () => expect(toggle('winter, night', 'night', TIME)).toBe('winter'));
  it('knows what is on', () => {
    expect(has('winter, night', 'night')).toBe(true);
    expect(has('midnight', 'night')).toBe(false);
  });
});

describe('suggestion', () => {
  it('is made of the model’s own words', () => {
    expect(suggestion([TIME, { name: 'empty', words: [] }, SEASON])).toBe('Say what it should be, e.g. night, autumn');
  });
  it('names no words where the model has none of its own', () => {
    expect(suggestion([])).toBe('Say what it should be');
  });
});
