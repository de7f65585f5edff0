import type { StoredEvent } from '../../log/index.ts';
import type { Move, ParkedRowOfKey } from './lane-store.ts';
import type { ParkedEvent } from './parking.ts';

/** Events of one batch after they were looked at; how they are written is the writer's own business. */
export interface PreparedBatch {
  readonly events: readonly StoredEvent[];
  /** What the commit parks, as far as it is known before it. */
  readonly parks: readonly ParkedEvent[];
  /** How many events change rows or could: those that are not parked. */
  readonly handled: number;
}

export interface DrainedEvent {
  readonly stored: StoredEvent;
  readonly row: ParkedRowOfKey;
}

/**
 * How one form of projection brings events into its table. The lane calls the methods one after the other, except that
 * `prepare` of the next batch runs while `commit` of the one before is under way.
 */
export interface BatchWriter<Batch extends PreparedBatch = PreparedBatch> {
  /** Opens and, in the folding form, folds the events, in memory. Parks what fails in `ParkedKeys`. */
  prepare(events: readonly StoredEvent[]): Promise<Batch>;
  /** Rows, parked rows and checkpoint in one transaction. Rejects without having written anything, unless the connection was lost. */
  commit(batch: Batch, move: Move): Promise<void>;
  /** Handles one parked event and deletes its parked rows in the same transaction. Answers what the event threw, or null. */
  drain(event: DrainedEvent): Promise<{ readonly error: unknown } | null>;
  /** Forgets what is in memory: the database decides. `untouched`: nothing was ever written to the table. */
  reset(untouched: boolean): void;
  /** Under which keys the event is parked. */
  keysOf(stored: StoredEvent): readonly string[];
  /** Whether a commit that failed for good shall be tried in halves, to find the event that is to blame. */
  readonly divisible: boolean;
  /** The largest batch. */
  readonly batchMax: number;
}
