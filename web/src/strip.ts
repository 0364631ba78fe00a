/**
 * The last pictures of this session: hover shows one on the stage, a click goes back to it.
 *
 * Invariants: at most `KEPT` pictures are held, the oldest goes first and its object URL with it;
 * a picture is kept with exactly the canvas and parameters that it answers, and once: who comes back
 * to them finds it where it was.
 */

import { byId, element } from './dom';
import type { Params } from './protocol';
import type { Snapshot } from './studio';

const KEPT = 24;

interface Kept {
  snapshot: Snapshot;
  url: string;
  node: HTMLElement;
  key: string;
}

export class Strip {
  private kept: Kept[] = [];
  private readonly box = byId('strip');
  private readonly glance = byId<HTMLImageElement>('glance');

  constructor(private readonly restore: (snapshot: Snapshot) => void) {}

  add(picture: Blob, snapshot: Snapshot): void {
    const key = fingerprint(snapshot);
    const known = this.kept.find((entry) => entry.key === key);
    if (known !== undefined) {
      this.renew(known, picture);
      return this.mark(known);
    }
    const url = URL.createObjectURL(picture);
    const node = this.thumb(url, snapshot);
    const kept: Kept = { snapshot, url, node, key };
    this.kept.push(kept);
    this.box.append(node);
    this.mark(kept);
    if (this.kept.length > KEPT) this.remove(this.kept.shift()!);
    this.box.scrollLeft = this.box.scrollWidth;
  }

  private thumb(url: string, snapshot: Snapshot): HTMLElement {
    const name = `Back to this picture: ${described(snapshot.params)}`;
    const image = element('img', { src: url, alt: '', draggable: 'false' });
    const node = element(
      'button', { type: 'button', class: 'thumb', 'aria-label': name, title: described(snapshot.params) },
      image,
    );
    node.addEventListener('pointerenter', () => this.show(image.src));
    node.addEventListener('focus', () => {
      if (node.matches(':focus-visible')) this.show(image.src);
    });
    node.addEventListener('pointerleave', () => this.show(null));
    node.addEventListener('blur', () => this.show(null));
    node.addEventListener('click', () => {
      this.show(null);
      const chosen = this.kept.find((entry) => entry.node === node);
      if (chosen === undefined) return;
      this.mark(chosen);
      this.restore(chosen.snapshot);
    });
    return node;
  }

  /** Another painting of the same: of another model, say. */
  private renew(kept: Kept, picture: Blob): void {
    URL.revokeObjectURL(kept.url);
    kept.url = URL.createObjectURL(picture);
    kept.node.querySelector('img')!.src = kept.url;
  }

  private show(url: string | null): void {
    this.glance.hidden = url === null;
    if (url !== null) this.glance.src = url;
  }

  private mark(chosen: Kept): void {
    for (const { node } of this.kept) {
      if (node === chosen.node) node.setAttribute('aria-current', 'true');
      else node.removeAttribute('aria-current');
    }
  }

  private remove({ url, node }: Kept): void {
    URL.revokeObjectURL(url);
    node.remove();
  }
}

function described(params: Params): string {
  const prompt = String(params['prompt'] ?? '').trim();
  return `${prompt === '' ? 'no words' : prompt}, seed ${String(params['seed'] ?? 0)}`;
}

function fingerprint(snapshot: Snapshot): string {
  let hash = 2166136261;
  for (const pixel of snapshot.pixels) hash = Math.imul(hash ^ pixel, 16777619);
  return `${hash} ${JSON.stringify(Object.entries(snapshot.params).sort())}`;
}
