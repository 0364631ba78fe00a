/** `window.riverrun.stats()`: what tests and curious people may ask the page. */

import type { Connection } from './connection';
import type { Courier } from './courier';
import type { Latency } from './latency';
import type { PicturePainter } from './picture';
import type { PageSession } from './session';
import type { Store } from './store';

export interface Stats {
  state: string;
  touched: boolean;
  awaiting: boolean;
  picturesPerSecond: number;
  pictures: number;
  editToEyeP50: number | null;
  editToEyeP95: number | null;
  shownRevision: number;
  /** Of the picture that is shown, in pixels; 0 before the first. */
  shownWidth: number;
  /** Is a finer picture settling into the place of the one before? */
  fading: boolean;
  revision: number;
  unaccepted: number;
  unsent: boolean;
  adopting: boolean;
  drops: number;
  roundTrip: number | null;
  model: string;
}

export interface Measured {
  store: Store;
  connection: Connection;
  courier: Courier;
  latency: Latency;
  painter: PicturePainter;
  session: PageSession;
}

export function publish(parts: Measured): void {
  const { store, connection, courier, latency, painter } = parts;
  const stats = (): Stats => ({
    state: store.state.link,
    touched: store.state.touched,
    awaiting: store.state.awaiting,
    picturesPerSecond: latency.rate(performance.now()),
    pictures: latency.pictures,
    editToEyeP50: latency.editToEye(0.5),
    editToEyeP95: latency.editToEye(0.95),
    shownRevision: painter.shown?.revision ?? 0,
    shownWidth: painter.shown?.width ?? 0,
    fading: painter.fading,
    revision: parts.session.revision,
    unaccepted: connection.waiting,
    unsent: courier.unsent,
    adopting: parts.session.adopting,
    drops: painter.drops,
    roundTrip: connection.clock.trip,
    model: store.state.model.name,
  });
  Object.assign(window, { riverrun: { stats } });
}
