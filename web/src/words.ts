/**
 * Which words of a prompt the model certainly understands, and how a chip changes the prompt.
 * Pure: text and the model's vocabulary in, text and ranges out.
 */

import type { WordGroupInfo } from './protocol';

export interface Span {
  start: number;
  end: number;
  group: string;
}

function escaped(word: string): string {
  return word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/\s+/g, '\\s+');
}

function pattern(words: readonly string[]): RegExp | null {
  if (words.length === 0) return null;
  const longestFirst = [...words].sort((a, b) => b.length - a.length).map(escaped);
  return new RegExp(`(?<![\\p{L}\\p{N}])(?:${longestFirst.join('|')})(?![\\p{L}\\p{N}])`, 'giu');
}

function known(group: WordGroupInfo): readonly string[] {
  return [...group.words, ...(group.synonyms ?? [])];
}

/** The understood words in order, without overlaps (the longer word wins). */
export function understood(text: string, vocabulary: readonly WordGroupInfo[]): Span[] {
  const all: Span[] = [];
  for (const group of vocabulary) {
    const words = pattern(known(group));
    if (words === null) continue;
    for (const match of text.matchAll(words)) {
      all.push({ start: match.index, end: match.index + match[0].length, group: group.name });
    }
  }
  all.sort((a, b) => a.start - b.start || b.end - a.end);
  return all.filter((span, i) => all.slice(0, i).every((other) => other.end <= span.start));
}

/** What an empty prompt says, with two of the model's own words where it has any. */
export function suggestion(vocabulary: readonly WordGroupInfo[]): string {
  const some = vocabulary.flatMap((group) => group.words.slice(-1)).slice(0, 2);
  return some.length === 0 ? 'Say what it should be' : `Say what it should be, e.g. ${some.join(', ')}`;
}

/** Is `word` in the prompt, as itself? */
export function has(text: string, word: string): boolean {
  return pattern([word])!.test(text);
}

/** The prompt with `word` instead of its group's others, or without it if it was there. */
export function toggle(text: string, word: string, group: WordGroupInfo): string {
  const was = has(text, word);
  const others = pattern(known(group));
  const rest = others === null ? text : text.replace(others, '\u0000');
  const parts = rest.split(/[,\u0000]/).map((part) => part.trim()).filter((part) => part !== '');
  return (was ? parts : [...parts, word]).join(', ');
}
