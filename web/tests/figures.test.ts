/** The clock, the latency, the pen's smoothing and the capsule's words: all pure. */
import { describe, expect, it } from 'vitest';
import { condition } from '../src/capsule';
import { ServerClock } from '../src/clock';
import { Latency } from '../src/latency';
import type { PictureFrame } from '../src/protocol';
import type { PageState } from '../src/store';
import { radius, Smoother } from '../src/stroke';

const TIMES = { queue: 2, begin: 1, step: 20, decode: 5, wait: 3, encode: 2 };

function picture(revision: number, painted: number): { frame: PictureFrame; arrived: number; decoded: number; painted: number } {
  const frame: PictureFrame = {
    kind: 'picture', track: 0, step: 1, steps: 1, sequence: 1, revision, job: 1, width: 8, height: 8, pts: 0,
    received: 1010, sent: 1045, times: TIMES, format: 'jpeg', final: true, replay: false, data: new Uint8Array(0),
  };
  return { frame, arrived: painted - 10, decoded: painted - 5, painted };
}

function clock(): ServerClock {
  const out = new ServerClock();
  out.sample(0, 1002, 4); // the server is 1000 ms ahead
  out.sample(10, 1050, 60);
  return out;
}

describe('ServerClock', () => {
  it('trusts the quickest trip', () => expect(clock().local(1000)).toBe(0));
  it('knows nothing at first', () => expect(new ServerClock().local(5)).toBeNull());
});

describe('Latency', () => {
  it('measures from the edit to the first picture that has it', () => {
    const latency = new Latency(clock());
    latency.edit(1, 0, 4);
    latency.edit(2, 10, 12);
    latency.accepted(2, 7);
    latency.painted(picture(7, 60));
    latency.painted(picture(7, 90)); // a better picture of the same revision answers nothing new
    expect(latency.editToEye(0.5)).toBe(50);
    expect(latency.editToEye(0.95)).toBe(50);
  });

  it('does not count pictures that answer no edit of this page', () => {
    const latency = new Latency(clock());
    latency.painted(picture(3, 60));
    expect(latency.editToEye(0.5)).toBeNull();
    expect(latency.pictures).toBe(1);
  });

  it('tells one picture’s life in order, adding up to the whole', () => {
    const latency = new Latency(clock());
    latency.edit(1, 4, 6);
    latency.accepted(1, 1);
    latency.painted(picture(1, 60));
    const spans = latency.spans;
    expect(spans.map((span) => span.name)).toEqual([
      'page', 'uplink', 'queue', 'begin', 'steps', 'decode', 'wait', 'encode', 'downlink', 'unpack', 'paint',
    ]);
    expect(spans.every((span, i) => i === 0 || span.start >= spans[i - 1]!.start)).toBe(true);
    expect(spans.at(-1)!.start + spans.at(-1)!.ms).toBe(56);
    expect(spans[1]).toEqual({ name: 'uplink', start: 2, ms: 4 });
  });

  it('counts pictures a second, and forgets', () => {
    const latency = new Latency(clock());
    for (let i = 0; i <= 20; i++) latency.painted(picture(i, i * 50));
    expect(latency.rate(1000)).toBeCloseTo(20);
    expect(latency.rate(9000)).toBe(0);
    latency.painted(picture(30, 9000));
    latency.painted(picture(30, 9010));
    expect(latency.rate(9010)).toBeLessThan(5);
  });
});

describe('Smoother', () => {
  it('begins and ends exactly where the pen did, without gaps', () => {
    const smoother = new Smoother({ x: 0, y: 0, pressure: 0.5 });
    const points = [[10, 3], [20, -2], [33, 8]] as const;
    const out = points.flatMap(([x, y]) => smoother.move({ x, y, pressure: 0.5 }));
    out.push(...smoother.finish({ x: 40, y: 8, pressure: 0.5 }));
    expect([out[0]!.x0, out[0]!.y0]).toEqual([0, 0]);
    expect([out.at(-1)!.x1, out.at(-1)!.y1]).toEqual([40, 8]);
    out.slice(1).forEach((segment, i) => expect([segment.x0, segment.y0]).toEqual([out[i]!.x1, out[i]!.y1]));
  });

  it('ignores a trembling hand', () => {
    expect(new Smoother({ x: 5, y: 5, pressure: 0.5 }).move({ x: 5.1, y: 5.1, pressure: 0.5 })).toEqual([]);
  });

  it('draws thicker under pressure', () => {
    expect(radius(20, 0.5)).toBe(10);
    expect(radius(20, 1)).toBeGreaterThan(radius(20, 0.1));
  });
});

describe('the capsule', () => {
  const state = (patch: Partial<PageState>): PageState =>
    ({ link: 'live', detail: { message: '', fraction: null, seconds: null }, notice: '', touched: true, awaiting: false, ...patch }) as PageState;

  it('has its own words for each state, and a remedy where there is one', () => {
    const links = ['connecting', 'live', 'warming', 'busy', 'reconnecting', 'offline', 'draining', 'failed', 'unauthorized'] as const;
    const said = links.map((link) => condition(state({ link }), null, null).words);
    expect(new Set(said).size).toBe(links.length);
    expect(condition(state({ link: 'unauthorized' }), null, null).remedy).toBe('token');
    expect(condition(state({ link: 'offline' }), null, null).remedy).toBe('retry');
  });

  it('says how far a warm-up is', () => {
    const warm = condition(state({ link: 'warming', detail: { message: '', fraction: 0.42, seconds: 7.6 } }), null, null);
    expect(warm.figure).toBe('42 % 8 s');
  });

  it('knows a slow line from a slow server', () => {
    expect(condition(state({}), 300, 700).words).toBe('Slow line');
    expect(condition(state({ awaiting: true }), 2500, 5).words).toBe('Slow server');
    expect(condition(state({}), 40, 5).tone).toBe('good');
  });
});
