/**
 * The capsule in the corner: how the line and the server are, in words; opened, the figures.
 *
 * Role: each state has its own words and its own remedy; nothing here ever blocks or alerts.
 * The figures are refreshed four times a second, and only while something happens.
 */

import type { Connection } from './connection';
import { byId, element } from './dom';
import type { Latency } from './latency';
import type { PicturePainter } from './picture';
import type { PageState, Store } from './store';
import { waterfall } from './waterfall';

export interface Condition {
  tone: 'good' | 'warn' | 'bad' | 'calm';
  /** Announced to screen readers: no figures in here that change all the time. */
  words: string;
  /** Beside the words, for the eye alone. */
  figure: string;
  advice: string;
  remedy: 'retry' | 'token' | 'fewer' | null;
}

const SLOW_LINE_MS = 400;
const SLOW_MS = 1500;

/** What to say of a state; `felt` is edit to eye in ms, `trip` the line's round trip. */
export function condition(state: Readonly<PageState>, felt: number | null, trip: number | null): Condition {
  const { detail } = state;
  const left = detail.seconds === null ? '' : `${Math.max(1, Math.round(detail.seconds))} s`;
  switch (state.link) {
    case 'offline':
      return say('bad', 'Offline', 'Your drawing is safe here and goes on when the network is back.', 'retry');
    case 'reconnecting':
      return say('warn', 'Reconnecting', `${detail.message} Draw on: nothing is lost.`, 'retry');
    case 'draining':
      return say('warn', 'Server restarting', 'It said goodbye properly; the page comes back by itself.', 'retry');
    case 'busy':
      return say('warn', 'Busy, trying again', `${detail.message} You are let in as soon as there is room.`, 'retry');
    case 'warming': {
      const share = detail.fraction === null ? '' : `${Math.round(detail.fraction * 100)} %`;
      const advice = `${detail.message || 'The model is being made ready.'} Draw already: it will be painted.`;
      return { ...say('warn', 'Warming up', advice, null), figure: `${share} ${left}`.trim() };
    }
    case 'failed':
      return say('bad', 'Model failed', detail.message || 'The server can’t paint. Its log says why.', 'retry');
    case 'unauthorized':
      return say('bad', 'Token needed', `${detail.message} The operator gave one out.`.trim(), 'token');
    case 'connecting':
      return say('calm', 'Connecting', 'Looking for the server.', null);
    case 'live':
      return live(state, felt, trip);
  }
}

function live(state: Readonly<PageState>, felt: number | null, trip: number | null): Condition {
  if (state.notice !== '') return say('warn', 'Refused', state.notice, null);
  if (!state.touched) return say('calm', 'Example', 'A recording. Draw, and it’s yours.', null);
  if (trip !== null && trip > SLOW_LINE_MS) {
    return say('warn', 'Slow line', `A round trip takes ${Math.round(trip)} ms; the ink is ahead of the painting.`, null);
  }
  if (felt !== null && felt > SLOW_MS && state.awaiting) {
    return say('warn', 'Slow server', 'Many draw at once, or the machine is small. Fewer steps help.', 'fewer');
  }
  return say('good', state.awaiting ? 'Painting' : 'Live', '', null);
}

function say(tone: Condition['tone'], words: string, advice: string, remedy: Condition['remedy']): Condition {
  return { tone, words, figure: '', advice, remedy };
}

export interface CapsuleParts {
  store: Store;
  connection: Connection;
  latency: Latency;
  painter: PicturePainter;
  fewerSteps: () => void;
  useToken: (token: string) => void;
}

const REFRESH_MS = 250;

export class Capsule {
  private readonly box = byId('capsule');
  private readonly body = byId('capsule-body');
  private drawn = '';
  private advice = '';

  constructor(private readonly parts: CapsuleParts) {
    const button = byId('capsule-button');
    button.addEventListener('click', () => {
      this.body.hidden = !this.body.hidden;
      button.setAttribute('aria-expanded', String(!this.body.hidden));
      this.drawn = '';
      this.refresh();
    });
    parts.store.watch(['link', 'detail', 'notice', 'touched'], () => this.refresh());
    setInterval(() => {
      if (!document.hidden) this.refresh();
    }, REFRESH_MS);
  }

  private refresh(): void {
    const { store, latency, connection } = this.parts;
    const now = performance.now();
    const felt = latency.editToEye(0.5);
    const current = condition(store.state, latency.felt, connection.clock.trip);
    set(this.box, 'tone', current.tone);
    set(this.box, 'state', store.state.link);
    text(byId('status'), current.words);
    const rate = latency.rate(now);
    const live = store.state.link === 'live' && store.state.touched && latency.pictures > 0;
    const figures = [rate > 0 ? `${rate.toFixed(rate < 9.95 ? 1 : 0)}/s` : '', felt === null ? '' : `${Math.round(felt)} ms`];
    text(byId('figures'), live ? figures.filter((part) => part !== '').join(' · ') : current.figure);
    if (!this.body.hidden) this.drawBody(current);
  }

  private drawBody(current: Condition): void {
    const facts = this.facts();
    const spans = this.parts.latency.spans;
    const key = JSON.stringify([current, facts, spans]);
    if (key === this.drawn) return;
    this.drawn = key;
    const focused = this.body.contains(document.activeElement);
    const typing = focused && current.remedy === 'token' && current.advice === this.advice;
    if (typing) return; // what is typed stays, unless there is something new to say of it
    this.advice = current.advice;
    const parts: Node[] = [];
    if (current.advice !== '') parts.push(element('p', { class: 'advice' }, current.advice));
    const remedy = this.remedy(current.remedy);
    if (remedy !== null) parts.push(remedy);
    if (spans.length > 0) parts.push(waterfall(spans));
    const list = facts.flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, value)]);
    parts.push(element('dl', { class: 'facts' }, ...list));
    this.body.replaceChildren(...parts);
    if (focused) this.body.querySelector<HTMLElement>('button, input')?.focus();
  }

  private facts(): Array<readonly [string, string]> {
    const { latency, painter, connection, store } = this.parts;
    const ms = (value: number | null): string => (value === null ? '–' : `${Math.round(value)} ms`);
    return [
      ['Edit to eye, median', ms(latency.editToEye(0.5))],
      ['Edit to eye, 95 of 100', ms(latency.editToEye(0.95))],
      ['Round trip of the line', ms(connection.clock.trip)],
      ['Pictures shown, skipped', `${latency.pictures}, ${painter.drops}`],
      ['Model', store.state.model.title || store.state.model.name || '–'],
    ];
  }

  private remedy(kind: Condition['remedy']): HTMLElement | null {
    const { connection, fewerSteps, useToken } = this.parts;
    if (kind === 'retry') return pressable('Try now', () => connection.retry());
    if (kind === 'fewer') return pressable('Use fewer steps', fewerSteps);
    return kind === 'token' ? tokenForm(useToken) : null;
  }
}

function pressable(words: string, press: () => void): HTMLElement {
  const button = element('button', { type: 'button', class: 'remedy' }, words);
  button.addEventListener('click', press);
  return button;
}

function tokenForm(use: (token: string) => void): HTMLElement {
  const input = element('input', { type: 'password', 'aria-label': 'Token', placeholder: 'Token', autocomplete: 'off' });
  const form = element('form', { class: 'token' }, input, element('button', { class: 'remedy' }, 'Enter'));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (input.value !== '') use(input.value);
  });
  return form;
}

function set(node: HTMLElement, name: string, value: string): void {
  if (node.dataset[name] !== value) node.dataset[name] = value;
}

function text(node: HTMLElement, words: string): void {
  if (node.textContent !== words) node.textContent = words;
}
