/** Which key does what. */

import { KEYS, swatches } from './palette';
import type { Actions } from './panel';
import type { Hold, Shortcut } from './shortcuts';
import type { Studio } from './studio';
import type { Store, Tool } from './store';
import { byId } from './dom';

export function keys(store: Store, studio: Studio, actions: Actions): { table: Shortcut[]; hold: Hold } {
  const tool = (key: string, name: Tool, what: string): Shortcut => ({
    keys: [key], label: key.toUpperCase(), what, run: () => studio.setTool(name),
  });
  const grow = (by: number): void => {
    const { size } = store.state;
    studio.setSize(size + by * Math.max(2, Math.round(size / 6)));
  };
  const table: Shortcut[] = [
    tool('b', 'brush', 'Brush'),
    tool('e', 'eraser', 'Eraser: the model decides there'),
    tool('g', 'fill', 'Fill'),
    tool('i', 'picker', 'Pick a material'),
    { keys: ['[', ']'], label: '[ ]', what: 'Smaller, larger brush', run: (key) => grow(key === '[' ? -1 : 1) },
    {
      keys: [...KEYS], label: '1 to 9 0 - =', what: 'Materials, in their order',
      run: (key) => {
        const entry = swatches(store)[KEYS.indexOf(key)];
        if (entry !== undefined) studio.setColor(entry.color);
      },
    },
    { keys: ['mod+z'], label: 'Ctrl Z', what: 'Undo', run: () => studio.undo() },
    { keys: ['mod+shift+z', 'mod+y'], label: 'Shift Ctrl Z', what: 'Redo', run: () => studio.redo() },
    { keys: ['delete'], label: 'Delete', what: 'Clear the canvas', run: () => studio.clear() },
    { keys: ['r'], label: 'R', what: 'New seed', run: () => studio.newSeed() },
    { keys: ['/'], label: '/', what: 'Write the prompt', run: () => byId('prompt').focus() },
    {
      keys: ['v'], label: 'V', what: 'Canvas beside the painting',
      run: () => store.set({ view: store.state.view === 'over' ? 'side' : 'over' }),
    },
    { keys: ['o'], label: 'O', what: 'Open a picture', run: actions.open },
    { keys: ['s', 'mod+s'], label: 'S', what: 'Save the painting', run: actions.save },
    { keys: ['?'], label: '?', what: 'This list', run: actions.help },
  ];
  const hold: Hold = {
    key: ' ', label: 'Space', what: 'Hold to see the bare canvas',
    down: () => store.set({ peek: true }), up: () => store.set({ peek: false }),
  };
  return { table, hold };
}
