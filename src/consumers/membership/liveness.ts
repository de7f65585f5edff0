import type { SeenProcess, SessionState } from './picture.ts';

/** A process whose beat stood still for this long, by the observer's monotonic clock, has lost its leases. */
export const leaseMs = 10_000;

/** So long a process that has lost its session with the server's life may take to come back with a new one. */
export const returnMs = 1_500;

export interface Observer {
  readonly self: number;
  readonly nowMs: number;
}

/** Who lives, in rising order of ids; `lookMs`: until somebody who is awaited is given up. */
export interface Observed {
  readonly live: readonly number[];
  readonly lookMs: number | null;
}

interface Observation {
  readonly beat: number;
  readonly session: SessionState;
  readonly sinceMs: number;
}

/**
 * Who lives, as this process can tell. Dead is
 * - at once: whose session lock is gone, if it took it in the present life of the server;
 * - after `returnMs`: who has not come back since the server restarted, and did not beat meanwhile. A restart takes every session
 *   with it, and who loses its session has stopped working, so nobody is interrupted by this; its lanes are worked again;
 * - after `leaseMs`: whose beat did not change meanwhile.
 * No wall clock is involved, so no jump of one expires anything; who is seen for the first time has the whole time before it.
 */
export class Liveness {
  readonly #observed = new Map<number, Observation>();

  /** `self` is one of the living: who asks, lives. */
  observe(processes: readonly SeenProcess[], { self, nowMs }: Observer): Observed {
    const present = new Set(processes.map(({ id }) => id));
    for (const id of this.#observed.keys()) if (!present.has(id)) this.#observed.delete(id);
    const live: number[] = [];
    const awaitedMs: number[] = [];
    for (const process of processes) {
      const leftMs = process.id === self ? leaseMs : this.#leftMs(process, nowMs);
      if (leftMs > 0) live.push(process.id);
      if (leftMs > 0 && process.id !== self && process.session === 'awaited') awaitedMs.push(leftMs);
    }
    live.sort((left, right) => left - right);
    return { live, lookMs: awaitedMs.length === 0 ? null : Math.min(...awaitedMs) };
  }

  #leftMs({ id, beat, session: seen }: SeenProcess, nowMs: number): number {
    const before = this.#observed.get(id);
    // A restart takes the proof with it: who was dead before is not awaited.
    const wasDead = before?.session === 'ended' && before.beat === beat && seen === 'awaited';
    const session = wasDead ? 'ended' : seen;
    const isSame = before?.beat === beat && before.session === session;
    if (!isSame) this.#observed.set(id, { beat, session, sinceMs: nowMs });
    if (session === 'ended') return 0;
    return (session === 'awaited' ? returnMs : leaseMs) - (isSame ? nowMs - before.sinceMs : 0);
  }
}
