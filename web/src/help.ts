/** The list of what hands can do: keys, from the table that the keyboard really obeys, and touches. */

import { byId, element, iconButton } from './dom';

export interface HelpLine {
  /** Keys with spaces between them, as they are printed on the keyboard. */
  label: string;
  what: string;
}

const TOUCHES: readonly HelpLine[] = [
  { label: 'One finger, or a pen', what: 'Draws; a pen that is pressed draws wider' },
  { label: 'A second finger', what: 'Takes the stroke in progress back' },
  { label: 'A resting hand', what: 'Draws nothing' },
  { label: 'Tap a word', what: 'Into the prompt, or out of it' },
  { label: 'Tap a small picture', what: 'Back to it' },
];

export function help(keys: readonly HelpLine[]): () => void {
  const dialog = byId<HTMLDialogElement>('help');
  const close = iconButton('close', 'Close', 'Close (Escape)', {}, () => dialog.close());
  dialog.append(
    element('header', {}, element('h2', { id: 'help-title' }, 'What you can do'), close),
    section('touches', 'With a finger or a pen', TOUCHES, (label) => [label]),
    section('keys', 'With the keyboard', keys, caps),
  );
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close();
  });
  return () => {
    if (!dialog.open) dialog.showModal();
  };
}

function section(
  name: string, title: string, lines: readonly HelpLine[], shown: (label: string) => Array<Node | string>,
): HTMLElement {
  const list = element('dl');
  for (const { label, what } of lines) list.append(element('dt', {}, ...shown(label)), element('dd', {}, what));
  return element('section', { class: name }, element('h3', {}, title), list);
}

function caps(label: string): Array<Node | string> {
  return label.split(' ').flatMap((key) => [key === 'to' ? key : element('kbd', {}, key), ' ']);
}
