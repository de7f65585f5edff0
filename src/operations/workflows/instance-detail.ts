import type { JournalEntry, RecordedFailure } from '../../consumers/index.ts';
import { loadQueries, type Queryable, type Row, run } from '../../postgres/index.ts';
import { findInstance, type InstanceSummary } from './instances.ts';

const sql = loadQueries<'read_instance' | 'read_calls' | 'read_undos' | 'read_repairs' | 'open_requests'>(
  new URL('./instance-detail.sql', import.meta.url),
);

/** A value of the journal as people see it: one that is too large is left out, with its size. */
export interface ShownValue {
  /** Null: nothing was returned, or it is too large. */
  readonly value: unknown;
  readonly tooLarge: boolean;
}

/** One call of the code, or one undo, with what is on record of it. Times are ISO 8601. */
export interface TimelineEntry
  extends Pick<JournalEntry, 'undo' | 'ordinal' | 'kind' | 'name' | 'state' | 'attempts' | 'completion'>,
    ShownValue {
  readonly error: RecordedFailure | null;
  /** Of a sleep, a wait with a time limit, or the next attempt of a step. */
  readonly dueAt: string | null;
  readonly beganAt: string | null;
  readonly endedAt: string | null;
  /** Of a wait that is open. */
  readonly waitsFor: { readonly type: string; readonly key: string } | null;
}

/** What a person did to an instance. */
export interface Repair {
  readonly id: number;
  readonly verb: string;
  readonly actor: string;
  readonly reason: string | null;
  readonly detail: Readonly<Record<string, unknown>>;
  readonly doneAt: string;
}

export interface OpenRequest {
  readonly id: number;
  readonly verb: string;
  readonly actor: string;
  readonly reason: string | null;
  readonly requestedAt: string;
}

/** Code and journal side by side, of an instance whose code no longer fits. */
export interface StoredDifference {
  /** The first ordinal at which they differ. */
  readonly ordinal: number;
  readonly recorded: readonly string[];
  readonly called: readonly string[];
}

export interface InstanceDetail extends InstanceSummary {
  /** The whole of it: what it hides must be known. */
  readonly input: unknown;
  readonly result: ShownValue;
  readonly failure: RecordedFailure | null;
  readonly difference: StoredDifference | null;
  /** The process that has it in memory. */
  readonly process: { readonly id: number; readonly host: string; readonly pid: number } | null;
  /** Calls of the code in order; the last ones where there are many. */
  readonly calls: readonly TimelineEntry[];
  /** Calls before those. */
  readonly earlierCalls: number;
  /** In the order in which they run. */
  readonly undos: readonly TimelineEntry[];
  readonly repairs: readonly Repair[];
  readonly requests: readonly OpenRequest[];
}

export interface DetailLimits {
  /** Calls, the last ones; and undos. */
  readonly calls: number;
  /** Bytes of one value. */
  readonly valueBytes: number;
}

/** @throws FactlineError WORKFLOW_INSTANCE_UNKNOWN */
export const showInstance = async (
  on: Queryable,
  id: number,
  { calls: callsMax, valueBytes }: DetailLimits,
): Promise<InstanceDetail> => {
  const summary = await findInstance(on, id);
  const [row = {}] = await run(on, sql.read_instance, [id, valueBytes]);
  const calls = (await run(on, sql.read_calls, [id, valueBytes, callsMax])).map(entryOf);
  const undos = (await run(on, sql.read_undos, [id, callsMax])).map(entryOf);
  const repairs = await run(on, sql.read_repairs, [id]);
  const requests = await run(on, sql.open_requests, [summary.executor.id, id]);
  return {
    ...summary,
    input: row['input'] ?? null,
    result: shown(row, 'result'),
    failure: row['failure'] as RecordedFailure | null,
    difference: differenceOf(row['stuck'] as StoredStuck | null),
    process:
      row['process'] === null
        ? null
        : { id: Number(row['process']), host: String(row['host']), pid: Number(row['pid']) },
    calls,
    earlierCalls: Math.max(0, calls[0]?.ordinal ?? 0),
    undos,
    repairs: repairs.map(repairOf),
    requests: requests.map((request) => ({
      id: Number(request['id']),
      verb: String(request['verb']),
      actor: String(request['actor']),
      reason: request['reason'] as string | null,
      requestedAt: String(request['requested_at']),
    })),
  };
};

const shown = (row: Row, column: 'result' | 'value'): ShownValue => ({
  value: row[column] ?? null,
  tooLarge: row[`${column}_too_large`] === true,
});

/** What is stored of an instance that is stuck. */
interface StoredStuck extends Partial<StoredDifference> {
  readonly reason: string;
}

const differenceOf = (stuck: StoredStuck | null): StoredDifference | null =>
  stuck?.recorded === undefined || stuck.called === undefined
    ? null
    : { ordinal: stuck.ordinal ?? 0, recorded: stuck.recorded, called: stuck.called };

const entryOf = (row: Row): TimelineEntry => ({
  undo: row['undo'] === true,
  ordinal: Number(row['ordinal']),
  kind: row['kind'] as TimelineEntry['kind'],
  name: String(row['name']),
  state: row['state'] as TimelineEntry['state'],
  attempts: Number(row['attempts']),
  completion: row['completion'] === null ? null : Number(row['completion']),
  ...shown(row, 'value'),
  error: row['error'] as RecordedFailure | null,
  dueAt: row['due_at'] as string | null,
  beganAt: row['began_at'] as string | null,
  endedAt: row['ended_at'] as string | null,
  waitsFor:
    row['wait_type'] === null ? null : { type: String(row['wait_type']), key: String(row['wait_key']) },
});

const repairOf = (row: Row): Repair => ({
  id: Number(row['id']),
  verb: String(row['verb']),
  actor: String(row['actor']),
  reason: row['reason'] as string | null,
  detail: row['detail'] as Repair['detail'],
  doneAt: String(row['done_at']),
});
