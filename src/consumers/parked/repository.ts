import type { StoredEvent } from '../../log/index.ts';
import { loadQueries, type Queryable, type Row, run } from '../../postgres/index.ts';
import type { FailureDescription } from './describe-failure.ts';

const sql = loadQueries<
  'park' | 'take_rows' | 'keys_of_lanes' | 'positions_above' | 'due_keys' | 'find' | 'release_rows'
>(new URL('./parked.sql', import.meta.url));

/**
 * running: its handler may be running, or would be the next one to run. retrying: waits for its time.
 * waiting: behind another event of its key, or for its turn. quarantined: waits for a person.
 */
export type ParkedState = 'running' | 'retrying' | 'waiting' | 'quarantined';

/** Proof that the lane is still ours, sent along with every write. */
export interface Fence {
  readonly lane: number;
  readonly token: number;
  /** The highest position that the write touches in this lane; 0 when it moves none. */
  readonly position: number;
}

export interface ParkedScope {
  readonly consumerId: number;
  /** 0 = live. */
  readonly replayId: number;
}

/** One (event, key) to park, or to move to another state. */
export interface ParkRow {
  readonly lane: number;
  readonly key: string;
  readonly keyHash: number;
  readonly position: number;
  readonly state: ParkedState;
  readonly reason: string;
  /** Of a `retrying` row: how long from now, in milliseconds. */
  readonly delayMs: number | null;
}

/** What is stored of a failed attempt, once per event however many keys it has. */
export interface ParkFailure extends FailureDescription {
  readonly position: number;
  /** How often the event has failed, this time included. */
  readonly attempts: number;
  readonly eventId: string;
  readonly eventType: string;
  /** The last part of the type: `v1`. */
  readonly contractVersion: string;
  readonly codeVersion: string;
  readonly traceparent: string | null;
}

export interface ParkResult {
  /** The lanes whose fence held. Rows of the other lanes were not written. */
  readonly lanes: ReadonlySet<number>;
  readonly rows: readonly { readonly id: number; readonly key: string; readonly position: number }[];
}

export interface ParkRequest {
  readonly fences: readonly Fence[];
  readonly rows: readonly ParkRow[];
  readonly failures?: readonly ParkFailure[];
}

/** The fences of a set of rows: one per lane, with its highest position. */
export const fencesOf = (
  rows: readonly { readonly lane: number; readonly position: number }[],
  tokenOf: (lane: number) => number,
): Fence[] => {
  const highest = new Map<number, number>();
  for (const { lane, position } of rows) highest.set(lane, Math.max(position, highest.get(lane) ?? 0));
  return [...highest].map(([lane, position]) => ({ lane, token: tokenOf(lane), position }));
};

export const scopeValues = (scope: ParkedScope): readonly [number, number] => [
  scope.consumerId,
  scope.replayId,
];

/** Adds rows to `parked`, or changes the state of those that are there, and stores what is known of failed events. */
export const park = async (on: Queryable, scope: ParkedScope, request: ParkRequest): Promise<ParkResult> => {
  const [row] = await run(on, sql.park, [
    ...scopeValues(scope),
    JSON.stringify(request.fences),
    JSON.stringify(request.rows),
    JSON.stringify(request.failures ?? []),
  ]);
  return { lanes: new Set(row?.['lanes'] as number[]), rows: row?.['rows'] as ParkResult['rows'] };
};

export interface TakenRow {
  readonly id: number;
  readonly position: number;
  /** The state it was in before. */
  readonly was: ParkedState;
  /** How often it has failed so far. */
  readonly attempts: number;
  /** Whether it ever failed; followers of a failed event only wait. */
  readonly failed: boolean;
  /** A copy of the event, there when the log no longer holds it. */
  readonly envelope: unknown;
  /** The payload that a person put in place of the logged one, as JSON text. */
  readonly edited: string | null;
  /** The repair that handles it in the place of its handler. */
  readonly repair: string | null;
}

/** The event as a person has edited it; as it is in the log when nobody has. */
export const editedEvent = (event: StoredEvent, edited: string | null): StoredEvent =>
  edited === null ? event : { ...event, data: edited };

export interface TakeRequest {
  readonly fence: Fence;
  readonly key: string;
  readonly limit: number;
}

export interface TakenRows {
  readonly rows: readonly TakenRow[];
  /** Whether the key has rows behind these (or, without any, rows that may not run yet). */
  readonly more: boolean;
}

/** Marks the next rows of one key `running` and returns them; null when the lane is no longer ours. */
export const takeRows = async (
  on: Queryable,
  scope: ParkedScope,
  { fence, key, limit }: TakeRequest,
): Promise<TakenRows | null> => {
  const [row] = await run(on, sql.take_rows, [...scopeValues(scope), JSON.stringify([fence]), key, limit]);
  if (row?.['fenced'] !== 1) return null;
  return { rows: row['rows'] as TakenRow[], more: row['more'] === true };
};

/** Which lanes, of how many: parked rows carry the key, not the lane. */
export interface LaneSet {
  readonly laneCount: number;
  readonly lanes: readonly number[];
}

/** What stands at the head of a parked key. */
export interface ParkedHead {
  readonly key: string;
  readonly keyHash: number;
  readonly id: number;
  readonly position: number;
  readonly state: ParkedState;
  readonly reason: string;
  /** Of a `retrying` head: how long until it is due; negative when it is. */
  readonly delayMs: number | null;
}

export const parkedHeads = async (on: Queryable, scope: ParkedScope, set: LaneSet): Promise<ParkedHead[]> => {
  const rows = await run(on, sql.keys_of_lanes, [...scopeValues(scope), set.laneCount, set.lanes]);
  return rows.map((row) => ({
    key: String(row['key']),
    keyHash: Number(row['key_hash']),
    id: Number(row['id']),
    position: Number(row['position']),
    state: row['state'] as ParkedState,
    reason: String(row['reason']),
    delayMs: row['delay_ms'] === null ? null : Number(row['delay_ms']),
  }));
};

/** Positions above the checkpoints that are parked already, so that reading on passes over them. */
export const parkedPositionsAbove = async (
  on: Queryable,
  scope: ParkedScope,
  set: LaneSet & { readonly after: number },
): Promise<number[]> => {
  const values = [...scopeValues(scope), set.laneCount, set.lanes, set.after];
  return (await run(on, sql.positions_above, values)).map((row) => Number(row['position']));
};

export interface DueKeys {
  readonly keys: readonly string[];
  /** Milliseconds, by the database's clock, until the next retry is due; null when none waits. */
  readonly nextMs: number | null;
  /** A replay of this consumer is under way. */
  readonly replayed: boolean;
}

export const dueKeys = async (on: Queryable, scope: ParkedScope, set: LaneSet): Promise<DueKeys> => {
  const [row] = await run(on, sql.due_keys, [...scopeValues(scope), set.laneCount, set.lanes]);
  const nextMs = row?.['next_ms'] ?? null;
  return {
    keys: row?.['keys'] as string[],
    nextMs: nextMs === null ? null : Number(nextMs),
    replayed: row?.['replayed'] === true,
  };
};

/** A parked row as requests and people name it. */
export interface ParkedRecord {
  readonly id: number;
  readonly consumerId: number;
  readonly replayId: number;
  readonly key: string;
  readonly keyHash: number;
  readonly position: number;
  readonly state: ParkedState;
  readonly reason: string;
  readonly attempts: number;
  readonly eventId: string | null;
  readonly eventType: string | null;
  readonly failure: { readonly code: string; readonly message: string; readonly failureClass: string } | null;
}

export const findParked = async (on: Queryable, id: number): Promise<ParkedRecord | null> =>
  (await findParkedRows(on, [id]))[0] ?? null;

/** In the order of their keys and positions; numbers without a row are left out. */
export const findParkedRows = async (on: Queryable, ids: readonly number[]): Promise<ParkedRecord[]> =>
  (await run(on, sql.find, [ids])).map(parkedRecord);

const parkedRecord = (row: Row): ParkedRecord => {
  const code = row['error_code'];
  return {
    id: Number(row['id']),
    consumerId: Number(row['consumer_id']),
    replayId: Number(row['replay_id']),
    key: String(row['key']),
    keyHash: Number(row['key_hash']),
    position: Number(row['position']),
    state: row['state'] as ParkedState,
    reason: String(row['reason']),
    attempts: Number(row['attempts']),
    eventId: row['event_id'] as string | null,
    eventType: row['event_type'] as string | null,
    failure:
      code === null
        ? null
        : {
            code: String(code),
            message: String(row['error_message']),
            failureClass: String(row['failure_class']),
          },
  };
};

/** One row that a person wants tried again. */
export interface ReleasedRow {
  readonly lane: number;
  readonly key: string;
  readonly position: number;
}

export interface ReleaseResult {
  /** The lanes that are still ours; rows of others were left as they are. */
  readonly lanes: ReadonlySet<number>;
  /** The positions that wait for their turn now; others are running, or gone. */
  readonly released: ReadonlySet<number>;
}

/** People want these tried again: each waits for its turn and has all its attempts before it. */
export const releaseRows = async (
  on: Queryable,
  scope: ParkedScope,
  { fences, rows }: { readonly fences: readonly Fence[]; readonly rows: readonly ReleasedRow[] },
): Promise<ReleaseResult> => {
  const values = [...scopeValues(scope), JSON.stringify(fences), JSON.stringify(rows)];
  const [row] = await run(on, sql.release_rows, values);
  return { lanes: new Set(row?.['lanes'] as number[]), released: new Set(row?.['released'] as number[]) };
};
