/**
 * The server's clock on the page's: the offset of the quickest of the last pings.
 * A ping's answer was read somewhere within the round trip; taking the middle of the shortest one
 * is wrong by half of that trip's asymmetry at most.
 */

export class ServerClock {
  private samples: Array<{ trip: number; offset: number }> = [];

  sample(at: number, server: number, now: number): void {
    const trip = now - at;
    if (trip < 0) return;
    this.samples.push({ trip, offset: server - (at + now) / 2 });
    if (this.samples.length > 8) this.samples.shift();
  }

  get known(): boolean {
    return this.samples.length >= 4;
  }

  get trip(): number | null {
    return this.best?.trip ?? null;
  }

  /** The page's time at the server's `server` ms, or null before the first pong. */
  local(server: number): number | null {
    const best = this.best;
    return best === undefined ? null : server - best.offset;
  }

  forget(): void {
    this.samples = [];
  }

  private get best(): { trip: number; offset: number } | undefined {
    return this.samples.reduce<{ trip: number; offset: number } | undefined>(
      (least, sample) => (least === undefined || sample.trip < least.trip ? sample : least),
      undefined,
    );
  }
}
