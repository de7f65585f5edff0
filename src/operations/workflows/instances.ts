import { FactlineError } from '../../foundation/index.ts';
import { loadQueries, type Queryable, type Row, run } from '../../postgres/index.ts';
import { findWorkflows } from './stored-workflows.ts';

const sql = loadQueries<
  'first_since' | 'instances_by_state' | 'instances_of_key' | 'read_summaries' | 'read_received'
>(new URL('./instances.sql', import.meta.url));

/** In the order of an instance's life. */
export const livingStates = ['queued', 'running', 'waiting', 'compensating', 'stuck'] as const;
export const endedStates = ['completed', 'failed', 'cancelled'] as const;
export const instanceStates = [...livingStates, ...endedStates] as const;
export type InstanceState = (typeof instanceStates)[number];

/** One instance in a list. Times are ISO 8601, by the database's clock. */
export interface InstanceSummary {
  /** What people type: `workflow show 12`. */
  readonly id: number;
  readonly app: string;
  readonly workflow: string;
  readonly version: number;
  /** The consumer that runs this version, and carries out what people ask for. */
  readonly executor: { readonly id: number; readonly name: string };
  readonly key: string;
  readonly state: InstanceState;
  /** What a compensating instance will be. */
  readonly ending: 'failed' | 'cancelled' | null;
  /** Why it is stuck, or why it failed; one sentence. */
  readonly problem: string | null;
  /** A process has it in memory. */
  readonly held: boolean;
  /** How often a process has died over it. */
  readonly deaths: number;
  /** The event that started it; null: the app did, or it was forked. */
  readonly startedBy: { readonly position: number; readonly type: string | null } | null;
  /** The instance whose journal it began with. */
  readonly forkedFrom: number | null;
  /** The last call of its code that is on record. */
  readonly lastCall: LastCall | null;
  /** Starts that were refused while it lived. */
  readonly rejectedStarts: number;
  readonly codeVersion: string | null;
  /** When it is looked at next; null: when something happens. */
  readonly dueAt: string | null;
  readonly startedAt: string;
  readonly changedAt: string;
  readonly endedAt: string | null;
}

export interface LastCall {
  readonly kind: string;
  readonly name: string;
  readonly state: string;
  readonly attempts: number;
}

export interface InstanceFilter {
  readonly states: readonly InstanceState[];
  readonly workflow: string | null;
  readonly key: string | null;
  /** Started then or later; ISO 8601. */
  readonly since: string | null;
  /** Only numbers below this one: the last of the page before. */
  readonly before: number;
  readonly limit: number;
}

/** Instances, the newest first. What it costs grows with the page, not with the table. @throws FactlineError CONSUMER_UNKNOWN */
export const listInstances = async (on: Queryable, filter: InstanceFilter): Promise<InstanceSummary[]> => {
  const workflows = await findWorkflows(on, filter.workflow);
  const from = filter.since === null ? 0 : await firstSince(on, filter.since);
  const { states, key, before, limit } = filter;
  const found =
    key === null
      ? await run(on, sql.instances_by_state, [
          workflows.flatMap(({ versions }) => versions.map(({ id }) => id)),
          states,
          before,
          from,
          limit,
        ])
      : await run(on, sql.instances_of_key, [
          workflows.map(({ id }) => id),
          key,
          before,
          from,
          limit,
          states,
        ]);
  return readSummaries(
    on,
    found.map((row) => Number(row['id'])),
  );
};

const firstSince = async (on: Queryable, since: string): Promise<number> => {
  const [row] = await run(on, sql.first_since, [since]);
  return Number(row?.['id'] ?? 0);
};

/** @throws FactlineError WORKFLOW_INSTANCE_UNKNOWN */
export const findInstance = async (on: Queryable, id: number): Promise<InstanceSummary> => {
  const [summary] = await readSummaries(on, [id]);
  if (summary !== undefined) return summary;
  throw new FactlineError('WORKFLOW_INSTANCE_UNKNOWN', { workflow: 'any workflow', instance: id });
};

const readSummaries = async (on: Queryable, ids: readonly number[]): Promise<InstanceSummary[]> =>
  ids.length === 0 ? [] : (await run(on, sql.read_summaries, [ids])).map(summaryOf);

/** An event that an instance has got, as far as masking needs it. */
export interface ReceivedEvent {
  readonly type: string;
  readonly data: unknown;
  /** It started the instance; else the instance waited for it. */
  readonly started: boolean;
}

/** By number: the events that instances have got. `withWaits`: all that they waited for, else only of those with a problem. */
export const readReceivedEvents = async (
  on: Queryable,
  { ids, withWaits }: { readonly ids: readonly number[]; readonly withWaits: boolean },
): Promise<ReadonlyMap<number, readonly ReceivedEvent[]>> => {
  const rows = await run(on, sql.read_received, [ids, withWaits]);
  const byInstance = Map.groupBy(rows, (row) => Number(row['id']));
  return new Map([...byInstance].map(([id, received]) => [id, received.map(receivedOf)]));
};

const receivedOf = (row: Row): ReceivedEvent => {
  const { type, data } = row['event'] as Pick<ReceivedEvent, 'type' | 'data'>;
  return { type, data, started: Number(row['ordinal']) < 0 };
};

const summaryOf = (row: Row): InstanceSummary => ({
  id: Number(row['id']),
  app: String(row['app']),
  workflow: String(row['workflow']),
  version: Number(row['version']),
  executor: { id: Number(row['consumer_id']), name: String(row['executor']) },
  key: String(row['key']),
  state: row['state'] as InstanceState,
  ending: row['ending'] as InstanceSummary['ending'],
  problem: problemOf(row),
  held: row['held'] === true,
  deaths: Number(row['deaths']),
  startedBy:
    row['started_by'] === null
      ? null
      : { position: Number(row['started_by']), type: row['started_by_type'] as string | null },
  forkedFrom: row['forked_from'] === null ? null : Number(row['forked_from']),
  lastCall:
    row['last_name'] === null
      ? null
      : {
          kind: String(row['last_kind']),
          name: String(row['last_name']),
          state: String(row['last_state']),
          attempts: Number(row['last_attempts']),
        },
  rejectedStarts: Number(row['rejected_starts']),
  codeVersion: row['code_version'] as string | null,
  dueAt: row['due_at'] as string | null,
  startedAt: String(row['started_at']),
  changedAt: String(row['changed_at']),
  endedAt: row['ended_at'] as string | null,
});

const problemOf = (row: Row): string | null => {
  const stuck = row['stuck'] as { readonly reason: string; readonly message: string } | null;
  const failure = row['failure'] as { readonly message: string } | null;
  return stuck === null ? (failure?.message ?? null) : `${stuck.reason}: ${stuck.message}`;
};
