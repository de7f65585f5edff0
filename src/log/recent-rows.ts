import { laneOf } from '../foundation/index.ts';
import { type StoredEvent, storedSize } from './stored-event.ts';

export interface EventBatch {
  readonly events: StoredEvent[];
  /** Everything up to here was looked at, also what did not match. */
  readonly upTo: number;
}

export type EventTypes = ReadonlySet<string> | 'all';

/** One part of the log's keys, by their hash: lane `lane` of `lanes`. */
export interface KeyShare {
  readonly lane: number;
  readonly lanes: number;
}

/** Which events a cursor answers. */
export interface EventFilter {
  readonly types: EventTypes;
  /** Null, the default: those of every key. */
  readonly share?: KeyShare | null;
}

/** Enough for a consumer that pauses for some seconds at a thousand events a second. */
const rowsMax = 4096;
/** One payload may have a megabyte: the number of rows alone bounds nothing. */
const bytesMax = 32 * 1024 * 1024;

/**
 * The newest settled events, shared by every cursor of the process: all rows with `from` < position ≤ `to`.
 * Old ones leave at the front; a cursor that stands before `from` must read by itself.
 */
export class RecentRows {
  #rows: StoredEvent[] = [];
  /** Rows before this index have left; the array is cut now and then. */
  #first = 0;
  #bytes = 0;
  #from: number;
  #to: number;

  constructor(position: number) {
    this.#from = position;
    this.#to = position;
  }

  get from(): number {
    return this.#from;
  }

  get to(): number {
    return this.#to;
  }

  get size(): number {
    return this.#rows.length - this.#first;
  }

  /** Forgets all rows and covers from `position` on. */
  reset(position: number): void {
    this.#rows = [];
    this.#first = 0;
    this.#bytes = 0;
    this.#from = position;
    this.#to = position;
  }

  /** Adds the next settled rows, ascending, and everything up to `upTo`. */
  append(rows: readonly StoredEvent[], upTo: number): void {
    for (const row of rows) {
      this.#rows.push(row);
      this.#bytes += storedSize(row);
    }
    this.#to = Math.max(this.#to, upTo);
    while (this.size > rowsMax || (this.#bytes > bytesMax && this.size > 1)) this.#evict();
    if (this.#first > rowsMax) {
      this.#rows = this.#rows.slice(this.#first);
      this.#first = 0;
    }
  }

  /** The next events after `after` (which must be ≥ `from`) that match, at most `max`. */
  take(after: number, max: number, { types, share = null }: EventFilter): EventBatch {
    const events: StoredEvent[] = [];
    for (let index = this.#firstAfter(after); index < this.#rows.length; index += 1) {
      const row = this.#rows[index] as StoredEvent;
      if (types !== 'all' && !types.has(row.type)) continue;
      if (share !== null && laneOf(row.keyHash, share.lanes) !== share.lane) continue;
      events.push(row);
      if (events.length === max) return { events, upTo: row.position };
    }
    return { events, upTo: Math.max(after, this.#to) };
  }

  #evict(): void {
    const row = this.#rows[this.#first] as StoredEvent;
    this.#bytes -= storedSize(row);
    this.#from = row.position;
    this.#first += 1;
  }

  #firstAfter(position: number): number {
    let low = this.#first;
    let high = this.#rows.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#rows[middle] as StoredEvent).position <= position) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
