/** One picture's life, stage by stage, as bars on one axis of milliseconds. */

import { element } from './dom';
import type { Span } from './latency';

export function waterfall(spans: readonly Span[]): HTMLElement {
  const total = Math.max(1, ...spans.map(({ start, ms }) => start + ms));
  const rows = spans.map(({ name, start, ms }) => {
    const bar = element('span', { class: 'bar' });
    bar.style.left = `${Math.min(99, (start / total) * 100)}%`;
    bar.style.width = `${Math.min(100, (ms / total) * 100)}%`;
    return element(
      'li', {}, element('span', { class: 'name' }, name),
      element('span', { class: 'track' }, bar), element('span', { class: 'ms' }, `${shown(ms)} ms`),
    );
  });
  return element('ol', { class: 'waterfall', 'aria-label': 'One picture, stage by stage' }, ...rows);
}

function shown(ms: number): string {
  return ms < 10 ? ms.toFixed(1) : String(Math.round(ms));
}
