import type { Clock, Telemetry } from '../../foundation/index.ts';
import type { Tail } from '../../log/index.ts';
import { classifyDatabaseError, type Database, run, runCount, sqlState } from '../../postgres/index.ts';
import { Grouping } from '../operational/grouping.ts';
import type { TestStep } from '../runner.ts';
import { callStatement, type FlushJob, flushStatement } from './flush-job.ts';
import { hubOf } from './hub.ts';

/**
 * recorded: it is; `dueMs`: until the instance is due, where that was changed. lost: the lane is another process's. stale: something
 * of it stands there already, so what is in memory is not what is stored. refused: it cannot be stored.
 */
export type FlushResult =
  | { readonly kind: 'recorded'; readonly dueMs: number | null }
  | { readonly kind: 'lost' | 'stale' }
  | { readonly kind: 'refused'; readonly error: unknown };

export interface FlusherServices {
  readonly database: Database;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly tail: Pick<Tail, 'wake'>;
  readonly testStep?: TestStep;
}

/** Instances in one statement at most: bounds its time, and how long a takeover waits for its share locks. */
const jobsMax = 500;

interface Submitted {
  readonly job: FlushJob;
  readonly givenUp: () => boolean;
}

/**
 * Records what instances have done: one statement at a time for all of them, of every workflow of the process. What comes up
 * while one is under way shares the next.
 */
export class Flusher {
  readonly #services: FlusherServices;
  readonly #grouping: Grouping<Submitted, FlushResult>;

  constructor(services: FlusherServices) {
    this.#services = services;
    this.#grouping = new Grouping({
      unit: 'the journal of workflows',
      clock: services.clock,
      telemetry: services.telemetry,
      jobsMax,
      givenUp: ({ givenUp }) => (givenUp() ? { kind: 'lost' } : null),
      write: (submitted) => this.#write(submitted.map(({ job }) => job)),
    });
  }

  submit(job: FlushJob, givenUp: () => boolean): Promise<FlushResult> {
    return this.#grouping.submit({ job, givenUp });
  }

  async #write(jobs: readonly FlushJob[]): Promise<readonly FlushResult[]> {
    const { testStep } = this.#services;
    await testStep?.('workflow.before-flush');
    const results = await this.#attempt(jobs);
    await testStep?.('workflow.after-flush');
    return results;
  }

  /** All or nothing is recorded: what cannot be is found by recording each alone, the others must not wait for it. */
  async #attempt(jobs: readonly FlushJob[]): Promise<readonly FlushResult[]> {
    try {
      return await this.#record(jobs);
    } catch (error) {
      if (classifyDatabaseError(error) !== 'permanent') throw error;
      if (jobs.length === 1) return [refusalOf(error)];
      const results: FlushResult[] = [];
      for (const job of jobs) results.push(...(await this.#attempt([job])));
      return results;
    }
  }

  async #record(jobs: readonly FlushJob[]): Promise<readonly FlushResult[]> {
    const { database, telemetry, tail } = this.#services;
    const call = callStatement(jobs);
    if (call !== null && (await runCount(database.operations, call.query, call.values)) === 1)
      return [{ kind: 'recorded', dueMs: null }];
    const { query, values } = flushStatement(jobs);
    const [row = {}] = await run(database.operations, query, values);
    if (row['positions']) tail.wake();
    for (const { draft } of jobs.flatMap(({ drafts }) => drafts))
      telemetry.metrics.count('factline_events_published_total', { type: draft.type });
    const queued = (row['queued'] ?? []) as readonly number[];
    hubOf(database).wake(queued.map((consumerId) => ({ id: 0, consumerId })));
    const due = new Map((row['due'] ?? []) as readonly (readonly [number, number])[]);
    return jobs.map(({ id }): FlushResult => ({ kind: 'recorded', dueMs: due.get(id) ?? null }));
  }
}

const refusalOf = (error: unknown): FlushResult => {
  const state = sqlState(error);
  if (state === 'FL001') return { kind: 'lost' };
  return state === 'FL002' ? { kind: 'stale' } : { kind: 'refused', error };
};

const flushers = new WeakMap<Database, Flusher>();

/** The one of the app that this database object belongs to. */
export const flusherOf = (services: FlusherServices): Flusher => {
  const flusher = flushers.get(services.database) ?? new Flusher(services);
  flushers.set(services.database, flusher);
  return flusher;
};
