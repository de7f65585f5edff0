import { FactlineError } from '../../foundation/index.ts';
import type { StoredEvent } from '../../log/index.ts';
import type { LaneStore } from './lane-store.ts';

/** So many processes may die at one event before its rows are quarantined. */
const deathsMax = 3;
/** One death may have any reason; when the next owner dies at the same checkpoint, an event of the batch is suspected. */
const deadOwnersAllowed = 1;

/**
 * Events that take the process down (an endless loop, an exit, all memory) cannot be counted by code that runs after a
 * failure. When owners die in a row without the checkpoint having moved, what they may have had in flight is handled one
 * event at a time, with the attempt on record before any code runs for it; after three deaths it is quarantined.
 */
export class Suspects {
  readonly #store: LaneStore;
  /** One batch that was committing, and one that was prepared meanwhile. */
  readonly #inFlightMax: number;
  #left = 0;

  constructor(store: LaneStore, batchMax: number) {
    this.#store = store;
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
