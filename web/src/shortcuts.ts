/**
 * The keyboard: single keys outside of text fields, Ctrl or Cmd with Z anywhere but in them.
 * The table is also what `?` lists, so the two can't differ.
 */

export interface Shortcut {
  /** `event.key` values, lower case; `mod+` for Ctrl or Cmd, `shift+` where it matters. */
  keys: readonly string[];
  /** As written in the list. */
  label: string;
  what: string;
  run: (key: string) => void;
}

export interface Hold {
  key: string;
  label: string;
  what: string;
  down: () => void;
  up: () => void;
}

function typing(target: EventTarget | null): boolean {
  if (target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true;
  return target instanceof HTMLInputElement && !['range', 'color', 'checkbox'].includes(target.type);
}

function named(event: KeyboardEvent): string {
  const mod = event.ctrlKey || event.metaKey ? 'mod+' : '';
  return mod + (mod !== '' && event.shiftKey ? 'shift+' : '') + event.key.toLowerCase();
}

/** After a click by mouse, pen or finger the keys belong to the stage again, Space among them. */
export function releaseFocus(): void {
  const release = (target: EventTarget | null): void => {
    if (target instanceof Element && target.closest('#dock, #actions, #deck') !== null) {
      const control = target.closest<HTMLElement>('button, input[type=range]');
      if (control === document.activeElement) control?.blur();
    }
  };
  addEventListener('click', (event) => {
    if (event.detail > 0) release(event.target); // 0: by the keyboard
  });
  addEventListener('pointerup', (event) => release(event.target));
}

/** A button or link does its own thing with Space and Enter. */
function ownsSpace(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches('button, a, summary, [role=radio], input, select');
}

export function shortcuts(table: readonly Shortcut[], hold: Hold): void {
  const byKey = new Map(table.flatMap((entry) => entry.keys.map((key) => [key, entry] as const)));
  let held = false;
  addEventListener('keydown', (event) => {
    if (typing(event.target) || event.altKey || document.querySelector('dialog[open]') !== null) return;
    if (event.key === hold.key) {
      if (ownsSpace(event.target)) return;
      event.preventDefault();
      if (!held) hold.down();
      held = true;
      return;
    }
    const key = named(event);
    const entry = byKey.get(key);
    if (entry === undefined) return;
    event.preventDefault();
    entry.run(key);
  });
  const release = (): void => {
    if (held) hold.up();
    held = false;
  };
  addEventListener('keyup', (event) => {
    if (event.key === hold.key) release();
  });
  addEventListener('blur', release);
}
