/**
 * Seed with die and lock, and, folded away, every other parameter of the model as a control; instead
 * of `size`, which the page sets by itself, the switch that lets it.
 */

import { byId, element, setIcon } from './dom';
import type { ModelInfo, ParameterInfo, ParamValue } from './protocol';
import { settable, sizes } from './sizes';
import type { Studio } from './studio';
import type { Store } from './store';

const ELSEWHERE = new Set(['prompt', 'seed']);

export function settings(store: Store, studio: Studio, useModel: (name: string) => void): void {
  seed(store, studio);
  fold();
  const updates = new Map<string, (value: ParamValue) => void>();
  store.watch(['model', 'models'], ({ model, models }) => {
    updates.clear();
    const rows = settable(model).filter((info) => !ELSEWHERE.has(info.name)).map((info) => {
      const { row, update } = control(info, (value) => studio.setParam(info.name, value));
      updates.set(info.name, update);
      return row;
    });
    byId('settings').replaceChildren(...rows, ...finerRow(model, store), modelRow(model.name, models, useModel));
  });
  store.watch(['params', 'model', 'models'], ({ params }) => {
    for (const [name, update] of updates) {
      const value = params[name];
      if (value !== undefined) update(value);
    }
  });
}

function seed(store: Store, studio: Studio): void {
  const input = byId<HTMLInputElement>('seed');
  const lock = byId<HTMLButtonElement>('seed-lock');
  const die = byId<HTMLButtonElement>('die');
  input.addEventListener('change', () => {
    const most = store.state.model.parameters.find((p) => p.name === 'seed')?.maximum ?? 2 ** 32 - 1;
    const value = Math.round(Math.min(most, Math.max(0, input.valueAsNumber || 0)));
    input.value = String(value);
    studio.setParam('seed', value);
  });
  die.addEventListener('click', () => studio.newSeed());
  lock.addEventListener('click', () => store.set({ seedLocked: !store.state.seedLocked }));
  store.watch(['seedLocked'], ({ seedLocked }) => {
    lock.setAttribute('aria-pressed', String(seedLocked));
    setIcon(lock.firstElementChild!, seedLocked ? 'lock' : 'unlock');
    die.disabled = seedLocked;
  });
  store.watch(['model'], ({ model }) => {
    const missing = model.parameters.length > 0 && !model.parameters.some((p) => p.name === 'seed');
    for (const node of [input, die, lock, input.labels![0]!]) node.hidden = missing;
  });
  store.watch(['params'], ({ params }) => {
    if (document.activeElement !== input) input.value = String(params['seed'] ?? 0);
  });
}

function fold(): void {
  const button = byId<HTMLButtonElement>('more');
  const body = byId('settings');
  const turn = (open: boolean): void => {
    body.hidden = !open;
    button.setAttribute('aria-expanded', String(open));
  };
  button.addEventListener('click', () => turn(body.hidden === true));
  body.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    turn(false);
    button.focus();
  });
}

interface Control {
  row: HTMLElement;
  update: (value: ParamValue) => void;
}

function control(info: ParameterInfo, change: (value: ParamValue) => void): Control {
  if ((info.choices ?? []).length > 0) return choice(info, change);
  if (info.type === 'boolean') return toggle(info, change);
  if (info.type === 'string') return text(info, change);
  return slider(info, change);
}

function row(info: { name: string; title?: string; description?: string }, ...parts: Node[]): HTMLElement {
  const label = element('span', { class: 'label', title: info.description ?? '' }, info.title || info.name);
  return element('label', { class: 'setting' }, label, ...parts);
}

function slider(info: ParameterInfo, change: (value: ParamValue) => void): Control {
  const [low, high] = [info.minimum ?? 0, info.maximum ?? 1];
  const step = info.step ?? (info.type === 'integer' ? 1 : (high - low) / 100);
  const input = element('input', {
    type: 'range', min: low, max: high, step, 'data-testid': info.name, 'aria-label': info.title || info.name,
  });
  const output = element('output');
  const show = (): void => {
    output.textContent = info.type === 'integer' ? input.value : Number(input.value).toFixed(2);
  };
  input.addEventListener('input', () => {
    show();
    change(input.valueAsNumber);
  });
  const update = (value: ParamValue): void => {
    input.value = String(value);
    show();
  };
  return { row: row(info, input, output), update };
}

function choice(info: ParameterInfo, change: (value: ParamValue) => void): Control {
  const choices = info.choices ?? [];
  const options = choices.map((value, index) => element('option', { value: index }, String(value)));
  const input = element('select', { 'data-testid': info.name }, ...options);
  input.addEventListener('change', () => change(choices[input.selectedIndex]!));
  return { row: row(info, input), update: (value) => (input.selectedIndex = choices.indexOf(value)) };
}

function toggle(info: ParameterInfo, change: (value: ParamValue) => void): Control {
  const input = element('input', { type: 'checkbox', 'data-testid': info.name });
  input.addEventListener('change', () => change(input.checked));
  return { row: row(info, input), update: (value) => (input.checked = value === true) };
}

function text(info: ParameterInfo, change: (value: ParamValue) => void): Control {
  const input = element('input', { type: 'text', 'data-testid': info.name, maxlength: info.max_length ?? 1000 });
  input.addEventListener('input', () => change(input.value));
  const update = (value: ParamValue): void => {
    if (document.activeElement !== input) input.value = String(value);
  };
  return { row: row(info, input), update };
}

function finerRow(model: ModelInfo, store: Store): HTMLElement[] {
  const finest = sizes(model).at(-1);
  if (finest === undefined) return [];
  const description = `Once nothing changes, the same picture again at ${finest} pixels`;
  const info = { name: 'finer', type: 'boolean', default: true, title: 'Finer when the pen rests', description } as const;
  const { row, update } = toggle(info, (value) => store.set({ finer: value === true }));
  update(store.state.finer);
  return [row];
}

function modelRow(current: string, models: readonly string[], useModel: (name: string) => void): HTMLElement {
  const names = models.includes(current) ? models : [current, ...models];
  const options = names.map((name) => element('option', { value: name, selected: name === current }, name || '…'));
  const select = element('select', { 'data-testid': 'model' }, ...options);
  select.disabled = names.length < 2;
  select.addEventListener('change', () => useModel(select.value));
  return row({ name: 'model', title: 'Model' }, select);
}
