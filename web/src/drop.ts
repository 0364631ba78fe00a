/** A picture dropped, pasted or opened becomes the canvas; one that we saved brings all back. */

import { packed } from './canvas';
import { byId } from './dom';
import { pixelsOf, readRecipe } from './save';
import type { Studio } from './studio';
import type { Store } from './store';

export interface Drop {
  /** Let the person choose a file. */
  open(): void;
}

export function drop(store: Store, studio: Studio, say: (text: string) => void): Drop {
  const take = (files: Iterable<File>): boolean => {
    const picture = [...files].find((file) => file.type.startsWith('image/'));
    if (picture === undefined) return false;
    void use(picture, store, studio).catch(() => say('That file isn’t a picture that can be read.'));
    return true;
  };
  overlay(take, say);
  addEventListener('paste', (event) => {
    if (event.clipboardData !== null && take(event.clipboardData.files)) event.preventDefault();
  });
  return { open: () => choose(take) };
}

async function use(file: File, store: Store, studio: Studio): Promise<void> {
  const { width, height } = studio.surface;
  const recipe = readRecipe(new Uint8Array(await file.arrayBuffer()));
  if (recipe !== null) {
    const pixels = await pixelsOf(new Blob([recipe.canvas]), width, height);
    studio.restore({ params: recipe.params, pixels, width, height });
    return;
  }
  const materials = (store.state.model.palette ?? []).map((entry) => packed(entry.color));
  studio.restore({ pixels: await pixelsOf(file, width, height, materials), width, height });
}

function overlay(take: (files: Iterable<File>) => boolean, say: (text: string) => void): void {
  const curtain = byId('drop');
  let depth = 0;
  const show = (change: number): void => {
    depth = Math.max(0, depth + change);
    curtain.hidden = depth === 0;
  };
  addEventListener('dragenter', (event) => {
    event.preventDefault();
    show(1);
  });
  addEventListener('dragleave', () => show(-1));
  addEventListener('dragover', (event) => event.preventDefault());
  addEventListener('drop', (event) => {
    event.preventDefault();
    show(-Infinity);
    if (event.dataTransfer !== null && !take(event.dataTransfer.files)) say('Drop a picture: PNG, JPEG or WebP.');
  });
}

function choose(take: (files: Iterable<File>) => boolean): void {
  const input = document.createElement('input');
  input.type = 'file';
  input.accept = 'image/*';
  input.addEventListener('change', () => take(input.files ?? []));
  input.click();
}
