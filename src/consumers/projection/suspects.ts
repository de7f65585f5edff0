import { FactlineError } from '../../foundation/index.ts';
import type { StoredEvent } from '../../log/index.ts';
import type { SuspectGate } from '../suspect-gate.ts';
import type { LaneStore } from './lane-store.ts';

/** So many processes may die at one event before its rows are quarantined. */
const deathsMax = 3;
/** One death may have any reason; when the next owner dies at the same checkpoint, an event of the batch is suspected. */
const deadOwnersAllowed = 1;
/**
 * How many events are handled together after one more owner has died, and after another; then one by one. Every narrowing costs a
 * process, so it goes by sixteenths: of 4,000 events one bad one is found in three, and without any 32 commits do.
 */
const groupSizes = [128, 8] as const;

export interface SuspectsOptions {
  readonly store: LaneStore;
  readonly batchMax: number;
  readonly gate: SuspectGate;
  /** The lane's end: nobody waits for a turn any longer. */
  readonly ending: AbortSignal;
}

/**
 * Events that take the process down (an endless loop, an exit, all memory) cannot be counted by code that runs after a
 * failure. When owners die in a row without the checkpoint having moved, what they may have had in flight is suspected:
 *
 *   2 deaths              groups of 128 ──┐ each commits alone;
 *   a death in a group    groups of 8   ──┤ what it passed is cleared
 *   a death in a group    one by one    ──┘
 *
 * An event that runs alone has its attempt on record before any code runs for it; after three deaths it is quarantined.
 */
export class Suspects {
  readonly #store: LaneStore;
  readonly #gate: SuspectGate;
  readonly #ending: AbortSignal;
  /** One batch that was committing, and one that was prepared meanwhile. */
  readonly #inFlightMax: number;
  /** Suspected events that are still to come, and how many of them are handled together. */
  #left = 0;
  #size = 1;
  #deadOwners = 0;

  constructor({ store, batchMax, gate, ending }: SuspectsOptions) {
    this.#store = store;
    this.#gate = gate;
    this.#ending = ending;
    this.#inFlightMax = 2 * batchMax;
  }

  /** After a takeover, before the lane works. */
  async look(): Promise<void> {
    const { lease } = this.#store;
    if (lease.clean) return;
    const { times, recorded } = await this.#store.noteDeadOwner();
    // The dead owner may not have come to it.
    await this.#store.forgetSuspects();
    if (times <= deadOwnersAllowed && !recorded) return;
    // A process that died in a group had nothing else in flight.
    const narrowed = recorded ? groupSizes.length : times - deadOwnersAllowed - 1;
    this.#size = groupSizes[narrowed] ?? 1;
    this.#left = narrowed === 0 ? this.#inFlightMax : (groupSizes[narrowed - 1] ?? groupSizes[1]);
    this.#deadOwners = times;
  }

  get any(): boolean {
    return this.#left > 0;
  }

  /** How many of the next events are to be handled together, at most; null: none of them is suspected. */
  get groupMax(): number | null {
    return this.any ? Math.min(this.#size, this.#left) : null;
  }

  /** One suspect, or one group, runs at a time in the process: `work` in its turn, or `otherwise` when the lane ends before it comes. */
  async alone<T>(work: () => Promise<T>, otherwise: T): Promise<T> {
    if (!(await this.#gate.enter(this, this.#ending))) return otherwise;
    try {
      return await work();
    } finally {
      this.#gate.leave(this);
    }
  }

  /** Before an event runs: null, or the error with which it is quarantined instead. */
  async begin(stored: StoredEvent): Promise<FactlineError | null> {
    const deaths = await this.#store.beginSuspect(stored, deathsMax);
    if (deaths < deathsMax) return null;
    const details = { eventId: stored.id, attempts: deaths, id: `(event ${stored.id})` };
    return new FactlineError('KILLED_PROCESS', details);
  }

  /** Before a group runs: its commit, like any, clears what was counted, but what comes behind it is suspected as before. */
  beginGroup(): Promise<void> {
    return this.#store.keepDeadOwners(this.#deadOwners);
  }

  /**
   * Suspects were dealt with. What was recorded of harmless ones is forgotten after the last: nothing that came into the
   * log after the takeover was in flight before it.
   */
  async passed(count: number, position: number): Promise<void> {
    this.#left = position >= this.#store.lease.settledAtTakeover ? 0 : Math.max(0, this.#left - count);
    if (this.#left === 0) await this.#store.forgetSuspects();
  }
}
