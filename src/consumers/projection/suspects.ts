import { FactlineError } from '../../foundation/index.ts';
import type { StoredEvent } from '../../log/index.ts';
import type { SuspectGate } from '../suspect-gate.ts';
import type { LaneStore } from './lane-store.ts';

/** So many processes may die at one event before its rows are quarantined. */
const deathsMax = 3;
/** One death may have any reason; when the next owner dies at the same checkpoint, an event of the batch is suspected. */
const deadOwnersAllowed = 1;

export interface SuspectsOptions {
  readonly store: LaneStore;
  readonly batchMax: number;
  readonly gate: SuspectGate;
  /** The lane's end: nobody waits for a turn any longer. */
  readonly ending: AbortSignal;
}

/**
 * Events that take the process down (an endless loop, an exit, all memory) cannot be counted by code that runs after a
 * failure. When owners die in a row without the checkpoint having moved, what they may have had in flight is handled one
 * event at a time, with the attempt on record before any code runs for it; after three deaths it is quarantined.
 */
export class Suspects {
  readonly #store: LaneStore;
  readonly #gate: SuspectGate;
  readonly #ending: AbortSignal;
  /** One batch that was committing, and one that was prepared meanwhile. */
  readonly #inFlightMax: number;
  #left = 0;

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
    if (times > deadOwnersAllowed || recorded) this.#left = this.#inFlightMax;
  }

  /** Whether the next event is to be handled alone. */
  get any(): boolean {
    return this.#left > 0;
  }

  /** One suspect runs at a time in the process: `work` in its turn, or `otherwise` when the lane ends before it comes. */
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

  /**
   * A suspect was dealt with. What was recorded of harmless ones is forgotten after the last: nothing that came into the
   * log after the takeover was in flight before it.
   */
  async passed(position: number): Promise<void> {
    this.#left = position >= this.#store.lease.settledAtTakeover ? 0 : this.#left - 1;
    if (this.#left === 0) await this.#store.forgetSuspects();
  }
}
