import { FactlineError } from '../foundation/index.ts';
import { loadQueries, type Queryable, run, runArrays, sqlState } from '../postgres/index.ts';
import type { EventBatch, EventFilter } from './recent-rows.ts';
import { type StoredEvent, storedEvent } from './stored-event.ts';

const sql = loadQueries<
  'read_range' | 'read_range_of_types' | 'read_range_of_share' | 'read_positions' | 'barrier' | 'head'
>(new URL('./reading.sql', import.meta.url));

export interface Range extends EventFilter {
  /** Exclusive. */
  readonly after: number;
  /** Inclusive; never above the settled position, or events that commit late are skipped. */
  readonly upTo: number;
  /** At most this many events. */
  readonly limit: number;
}

/**
 * The events of a range in position order, and up to where the range was looked at: the last event when `limit`
 * was reached, else its end.
 * @throws FactlineError LOG_COMPACTED when retention has removed the beginning of the range.
 * @example await readRange(database.operations, { after: 0, upTo: tail.settled, types: 'all', limit: 500 })
 */
export const readRange = async (on: Queryable, range: Range): Promise<EventBatch> => {
  const { after, upTo, limit } = range;
  if (upTo <= after) return { events: [], upTo: after };
  const rows = await readRows(on, range).catch((error: unknown) => {
    throw explainCompaction(error, after);
  });
  const events = rows.map((row) => storedEvent(row));
  const last = events.at(-1);
  return { events, upTo: last !== undefined && events.length >= limit ? last.position : upTo };
};

const readRows = (
  on: Queryable,
  { after, upTo, limit, types, share = null }: Range,
): Promise<unknown[][]> => {
  if (share !== null) {
    const wanted = types === 'all' ? null : [...types];
    return runArrays(on, sql.read_range_of_share, [after, upTo, limit, wanted, share.lanes, share.lane]);
  }
  return types === 'all'
    ? runArrays(on, sql.read_range, [after, upTo, limit])
    : runArrays(on, sql.read_range_of_types, [after, upTo, limit, [...types]]);
};

/** The events at these positions, ascending; positions without an event are left out. */
export const readPositions = async (on: Queryable, positions: readonly number[]): Promise<StoredEvent[]> => {
  if (positions.length === 0) return [];
  const rows = await runArrays(on, sql.read_positions, [positions]);
  return rows.map((row) => storedEvent(row));
};

export interface LogHead {
  /** The highest position that is visible now; 0 in an empty log. */
  readonly visible: number;
  /** The highest position that was given to anybody, committed or not. */
  readonly given: number;
}

/** Where the log ends at this moment. */
export const readHead = async (on: Queryable): Promise<LogHead> => {
  const [row] = await run(on, sql.head);
  return { visible: Number(row?.['visible']), given: Number(row?.['given']) };
};

/** The highest position given so far: once the tail has settled it, everything that is committed now was read. */
export const readBarrier = async (on: Queryable): Promise<number> => {
  const [row] = await run(on, sql.barrier);
  return Number(row?.['barrier']);
};

const explainCompaction = (error: unknown, after: number): unknown => {
  if (sqlState(error) !== 'FL004') return error;
  const compactedBelow = (error as { detail?: unknown }).detail;
  return new FactlineError('LOG_COMPACTED', { after, compactedBelow }, { cause: error });
};
