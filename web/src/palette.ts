/** The materials of the model as swatches; free colours for models without materials. */

import { packed } from './canvas';
import { byId, check, element, roving } from './dom';
import type { RGB, SwatchInfo } from './protocol';
import type { Studio } from './studio';
import type { Store } from './store';
import { swatch } from './textures';

/** What a model without a palette offers to begin with. */
export const FREE_COLORS: readonly SwatchInfo[] = [
  { name: 'ink', color: [28, 30, 34] }, { name: 'stone', color: [128, 132, 138] },
  { name: 'paper', color: [245, 242, 235] }, { name: 'red', color: [200, 62, 54] },
  { name: 'orange', color: [232, 134, 52] }, { name: 'yellow', color: [246, 208, 76] },
  { name: 'green', color: [84, 152, 72] }, { name: 'pine', color: [32, 84, 62] },
  { name: 'sky', color: [110, 175, 235] }, { name: 'blue', color: [44, 92, 178] },
  { name: 'violet', color: [118, 84, 168] }, { name: 'earth', color: [140, 98, 66] },
];

export const KEYS = '1234567890-=';

export function swatches(store: Store): readonly SwatchInfo[] {
  const own = store.state.model.palette ?? [];
  return own.length > 0 ? own : FREE_COLORS;
}

export function palette(store: Store, studio: Studio): void {
  const group = byId('palette');
  const free = byId('free');
  const turn = byId<HTMLButtonElement>('free-switch');
  const color = byId<HTMLInputElement>('free-color');
  const choose = (item: HTMLElement): void => {
    const entry = swatches(store)[Number(item.dataset['index'])];
    if (entry !== undefined) studio.setColor(entry.color);
  };
  roving(group, choose);
  turn.addEventListener('click', () => {
    color.hidden = !color.hidden;
    turn.setAttribute('aria-pressed', String(!color.hidden));
    if (!color.hidden) studio.setColor(parsed(color.value));
  });
  color.addEventListener('input', () => studio.setColor(parsed(color.value)));
  store.watch(['model'], () => {
    group.replaceChildren(...swatches(store).map((entry, index) => button(entry, index, choose)));
    free.hidden = (store.state.model.palette ?? []).length > 0;
    const current = packed(store.state.color);
    const known = swatches(store).some((entry) => packed(entry.color) === current);
    if (!known) store.set({ color: swatches(store)[0]!.color });
  });
  store.watch(['color', 'model'], (state) =>
    check(group, (item) => item.dataset['color'] === String(packed(state.color))),
  );
}

function button(entry: SwatchInfo, index: number, choose: (item: HTMLElement) => void): HTMLButtonElement {
  const key = KEYS[index];
  const title = key === undefined ? entry.name : `${entry.name} (${key})`;
  const item = element(
    'button',
    { type: 'button', class: 'swatch', role: 'radio', title, 'data-index': index, 'data-color': packed(entry.color) },
    swatch(entry.name, entry.color, 34), element('span', {}, entry.name),
  );
  item.addEventListener('click', () => choose(item));
  return item;
}

function parsed(hex: string): RGB {
  const value = parseInt(hex.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}
