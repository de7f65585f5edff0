import { loadQueries, run, sqlState } from '../../postgres/index.ts';
import { fencesOf } from '../parked/index.ts';
import type { RunnerServices } from '../runner.ts';
import type { Entry } from './entry.ts';
import { Grouping } from './grouping.ts';
import type { LaneWork } from './lane-work.ts';

const sql = loadQueries<'finish' | 'finish_all' | 'finish_many'>(new URL('./commits.sql', import.meta.url));

interface FinishedEntry {
  readonly entry: Entry;
  readonly lane: LaneWork;
}

/** duplicate: an inbox row was there already. lost: the lane is another process's. */
export type FinishResult = 'handled' | 'duplicate' | 'lost';

/** Events in one statement at most: bounds its time, and how long a takeover waits for its share locks. */
const entriesMax = 500;

/**
 * Writes that events are handled whose handlers used no transaction of their own. One at a time per event would be one
 * commit (one fsync) each; grouped, all that end while one statement is under way share the next.
 */
export class InboxWriter {
  readonly #services: RunnerServices;
  readonly #grouping: Grouping<FinishedEntry, FinishResult>;

  constructor(services: RunnerServices) {
    this.#services = services;
    this.#grouping = new Grouping({
      unit: `inbox of ${services.consumer.name}`,
      clock: services.clock,
      telemetry: services.telemetry,
      jobsMax: entriesMax,
      givenUp: ({ lane }) => (lane.dropped ? 'lost' : null),
      write: (jobs) => this.#write(jobs),
    });
  }

  finish(entry: Entry, lane: LaneWork): Promise<FinishResult> {
    return this.#grouping.submit({ entry, lane });
  }

  async #write(jobs: readonly FinishedEntry[]): Promise<readonly FinishResult[]> {
    const { testStep } = this.#services;
    await testStep?.('operational.before-inbox');
    const [first] = jobs;
    const results =
      jobs.length === 1 && first !== undefined && !first.entry.parked
        ? [await this.#writeOne(first)]
        : await this.#writeMany(jobs);
    await testStep?.('operational.after-inbox');
    return results;
  }

  /** The usual case while little happens, for a third of the server's time. */
  async #writeOne({ entry, lane }: FinishedEntry): Promise<FinishResult> {
    const { database, consumer } = this.#services;
    const { keyHash, position } = entry;
    const values = [consumer.id, lane.lane, lane.lease.token, keyHash, position];
    entry.deletesRow = false;
    try {
      await run(database.operations, sql.finish, values);
      return 'handled';
    } catch (error) {
      if (sqlState(error) === 'FL001') return 'lost';
      if (sqlState(error) === 'FL002') return 'duplicate';
      throw error;
    }
  }

  async #writeMany(jobs: readonly FinishedEntry[]): Promise<readonly FinishResult[]> {
    const { database, consumer } = this.#services;
    const tokens = new Map(jobs.map(({ lane }) => [lane.lane, lane.lease.token]));
    const entries = jobs.map(({ entry }) => entry);
    const fences = fencesOf(entries, (lane) => tokens.get(lane) ?? -1);
    const rows = entries.map((entry) => {
      const { lane, keyHash, position, key, parked } = entry;
      entry.deletesRow = parked;
      return { lane, keyHash, position, key: parked ? key : null };
    });
    const values = [consumer.id, JSON.stringify(fences), JSON.stringify(rows)];
    const [row] = await run(database.operations, sql.finish_many, values);
    const lanes = new Set(row?.['lanes'] as number[]);
    const handled = new Set(row?.['handled'] as number[]);
    return entries.map(({ lane, position }): FinishResult => {
      if (!lanes.has(lane)) return 'lost';
      return handled.has(position) ? 'handled' : 'duplicate';
    });
  }
}
