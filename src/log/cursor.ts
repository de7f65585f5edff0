import { type Clock, FactlineError } from '../foundation/index.ts';
import { classifyDatabaseError, type Database } from '../postgres/index.ts';
import { BatchLimit } from './batch-limit.ts';
import { reconnectDelayMs } from './polling.ts';
import { readRange } from './reading.ts';
import type { EventBatch, EventFilter, RecentRows } from './recent-rows.ts';
import { storedSize } from './stored-event.ts';

export interface NextOptions {
  /** At most this many events; at least 1. */
  readonly max: number;
  /** Ends the wait: `next` then answers with no events and an unmoved `upTo`. */
  readonly signal?: AbortSignal;
}

/**
 * One consumer's place in the log. `next` answers the following events that match, in position order, and never one
 * beyond the settled position. Use it by one caller at a time.
 * @example
 * const { events, upTo } = await cursor.next({ max: 500, signal })
 */
export interface LogCursor {
  /** Everything up to here was answered. */
  readonly position: number;
  /**
   * Waits until there is something beyond `position`; `events` may be empty when nothing there matched.
   * Errors of the database that pass by themselves are waited out.
   * @throws FactlineError LOG_COMPACTED, LOG_WENT_BACKWARDS; STOPPED when the tail was stopped.
   */
  next(options: NextOptions): Promise<EventBatch>;
  /** Goes on after `position`, forwards or backwards. */
  seek(position: number): void;
}

/** What a cursor needs of the tail. */
export interface CursorSource {
  readonly settled: number;
  readonly rows: RecentRows;
  /** Resolves when the settled position is beyond `position`, or when the signal aborts. Rejects with STOPPED. */
  whenBeyond(position: number, signal?: AbortSignal): Promise<void>;
}

export interface CursorOptions extends EventFilter {
  readonly source: CursorSource;
  readonly database: Database;
  readonly clock: Clock;
  readonly after: number;
}

const rowsStart = 250;
const rowsMax = 2000;
/** Positions that one filtered read may pass over: bounds its time, since no index leads by type. */
const spanMax = 20_000;

interface Ahead {
  readonly after: number;
  readonly batch: Promise<EventBatch>;
}

/*
 *   near    position ≥ rows.from: served from the rows that the tail keeps, without a query
 *   behind  position < rows.from: reads ranges by itself; while one batch is worked on the next is on its way
 */
export class TailCursor implements LogCursor {
  readonly #options: CursorOptions;
  readonly #limit = new BatchLimit({ rowsStart, rowsMax });
  #position: number;
  /** What was read and not yet answered; its events lie beyond `position`. */
  #rest: EventBatch | null = null;
  #restFirst = 0;
  #ahead: Ahead | null = null;

  constructor(options: CursorOptions) {
    this.#options = options;
    this.#position = options.after;
  }

  get position(): number {
    return this.#position;
  }

  seek(position: number): void {
    this.#position = position;
    this.#rest = null;
    this.#ahead = null;
  }

  async next(options: NextOptions): Promise<EventBatch> {
    const { source } = this.#options;
    const { max, signal } = options;
    const start = this.#position;
    if (!Number.isSafeInteger(max) || max < 1) {
      throw new FactlineError('OPTION_INVALID', {
        option: 'max',
        expected: 'a positive integer',
        actual: max,
      });
    }
    if (!this.#rest) await source.whenBeyond(start, signal);
    // A seek during the wait makes its answer worthless.
    if (signal?.aborted || this.#position !== start) return { events: [], upTo: this.#position };
    if (!this.#rest && start >= source.rows.from) {
      this.#ahead = null;
      const batch = source.rows.take(start, max, this.#options);
      this.#position = batch.upTo;
      return batch;
    }
    return this.#nextBehind(max, signal);
  }

  async #nextBehind(max: number, signal: AbortSignal | undefined): Promise<EventBatch> {
    const start = this.#position;
    if (!this.#rest) {
      const batch = await this.#read(signal);
      if (batch === null || this.#position !== start) return { events: [], upTo: this.#position };
      this.#rest = batch;
      this.#restFirst = 0;
    }
    const rest = this.#rest;
    const first = this.#restFirst;
    const end = Math.min(first + max, rest.events.length);
    const events = first === 0 && end === rest.events.length ? rest.events : rest.events.slice(first, end);
    this.#restFirst = end;
    if (end === rest.events.length) this.#rest = null;
    this.#position = this.#rest ? (events.at(-1)?.position ?? start) : rest.upTo;
    return { events, upTo: this.#position };
  }

  /** The batch after `position`, and the one after it is begun. Null when the signal aborted. */
  async #read(signal: AbortSignal | undefined): Promise<EventBatch | null> {
    const { clock } = this.#options;
    for (let failures = 1; ; failures += 1) {
      const ahead = this.#ahead?.after === this.#position ? this.#ahead : this.#begin(this.#position);
      this.#ahead = null;
      try {
        const batch = await ahead.batch;
        if (signal?.aborted) return null;
        this.#learn(batch);
        if (batch.upTo < this.#options.source.rows.from) this.#ahead = this.#begin(batch.upTo);
        return batch;
      } catch (error) {
        const passing =
          classifyDatabaseError(error) === 'transient' || FactlineError.is(error, 'DATABASE_UNREACHABLE');
        if (!passing) throw error;
        await clock.sleep(reconnectDelayMs(failures), signal);
        if (signal?.aborted) return null;
      }
    }
  }

  #begin(after: number): Ahead {
    const { source, database, types, share = null } = this.#options;
    // A lane's events lie as many times farther apart as there are lanes.
    const span =
      types === 'all' && share === null ? Number.MAX_SAFE_INTEGER : after + spanMax * (share?.lanes ?? 1);
    const upTo = Math.min(source.settled, span);
    const batch = readRange(database.operations, { after, upTo, types, share, limit: this.#limit.rows });
    // Nobody may be waiting for it yet, or ever: the error is met by whoever awaits the batch.
    batch.catch(() => undefined);
    return { after, batch };
  }

  #learn(batch: EventBatch): void {
    let bytes = 0;
    for (const event of batch.events) bytes += storedSize(event);
    this.#limit.learn(batch.events.length, bytes);
  }
}
