/**
 * What the person feels, in figures: pictures a second, edit to eye, and one picture's life.
 *
 * Role: edits are noted when they were made, sent and accepted; a painted picture answers the
 * newest edit in it. Edit to eye counts the first picture of each revision only, from the event
 * under the pen to the frame that painted it. Pure: times come in, figures go out.
 */

import type { ServerClock } from './clock';
import type { Painted } from './picture';

export interface Span {
  name: string;
  /** ms from the edit. */
  start: number;
  ms: number;
}

interface Noted {
  id: number;
  made: number;
  sent: number;
  revision: number | null;
}

const WINDOW_MS = 10_000;
const RATE_MS = 2000;
/** Two pictures a few ms apart are no rate yet. */
const SHORTEST_MS = 500;
const KEPT = 512;
const ENOUGH = 5;

export class Latency {
  pictures = 0;
  /** The life of the newest picture that answered an edit of this page. */
  spans: Span[] = [];
  private edits: Noted[] = [];
  private answered = 0;
  private samples: Array<{ at: number; ms: number }> = [];
  private paints: number[] = [];

  constructor(private readonly clock: ServerClock) {}

  edit(id: number, made: number, sent: number): void {
    this.edits.push({ id, made, sent, revision: null });
    if (this.edits.length > KEPT) this.edits.shift();
  }

  accepted(id: number, revision: number): void {
    for (const edit of this.edits) {
      if (edit.id <= id) edit.revision ??= revision;
    }
  }

  /** Another session: revisions begin again. */
  reset(): void {
    this.edits = [];
    this.answered = 0;
  }

  painted(picture: Painted): void {
    this.pictures++;
    this.paints.push(picture.painted);
    if (this.paints.length > KEPT) this.paints.shift();
    const { revision, replay } = picture.frame;
    if (replay || revision <= this.answered) return;
    this.answered = revision;
    const edit = this.newestIn(revision);
    if (edit === undefined) return;
    this.samples.push({ at: picture.painted, ms: picture.painted - edit.made });
    if (this.samples.length > KEPT) this.samples.shift();
    this.spans = spans(edit, picture, this.clock);
  }

  /** Pictures a second over the last two seconds; 0 once none came for that long. */
  rate(now: number): number {
    const recent = this.paints.filter((at) => now - at < RATE_MS);
    if (recent.length < 2) return 0;
    const span = Math.max(SHORTEST_MS, recent.at(-1)! - recent[0]!);
    return (recent.length - 1) / (span / 1000);
  }

  /** ms at the quantile `q` (0..1) over the last ten seconds that had edits; null without any. */
  editToEye(q: number): number | null {
    const last = this.samples.at(-1);
    if (last === undefined) return null;
    const recent = this.samples.filter((sample) => last.at - sample.at < WINDOW_MS).map((s) => s.ms);
    recent.sort((a, b) => a - b);
    return recent[Math.min(recent.length - 1, Math.floor(q * recent.length))]!;
  }

  /** Edit to eye as a habit, not as one bad moment: the median once there are enough of them. */
  get felt(): number | null {
    return this.samples.length < ENOUGH ? null : this.editToEye(0.5);
  }

  /** Drops the noted edits that `revision` answers; the newest of them. */
  private newestIn(revision: number): Noted | undefined {
    const inside = (edit: Noted): boolean => edit.revision !== null && edit.revision <= revision;
    const newest = this.edits.filter(inside).at(-1);
    this.edits = this.edits.filter((edit) => !inside(edit));
    return newest;
  }
}

/** The stages in order of time; what no stage accounts for shows as a gap. */
function spans(edit: Noted, picture: Painted, clock: ServerClock): Span[] {
  const { frame, arrived, decoded, painted } = picture;
  const received = clock.local(frame.received) ?? edit.sent;
  const sent = clock.local(frame.sent) ?? arrived;
  const out: Span[] = [];
  const add = (name: string, from: number, ms: number): number => {
    out.push({ name, start: Math.max(0, from - edit.made), ms: Math.max(0, ms) });
    return from + ms;
  };
  add('page', edit.made, edit.sent - edit.made);
  add('uplink', edit.sent, received - edit.sent);
  let at = received;
  const { times } = frame;
  at = add('queue', at, times.queue);
  at = add('begin', at, times.begin);
  at = add('steps', at, times.step);
  add('decode', at, times.decode);
  add('wait', sent - times.encode - times.wait, times.wait);
  add('encode', sent - times.encode, times.encode);
  add('downlink', sent, arrived - sent);
  add('unpack', arrived, decoded - arrived);
  add('paint', decoded, painted - decoded);
  return out;
}
