import { keyHash } from '../../foundation/index.ts';
import { loadQueries, type NamedQuery, type Queryable, type Row, run } from '../../postgres/index.ts';
import type { AnyWorkflow } from './definition.ts';
import type { Reservation, WorkflowHub } from './hub.ts';
import type { InstanceCause, LoadedInstance } from './instance.ts';
import { executorName } from './versions.ts';

const sql = loadQueries<
  'start_instance' | 'start_instances' | 'start_one' | 'queue_instance' | 'find_duplicate' | 'note_rejected'
>(new URL('./starting.sql', import.meta.url));

/** What is known of an instance that is to be started. */
export interface Start {
  readonly workflow: AnyWorkflow;
  readonly key: string;
  /** JSON text; null: none. */
  readonly inputText: string | null;
  /** The event that starts it. */
  readonly startedBy: number | null;
  readonly eventId: string | null;
  readonly cause: InstanceCause;
  readonly codeVersion: string;
}

/**
 * started: it lives. joined: the living one of its key is meant. queued: it begins when that one has ended. repeated: this event has
 * started it before. rejected: one lives, and the workflow says so.
 */
export type StartOutcome =
  | {
      readonly kind: 'started' | 'joined' | 'queued' | 'repeated';
      readonly id: number;
      readonly consumerId: number | null;
    }
  | { readonly kind: 'rejected'; readonly living: number };

/** Runs one statement with one text parameter: a pool, a transaction of ours, or the user's own. */
export type StartStatement = (query: NamedQuery, parameter: string) => Promise<readonly Row[]>;

const parameterOf = (start: Start, held: boolean): string => {
  const { workflow, key, inputText, startedBy, cause, codeVersion } = start;
  const head = JSON.stringify({
    workflow: workflow.name,
    executor: executorName(workflow.name, workflow.version),
    version: workflow.version,
    key,
    keyHash: keyHash(key),
    startedBy,
    startPosition: startedBy,
    cause,
    codeVersion,
    held,
  });
  return inputText === null ? head : `${head.slice(0, -1)},"hasInput":true,"input":${inputText}}`;
};

/** `held`: an executor of this process takes it at once, so it is marked as in memory. */
export interface HeldStart {
  readonly start: Start;
  readonly held: boolean;
}

const startParameter = (starts: readonly HeldStart[]): string =>
  `[${starts.map(({ start, held }) => parameterOf(start, held)).join(',')}]`;

const startOne = async (on: Queryable, { start, held }: HeldStart): Promise<ReadonlyMap<Start, Row>> => {
  const { workflow, key, inputText, cause, codeVersion } = start;
  const { name, version } = workflow;
  const instance = [name, executorName(name, version), version, key, keyHash(key), inputText];
  const [row] = await run(on, sql.start_one, [...instance, JSON.stringify(cause), codeVersion, held]);
  return new Map(row === undefined ? [] : [[start, row]]);
};

/** Starts instances that no event begins, of different keys. Answers the rows of those that were made. */
export const startTogether = async (
  on: Queryable,
  starts: readonly HeldStart[],
): Promise<ReadonlyMap<Start, Row>> => {
  const [first] = starts;
  if (first !== undefined && starts.length === 1) return startOne(on, first);
  const rows = await run(on, sql.start_instances, [startParameter(starts)]);
  const made = new Map(rows.map((row) => [`${row['name']} ${row['key']}`, row]));
  return new Map(
    starts.flatMap(({ start }) => {
      const row = made.get(`${start.workflow.name} ${start.key}`);
      return row === undefined ? [] : [[start, row] as const];
    }),
  );
};

/** A start that meets a living one which ends just then is made again; more often than that it is not possible. */
const triesMax = 5;

/**
 * Starts an instance, or finds out why not. `held`: an executor of this process takes it at once, so it is marked as in memory.
 */
export const startInstance = async (
  statement: StartStatement,
  start: Start,
  held: boolean,
): Promise<StartOutcome> => {
  const { workflow, key, startedBy } = start;
  for (let attempt = 1; ; attempt += 1) {
    // Attempts after the first: the living one ended just then.
    const [row] = await statement(sql.start_instance, startParameter([{ start, held }]));
    if (row !== undefined)
      return { kind: 'started', id: Number(row['id']), consumerId: Number(row['consumer_id']) };
    const [found] = await statement(
      sql.find_duplicate,
      JSON.stringify({ workflow: workflow.name, key, startedBy }),
    );
    const started = found?.['started'] ?? null;
    if (started !== null) return { kind: 'repeated', id: Number(started), consumerId: null };
    const living = found?.['living'] ?? null;
    if (living === null && attempt < triesMax) continue;
    if (workflow.onDuplicate === 'join') return { kind: 'joined', id: Number(living), consumerId: null };
    if (workflow.onDuplicate === 'queue') {
      const [queued] = await statement(sql.queue_instance, parameterOf(start, false));
      if (queued !== undefined)
        return { kind: 'queued', id: Number(queued['id']), consumerId: Number(queued['consumer_id']) };
      if (attempt < triesMax) continue;
    }
    return { kind: 'rejected', living: Number(living) };
  }
};

/**
 * What was rejected is seen with the living instance. Never in the user's own transaction: that would hold the instance's row, and
 * with it the flush that others share, for as long as it lasts.
 */
export const noteRejected = async (
  statement: StartStatement,
  { startedBy, eventId }: Start,
  living: number,
): Promise<void> => {
  const by = { position: startedBy, eventId };
  await statement(sql.note_rejected, JSON.stringify({ id: living, by }));
};

/** A slot of this process's executor, if it has the lane and one is free. */
export const reserveSlot = (hub: WorkflowHub, { workflow, key }: Start): Reservation | null =>
  hub.door(executorName(workflow.name, workflow.version))?.reserve(key) ?? null;

/** An instance as it stands right after its start. */
export const freshInstance = (
  start: Start,
  stored: {
    readonly id: number;
    readonly workflowId: number;
    readonly consumerId: number;
    readonly startPosition: number;
  },
): LoadedInstance => ({
  ...stored,
  version: start.workflow.version,
  key: start.key,
  keyHash: keyHash(start.key),
  state: 'running',
  ending: null,
  input: start.inputText === null ? undefined : (JSON.parse(start.inputText) as unknown),
  cause: start.cause,
  failure: null,
  deaths: 0,
  wasHeld: false,
  waits: [],
  suspected: false,
  calls: 0,
  journal: [],
});
