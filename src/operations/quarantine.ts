import { FactlineError } from '../foundation/index.ts';
import { loadQueries, type Queryable, type Row, run } from '../postgres/index.ts';
import type { ConsumerClassName } from './facts.ts';

const sql = loadQueries<'list_parked' | 'show_parked' | 'find_consumer' | 'consumer_names'>(
  new URL('./quarantine.sql', import.meta.url),
);

export type ParkedStateName = 'running' | 'retrying' | 'waiting' | 'quarantined';

/** One parked event in a list. Times are ISO 8601, by the database's clock. */
export interface ParkedSummary {
  /** What people type: `quarantine show 7`. */
  readonly id: number;
  readonly consumer: string;
  readonly class: ConsumerClassName;
  readonly build: number;
  readonly key: string;
  /** personal or secret, when the contract says so of a field that forms the key. */
  readonly keyLevel: string | null;
  readonly position: number;
  readonly type: string | null;
  readonly eventId: string | null;
  readonly state: ParkedStateName;
  readonly reason: string;
  readonly attempts: number;
  readonly failureClass: string | null;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
  readonly fingerprint: string | null;
  /** The group of its failure, from `quarantine groups`; null: it was never in quarantine. */
  readonly group: number | null;
  /** Events of the same key that wait behind it; at most 1,000 are counted. */
  readonly waiting: number;
  readonly nextAt: string | null;
  readonly parkedAt: string;
  readonly recordedAt: string | null;
}

/** Everything that is known of one parked event. */
export interface ParkedDetail extends ParkedSummary {
  readonly consumerId: number;
  readonly app: string;
  readonly source: string | null;
  readonly time: string | null;
  /** As the log has it, or as a person has edited it. */
  readonly data: unknown;
  readonly meta: unknown;
  readonly killedAttempts: number;
  readonly errorStack: string | null;
  readonly errorCauses: readonly ParkedCause[];
  readonly history: readonly ParkedAttempt[];
  readonly contractVersion: string | null;
  readonly codeVersion: string | null;
  readonly traceparent: string | null;
  readonly firstFailedAt: string | null;
  readonly lastFailedAt: string | null;
  readonly effects: readonly ParkedEffect[];
  readonly requests: readonly ParkedRequest[];
  /** The releases of its group that it was part of. */
  readonly releases: readonly ParkedRelease[];
}

export interface ParkedCause {
  readonly name: string;
  readonly code: string | null;
  readonly message: string;
}

export interface ParkedAttempt {
  readonly at: string;
  readonly attempt: number;
  readonly class: string;
  readonly code: string;
  readonly message: string;
  readonly codeVersion: string;
}

export interface ParkedEffect {
  readonly name: string;
  readonly state: 'started' | 'done';
  readonly idempotencyKey: string;
  readonly startedAt: string;
  readonly doneAt: string | null;
  readonly result: unknown;
}

export interface ParkedRelease {
  readonly release: number;
  readonly actor: string;
  readonly state: 'selected' | 'sent' | 'handled' | 'failed' | 'gone';
  readonly sentAt: string | null;
  readonly endedAt: string | null;
  /** What it said when it failed again. */
  readonly failure: string | null;
}

export interface ParkedRequest {
  readonly id: number;
  readonly verb: string;
  readonly actor: string;
  readonly reason: string | null;
  readonly state: 'open' | 'done' | 'refused';
  readonly requestedAt: string;
  readonly answer: unknown;
}

export interface ParkedFilter {
  readonly consumer?: string;
  readonly group?: number;
  readonly states: readonly ParkedStateName[];
  /** Only numbers above this one: the last of the page before. */
  readonly after: number;
  readonly limit: number;
}

/** Parked events in the order of their numbers. @throws FactlineError CONSUMER_UNKNOWN */
export const listParked = async (on: Queryable, filter: ParkedFilter): Promise<ParkedSummary[]> => {
  const consumer = filter.consumer === undefined ? null : (await findConsumer(on, filter.consumer)).name;
  const rows = await run(on, sql.list_parked, [
    consumer,
    filter.states,
    filter.after,
    filter.limit,
    filter.group ?? null,
  ]);
  return rows.map(summary);
};

/** @throws FactlineError QUARANTINE_NOT_FOUND */
export const showParked = async (on: Queryable, id: number): Promise<ParkedDetail> => {
  const [row] = await run(on, sql.show_parked, [id]);
  if (row === undefined) throw new FactlineError('QUARANTINE_NOT_FOUND', { id });
  return {
    ...summary(row),
    consumerId: Number(row['consumer_id']),
    app: String(row['app']),
    source: text(row, 'source'),
    time: text(row, 'time'),
    data: row['data'],
    meta: row['meta'],
    killedAttempts: Number(row['killed_attempts']),
    errorStack: text(row, 'error_stack'),
    errorCauses: row['error_causes'] as ParkedCause[],
    history: row['history'] as ParkedAttempt[],
    contractVersion: text(row, 'contract_version'),
    codeVersion: text(row, 'code_version'),
    traceparent: text(row, 'traceparent'),
    firstFailedAt: text(row, 'first_failed_at'),
    lastFailedAt: text(row, 'last_failed_at'),
    effects: row['effects'] as ParkedEffect[],
    requests: row['requests'] as ParkedRequest[],
    releases: row['releases'] as ParkedRelease[],
  };
};

const text = (row: Row, column: string): string | null => (row[column] as string | null | undefined) ?? null;

const summary = (row: Row): ParkedSummary => ({
  id: Number(row['id']),
  consumer: String(row['consumer']),
  class: row['class'] as ConsumerClassName,
  build: Number(row['build']),
  key: String(row['key']),
  keyLevel: text(row, 'key_level'),
  position: Number(row['position']),
  type: text(row, 'type'),
  eventId: text(row, 'event_id'),
  state: row['state'] as ParkedStateName,
  reason: String(row['reason']),
  attempts: Number(row['attempts']),
  failureClass: text(row, 'failure_class'),
  errorCode: text(row, 'error_code'),
  errorMessage: text(row, 'error_message'),
  fingerprint: text(row, 'fingerprint'),
  group: row['group_id'] === null ? null : Number(row['group_id']),
  waiting: Number(row['waiting']),
  nextAt: text(row, 'next_at'),
  parkedAt: String(row['parked_at']),
  recordedAt: text(row, 'recorded_at'),
});

export interface ConsumerRecord {
  readonly id: number;
  readonly app: string;
  readonly name: string;
  readonly class: ConsumerClassName;
  readonly build: number;
  readonly version: number;
  readonly state: 'live' | 'building';
}

/** The stored consumer of this name, or of which it was the name once. @throws FactlineError CONSUMER_UNKNOWN */
export const findConsumer = async (on: Queryable, name: string): Promise<ConsumerRecord> => {
  const [row] = await run(on, sql.find_consumer, [name]);
  if (row === undefined) {
    const known = (await run(on, sql.consumer_names)).map((each) => String(each['name']));
    throw new FactlineError('CONSUMER_UNKNOWN', {
      consumer: name,
      known: known.length === 0 ? 'none' : known,
    });
  }
  return {
    id: Number(row['id']),
    app: String(row['app']),
    name: String(row['name']),
    class: row['class'] as ConsumerClassName,
    build: Number(row['build']),
    version: Number(row['version']),
    state: row['state'] as ConsumerRecord['state'],
  };
};
