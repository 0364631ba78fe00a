/**
 * The prompt: a line that grows, the understood words marked, the vocabulary as chips.
 *
 * Until the person begins, the words are the example's: they stand where a placeholder stands, so
 * that what is typed takes their place and isn't put behind them.
 */

import { byId, element } from './dom';
import type { WordGroupInfo } from './protocol';
import type { Studio } from './studio';
import type { Store } from './store';
import { has, suggestion, toggle, understood } from './words';

export function prompt(store: Store, studio: Studio): void {
  const input = byId<HTMLTextAreaElement>('prompt');
  const field = input.closest<HTMLElement>('.words')!;
  const set = (text: string): void => studio.setParam('prompt', text.replaceAll('\n', ' '));
  let typing = false;
  const show = (): void => {
    if (!typing) write(input, store);
  };
  input.addEventListener('input', () => {
    typing = true; // the field is let alone meanwhile: whoever composes a letter would lose it
    studio.touch(true);
    set(input.value);
    typing = false;
    show();
  });
  input.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') event.preventDefault(); // every letter is already on its way
    if (event.key === 'Escape') input.blur();
  });
  input.addEventListener('scroll', () => (byId('marks').scrollTop = input.scrollTop));
  store.watch(['model'], ({ model }) => {
    const info = model.parameters.find((parameter) => parameter.name === 'prompt');
    field.querySelector<HTMLElement>('.prompt')!.hidden = info === undefined;
    input.maxLength = info?.max_length ?? 2000;
    chips(model.vocabulary ?? [], (word, group) => set(toggle(words(store), word, group)));
  });
  store.watch(['params', 'model', 'touched'], show);
}

function write(input: HTMLTextAreaElement, store: Store): void {
  const { model, touched } = store.state;
  const text = words(store);
  const value = touched ? text : '';
  if (input.value !== value) input.value = value;
  input.placeholder = touched || text === '' ? suggestion(model.vocabulary ?? []) : text;
  grow(input);
  mark(text, model.vocabulary ?? []);
}

function words(store: Store): string {
  return String(store.state.params['prompt'] ?? '');
}

/** Where CSS can't size a field by its content, measure it. */
function grow(input: HTMLTextAreaElement): void {
  if (CSS.supports('field-sizing', 'content')) return;
  input.style.height = 'auto';
  input.style.height = `${input.scrollHeight}px`;
}

function chips(vocabulary: readonly WordGroupInfo[], press: (word: string, group: WordGroupInfo) => void): void {
  const groups = vocabulary.filter((group) => group.words.length > 0).map((group) => {
    const buttons = group.words.map((word) => {
      const chip = element('button', { type: 'button', class: 'chip', 'aria-pressed': 'false', 'data-word': word }, word);
      chip.addEventListener('click', () => press(word, group));
      return chip;
    });
    return element('div', { class: 'group', role: 'group', 'aria-label': group.name }, ...buttons);
  });
  byId('chips').hidden = groups.length === 0;
  byId('chips').replaceChildren(...groups);
}

function mark(text: string, vocabulary: readonly WordGroupInfo[]): void {
  const spans = understood(text, vocabulary);
  const parts: Array<Node | string> = [];
  let at = 0;
  for (const { start, end } of spans) {
    parts.push(text.slice(at, start), element('mark', {}, text.slice(start, end)));
    at = end;
  }
  parts.push(text.slice(at), '\u200b');
  byId('marks').replaceChildren(...parts);
  const known = spans.map(({ start, end }) => text.slice(start, end));
  byId('understood').textContent = known.length > 0 ? `Understood: ${known.join(', ')}` : '';
  for (const chip of document.querySelectorAll<HTMLElement>('.chip')) {
    chip.setAttribute('aria-pressed', String(has(text, chip.dataset['word']!)));
  }
}
