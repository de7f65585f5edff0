import type { SeenProcess } from './picture.ts';

/** A process whose beat stood still for this long, by the observer's monotonic clock, has lost its leases. */
export const leaseMs = 10_000;

export interface Observer {
  readonly self: number;
  readonly nowMs: number;
  /** False for one lease after the observer itself has lost its session: others may not be back yet. */
  readonly locksProve: boolean;
}

interface Observation {
  readonly beat: number;
  readonly sinceMs: number;
}

/**
 * Who lives, as this process can tell. Dead is
 * - at once: whose session lock is gone from pg_locks, if it had a direct session on this server since its last start;
 * - after `leaseMs`: whose beat did not change meanwhile. No wall clock is involved, so no jump of one expires anything;
 *   a process that is seen for the first time has the whole time before it.
 * After a restart of the server every session lock is gone, which proves nothing. A restart shows in the server's start
 * time, or (after a crash of its own) in the loss of the observer's session: then only the beat counts for a while.
 */
export class Liveness {
  readonly #observed = new Map<number, Observation>();

  /** The ids of the processes that live, in rising order. `self` is one of them: who asks, lives. */
  observe(processes: readonly SeenProcess[], { self, nowMs, locksProve }: Observer): readonly number[] {
    const present = new Set(processes.map((process) => process.id));
    for (const id of this.#observed.keys()) if (!present.has(id)) this.#observed.delete(id);
    const live = processes.filter(
      (process) => process.id === self || this.#lives(process, nowMs, locksProve),
    );
    return live.map((process) => process.id).sort((left, right) => left - right);
  }

  #lives(process: SeenProcess, nowMs: number, locksProve: boolean): boolean {
    const before = this.#observed.get(process.id);
    if (before?.beat !== process.beat) this.#observed.set(process.id, { beat: process.beat, sinceMs: nowMs });
    if (locksProve && process.provable && !process.locked) return false;
    return before?.beat !== process.beat || nowMs - before.sinceMs < leaseMs;
  }
}
