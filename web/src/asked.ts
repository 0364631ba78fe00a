/**
 * The parameters that the server has, and those that are on their way to it.
 *
 * Role: a snapshot of the server's doesn't hold what was accepted after it, nor what has no answer
 * yet: that lies on top of it, as docs/protocol.md says. A refused edit is taken out, and what it
 * was to replace is there again. It does not know controls, the wire, or what wasn't sent.
 */

import type { Params } from './protocol';

const KEPT = 96;

interface Edit {
  id: number;
  revision: number | null;
  params: Params;
}

export class Asked {
  private base: Params = {};
  private edits: Edit[] = [];

  /** What the server will have, once it has answered everything. */
  get params(): Params {
    return Object.assign({}, this.base, ...this.edits.map((edit) => edit.params));
  }

  /** Another session: nothing is on its way. */
  reset(params: Params): void {
    this.base = params;
    this.edits = [];
  }

  /** The server's parameters at `revision`. */
  snapshot(revision: number, params: Params): void {
    this.base = params;
    this.edits = this.edits.filter((edit) => edit.revision === null || edit.revision > revision);
  }

  sent(id: number, params: Params): void {
    this.edits.push({ id, revision: null, params });
    while (this.edits.length > KEPT && this.edits[0]!.revision !== null) {
      this.base = { ...this.base, ...this.edits.shift()!.params };
    }
  }

  accepted(id: number, revision: number): void {
    for (const edit of this.edits) {
      if (edit.id <= id) edit.revision ??= revision;
    }
  }

  /** Was `id` one of these edits? Then it is none any more. */
  refused(id: number): boolean {
    const before = this.edits.length;
    this.edits = this.edits.filter((edit) => edit.id !== id);
    return this.edits.length < before;
  }
}
