import { type Clock, FactlineError, type Telemetry } from '../../foundation/index.ts';
import { type Database, loadQueries, run } from '../../postgres/index.ts';
import { Grouping } from '../operational/grouping.ts';
import { hubOf, type InstanceEnd, type WorkflowHub } from './hub.ts';
import { endStates, type InstanceState, type StuckReason } from './instance.ts';
import type { RecordedFailure } from './journal.ts';
import { recordedError } from './recorded-failure.ts';

const sql = loadQueries<'read_ends' | 'find_instance' | 'find_number'>(
  new URL('./ends.sql', import.meta.url),
);

/** How an instance stands. */
export interface InstanceStanding {
  readonly state: InstanceState;
  readonly result?: unknown;
  readonly failure?: RecordedFailure;
  readonly stuck?: StuckReason;
}

export interface FoundInstance {
  readonly id: number;
  readonly key: string;
  readonly consumerId: number;
  readonly version: number;
}

/** What one look answered. */
interface Read {
  readonly standing?: InstanceStanding;
  readonly error?: unknown;
}

/** Polls for what other processes work on; what is at work here tells its end. */
const pollMsMin = 25;
const pollMsMax = 1_000;
const readsMax = 1_000;

/** Who waits for the ends of instances. */
export class InstanceEnds {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #hub: WorkflowHub;
  readonly #reads: Grouping<number, Read>;

  constructor(services: {
    readonly database: Database;
    readonly clock: Clock;
    readonly telemetry: Telemetry;
  }) {
    const { database, clock, telemetry } = services;
    this.#database = database;
    this.#clock = clock;
    this.#hub = hubOf(database);
    this.#reads = new Grouping<number, Read>({
      unit: 'the ends of workflows',
      clock,
      telemetry,
      jobsMax: readsMax,
      givenUp: () => null,
      write: (ids) => this.#read(ids).catch((error: unknown) => ids.map(() => ({ error }))),
    });
  }

  async #read(ids: readonly number[]): Promise<readonly Read[]> {
    const rows = await run(this.#database.operations, sql.read_ends, [ids]);
    const found = new Map(rows.map((row) => [row['id'] as number, toStanding(row)]));
    return ids.map((id) => {
      const standing = found.get(id);
      return standing === undefined ? {} : { standing };
    });
  }

  /** Null: there is no such instance. */
  async standing(id: number): Promise<InstanceStanding | null> {
    const { standing, error } = await this.#reads.submit(id);
    if (error !== undefined) throw error;
    return standing ?? null;
  }

  async find(
    workflow: string,
    by: { readonly id?: number; readonly key?: string },
  ): Promise<FoundInstance | null> {
    const query = by.id === undefined ? sql.find_instance : sql.find_number;
    const [row] = await run(this.#database.operations, query, [workflow, by.id ?? by.key]);
    return row === undefined
      ? null
      : {
          id: row['id'] as number,
          key: row['key'] as string,
          consumerId: row['consumer_id'] as number,
          version: row['version'] as number,
        };
  }

  /** How the instance ended, or that it is stuck; null: not within this time. */
  async wait(id: number, withinMs: number): Promise<InstanceStanding | null> {
    const until = this.#clock.monotonic() + withinMs;
    for (let pollMs = pollMsMin; ; pollMs = Math.min(pollMs * 2, pollMsMax)) {
      if (!this.#hub.isAtWork(id)) {
        const standing = this.#recentEnd(id) ?? (await this.standing(id));
        if (standing === null || standing.state === 'stuck' || endStates.includes(standing.state))
          return standing;
      }
      const leftMs = until - this.#clock.monotonic();
      if (leftMs <= 0) return null;
      const end = this.#recentEnd(id) ?? (await this.#nextEnd(id, Math.min(pollMs, leftMs)));
      if (end !== null) return end;
    }
  }

  #recentEnd(id: number): InstanceEnd | null {
    const recent = this.#hub.recentEnd(id);
    return recent !== undefined && endStates.includes(recent.state) ? recent : null;
  }

  /** The end, when it comes here within so many milliseconds. */
  #nextEnd(id: number, ms: number): Promise<InstanceEnd | null> {
    return new Promise((resolve) => {
      const forget = this.#hub.onEnded(id, (end) => finish(endStates.includes(end.state) ? end : null));
      const timer = this.#clock.timer(ms, () => finish(null));
      const finish = (end: InstanceEnd | null): void => {
        timer.cancel();
        forget();
        resolve(end);
      };
    });
  }
}

const toStanding = (row: Readonly<Record<string, unknown>>): InstanceStanding => ({
  state: row['state'] as InstanceState,
  ...(row['has_result'] === true ? { result: row['result'] } : {}),
  ...(row['failure'] === null ? {} : { failure: row['failure'] as RecordedFailure }),
  ...(row['stuck'] === null ? {} : { stuck: row['stuck'] as StuckReason }),
});

/** The result of an instance that has ended. @throws FactlineError WORKFLOW_FAILED, WORKFLOW_STUCK */
export const resultOf = (workflow: string, id: number, standing: InstanceStanding): unknown => {
  const { state, result, failure, stuck } = standing;
  if (state === 'completed') return result;
  if (state === 'stuck')
    throw new FactlineError('WORKFLOW_STUCK', { workflow, id, reason: stuck?.message ?? 'see it' });
  const cause = failure === undefined ? undefined : recordedError(failure);
  const details = { workflow, id, state, reason: failure?.message ?? 'no reason is recorded' };
  throw new FactlineError('WORKFLOW_FAILED', details, cause === undefined ? {} : { cause });
};
