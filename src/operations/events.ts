import type { EnvelopeMeta } from '../contracts/index.ts';
import { FactlineError, keyHash, laneOf } from '../foundation/index.ts';
import { readHead } from '../log/index.ts';
import { loadQueries, type Queryable, type Row, run } from '../postgres/index.ts';

const sql = loadQueries<'last_events' | 'find_by_position' | 'find_by_id' | 'find_caused' | 'deliveries'>(
  new URL('./events.sql', import.meta.url),
);

/** An event as it stands in the log, parsed. Times are ISO 8601. */
export interface LoggedEvent {
  readonly position: number;
  readonly id: string;
  readonly type: string;
  readonly source: string;
  readonly key: string;
  readonly data: unknown;
  readonly meta: unknown;
  readonly time: string;
  readonly recordedAt: string;
}

/** What one consumer has done with an event. */
export interface Delivery {
  readonly consumer: string;
  readonly class: string;
  readonly build: number;
  /** False for a build of a projection that is still being filled. */
  readonly read: boolean;
  readonly state:
    | 'handled'
    | 'pending'
    | 'before its start'
    | 'running'
    | 'retrying'
    | 'waiting'
    | 'quarantined';
  /** The number for `quarantine show`; null unless it is parked. */
  readonly parkedId: number | null;
  /** What the last failed attempt threw; null unless it is parked and has failed. */
  readonly reason: string | null;
}

/** An event that another one names; without payload and key, which contracts may hide. */
export type LinkedEvent = Pick<LoggedEvent, 'position' | 'id' | 'type' | 'source' | 'recordedAt'>;

/** The event (or command) whose handling published an event, and what was published while this one was handled: its replies, too. */
export interface CausalLinks {
  readonly cause: LinkedEvent | null;
  readonly ledTo: readonly LinkedEvent[];
}

/** What of an event decides who handles it. */
export interface DeliveredEvent {
  readonly position: number;
  readonly id: string;
  readonly type: string;
  readonly keyHash: number;
}

/** A filter that matches seldom must not walk the whole log. */
const rowsLookedAtMax = 200_000;
const idSpan = 1_000_000;
const causedSpan = 200_000;
const causedMax = 50;

export interface LastEvents {
  /** Nothing above it: the settled position. */
  readonly upTo: number;
  readonly types: readonly string[] | null;
  readonly key: string | null;
  readonly limit: number;
}

/** The newest matching events among the last 200,000, in position order. */
export const lastEvents = async (
  on: Queryable,
  { upTo, types, key, limit }: LastEvents,
): Promise<LoggedEvent[]> => {
  const rows = await run(on, sql.last_events, [upTo, types, key, limit, rowsLookedAtMax]);
  return rows.map(logged).reverse();
};

const logged = (row: Row): LoggedEvent => ({
  position: Number(row['position']),
  id: String(row['id']),
  type: String(row['type']),
  source: String(row['source']),
  key: String(row['key']),
  data: row['data'],
  meta: row['meta'],
  time: String(row['time']),
  recordedAt: String(row['recorded_at']),
});

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/**
 * One event by its position or id. By id the log is walked from the newest events back, a million positions at a time.
 * @throws FactlineError EVENT_NOT_FOUND, OPTION_INVALID
 */
export const findEvent = async (
  on: Queryable,
  which: string,
): Promise<{ readonly event: LoggedEvent; readonly deliveries: readonly Delivery[] }> => {
  const row = await findRow(on, which);
  if (row === undefined) throw new FactlineError('EVENT_NOT_FOUND', { event: which });
  const event = logged(row);
  const deliveries = await readDeliveries(on, [{ ...event, keyHash: Number(row['key_hash']) }]);
  return { event, deliveries: deliveries.get(event.position) ?? [] };
};

/** By position: what each consumer of its type has done with an event. */
export const readDeliveries = async (
  on: Queryable,
  events: readonly DeliveredEvent[],
): Promise<ReadonlyMap<number, readonly Delivery[]>> => {
  const positions = events.map(({ position }) => position);
  const rows = await run(on, sql.deliveries, [positions, events.map(({ type }) => type)]);
  const byPosition = Map.groupBy(rows, (row) => Number(row['position']));
  return new Map(
    events.map((event) => [
      event.position,
      (byPosition.get(event.position) ?? []).map((row) => delivery(row, event)),
    ]),
  );
};

const findRow = async (on: Queryable, which: string): Promise<Row | undefined> => {
  if (/^\d{1,16}$/.test(which)) return (await run(on, sql.find_by_position, [Number(which)]))[0];
  if (!uuid.test(which)) {
    throw new FactlineError('OPTION_INVALID', {
      option: 'EVENT',
      expected: 'a position or an event id (UUID)',
      actual: which,
    });
  }
  const { visible } = await readHead(on);
  return walkBack(on, which, visible);
};

const walkBack = async (on: Queryable, id: string, from: number): Promise<Row | undefined> => {
  for (let upTo = from; upTo > 0; upTo -= idSpan) {
    const [row] = await run(on, sql.find_by_id, [id, Math.max(0, upTo - idSpan), upTo]);
    if (row !== undefined) return row;
  }
  return undefined;
};

/** What stands before and behind an event in its story; at most fifty events that it led to, within 200,000 positions. */
export const findLinks = async (on: Queryable, { position, id, meta }: LoggedEvent): Promise<CausalLinks> => {
  const { causationId } = meta as EnvelopeMeta;
  const cause = causationId === undefined ? undefined : await walkBack(on, causationId, position - 1);
  const caused = await run(on, sql.find_caused, [position, position + causedSpan, id, causedMax]);
  return { cause: cause === undefined ? null : linked(cause), ledTo: caused.map(linked) };
};

const linked = (row: Row): LinkedEvent => ({
  position: Number(row['position']),
  id: String(row['id']),
  type: String(row['type']),
  source: String(row['source']),
  recordedAt: String(row['recorded_at']),
});

const delivery = (row: Row, event: DeliveredEvent): Delivery => ({
  consumer: String(row['consumer']),
  class: String(row['class']),
  build: Number(row['build']),
  read: row['state'] === 'live',
  state: deliveryState(row, event),
  parkedId: row['parked_id'] === null ? null : Number(row['parked_id']),
  reason: row['parked_id'] === null ? null : (row['reason'] as string | null),
});

const deliveryState = (row: Row, event: DeliveredEvent): Delivery['state'] => {
  if (row['parked_state'] !== null) return row['parked_state'] as Delivery['state'];
  if (row['handled_at'] !== null) return 'handled';
  if (event.position <= Number(row['start_position'])) return 'before its start';
  const checkpoints = (row['checkpoints'] as number[] | null) ?? [];
  const orderingHash = row['ordering'] === 'none' ? keyHash(event.id) : event.keyHash;
  const lane = checkpoints.length <= 1 ? 0 : laneOf(orderingHash, checkpoints.length);
  return event.position <= (checkpoints[lane] ?? 0) ? 'handled' : 'pending';
};
