import type { StoredEvent } from '../../log/index.ts';
import type { OnReplay } from './handler.ts';

/** On which terms a governed replay delivers an event again. */
export interface ReplayTerms {
  readonly id: number;
  readonly effects: OnReplay;
  readonly publish: 'suppress' | 'publish';
  /** Events a second that all of it may handle now. */
  readonly rate: number;
}

/** One event that is to be handled, while it is in memory. */
export interface Entry {
  readonly event: StoredEvent;
  readonly position: number;
  /** The ordering key, which is not the event's key under `ordering: 'none'` and `'global'`. */
  readonly key: string;
  readonly keyHash: number;
  readonly lane: number;
  /** How often it has failed so far. */
  attempts: number;
  /** Whether it holds the lane's mark: read from the log, and neither handled nor parked yet. */
  open: boolean;
  /** Whether `parked` has a row for it, which its commit has to delete. */
  parked: boolean;
  /** Whether the statement that ends it deletes that row: it may have been parked after the statement was made. */
  deletesRow: boolean;
  /** The number that people know it by, when it has failed before. */
  readonly releasedId: number | null;
  /** The repair that a person has redirected it to; null: its handler. */
  readonly repair: string | null;
  /** It may have taken the previous owner down: it runs alone, and its attempt is on record before it begins. */
  suspect: boolean;
  /** The replay that delivers it again; null in live operation. */
  readonly replay: ReplayTerms | null;
}

/** About what the event takes in memory. */
export const entryBytes = ({ event }: Entry): number =>
  event.data.length + event.meta.length + entryOverheadBytes;

/** Objects, headers and pointers; an estimate. */
const entryOverheadBytes = 500;
