/** The dock: tools, brush size, history; and the actions beside the painting. */

import { byId, check, iconButton, roving } from './dom';
import type { Studio } from './studio';
import type { Store, Tool } from './store';

const TOOLS: ReadonlyArray<readonly [Tool, string, string]> = [
  ['brush', 'Brush', 'B'],
  ['eraser', 'Eraser', 'E'],
  ['fill', 'Fill', 'G'],
  ['picker', 'Picker', 'I'],
];

export interface Actions {
  save(): void;
  open(): void;
  help(): void;
}

export function panel(store: Store, studio: Studio, actions: Actions): void {
  tools(store, studio);
  size(store, studio);
  history(store, studio);
  corner(store, actions);
}

function tools(store: Store, studio: Studio): void {
  const group = byId('tools');
  for (const [tool, label, key] of TOOLS) {
    const button = iconButton(tool, label, `${label} (${key})`, { role: 'radio', 'data-tool': tool }, () =>
      studio.setTool(tool),
    );
    group.append(button);
  }
  roving(group, (item) => studio.setTool(item.dataset['tool'] as Tool));
  store.watch(['tool'], ({ tool }) => check(group, (item) => item.dataset['tool'] === tool));
}

function size(store: Store, studio: Studio): void {
  const range = byId<HTMLInputElement>('size-range');
  range.addEventListener('input', () => studio.setSize(range.valueAsNumber));
  store.watch(['size'], (state) => {
    range.value = String(state.size);
    range.setAttribute('aria-valuetext', `${state.size} of 64`);
  });
}

function history(store: Store, studio: Studio): void {
  const undo = iconButton('undo', 'Undo', 'Undo (Ctrl+Z)', { 'data-testid': 'undo' }, () => studio.undo());
  const redo = iconButton('redo', 'Redo', 'Redo (Shift+Ctrl+Z)', { 'data-testid': 'redo' }, () => studio.redo());
  const clear = iconButton('clear', 'Clear the canvas', 'Clear (Delete)', { 'data-testid': 'clear' }, () =>
    studio.clear(),
  );
  byId('history').append(undo, redo, clear);
  store.watch(['history', 'link'], ({ history: { undo: back, redo: forth, truncated }, link }) => {
    const down = link === 'reconnecting' || link === 'offline' || link === 'draining';
    undo.disabled = back === 0 || down;
    redo.disabled = forth === 0 || down;
    const note = truncated === true ? ', older steps were let go' : '';
    undo.title = down ? 'Undo comes back with the line' : `Undo (Ctrl+Z): ${back} steps${note}`;
  });
}

function corner(store: Store, actions: Actions): void {
  const side = iconButton('side', 'Canvas beside the painting', 'Canvas beside the painting (V)', { 'aria-pressed': 'false' }, () =>
    store.set({ view: store.state.view === 'over' ? 'side' : 'over' }),
  );
  const open = iconButton('open', 'Open a picture', 'Open a picture as the canvas (O)', {}, actions.open);
  const save = iconButton('save', 'Save the painting', 'Save the painting (S)', { 'data-testid': 'save' }, actions.save);
  const help = iconButton('help', 'Help', 'What you can do (?)', {}, actions.help);
  byId('actions').append(side, open, save, help);
  store.watch(['view'], ({ view }) => side.setAttribute('aria-pressed', String(view === 'side')));
}
