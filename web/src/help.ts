/** The list of keys, made from the table that the keyboard really obeys. */

import { byId, element, iconButton } from './dom';
import type { Hold, Shortcut } from './shortcuts';

export function help(table: readonly Shortcut[], hold: Hold): () => void {
  const dialog = byId<HTMLDialogElement>('help');
  const list = element('dl', { class: 'keys' });
  for (const { label, what } of [...table, hold]) {
    const keys = label.split(' ').map((key) => (/[,–]/.test(key) && key.length > 1 ? key : element('kbd', {}, key)));
    list.append(element('dt', {}, ...keys.flatMap((key) => [key, ' '])), element('dd', {}, what));
  }
  const close = iconButton('close', 'Close', 'Close (Escape)', {}, () => dialog.close());
  dialog.append(element('header', {}, element('h2', { id: 'help-title' }, 'Keys'), close), list);
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close();
  });
  return () => {
    if (!dialog.open) dialog.showModal();
  };
}
