import { fencesOf, type ParkFailure, type ParkRow, park } from '../parked/index.ts';
import type { RunnerServices } from '../runner.ts';
import { Grouping } from './grouping.ts';
import type { LaneWork } from './lane-work.ts';

/** Rows of one key, written together. */
export interface ParkJob {
  readonly lane: LaneWork;
  readonly rows: readonly ParkRow[];
  readonly failures: readonly ParkFailure[];
}

/** The numbers that people type, by position; null: the lane is lost, nothing was written. */
export type ParkAnswer = ReadonlyMap<number, number> | null;

/** Jobs in one statement at most; the rows of one job are bounded by the window. */
const jobsMax = 100;

/** Adds rows to `parked` and changes their state, grouped over keys and lanes. */
export class ParkingWriter {
  readonly #grouping: Grouping<ParkJob, { readonly ids: ParkAnswer }>;

  constructor({ database, consumer, clock, telemetry, testStep }: RunnerServices) {
    const scope = { consumerId: consumer.id, replayId: 0 };
    this.#grouping = new Grouping({
      unit: `parking of ${consumer.name}`,
      clock,
      telemetry,
      jobsMax,
      givenUp: ({ lane }) => (lane.dropped ? { ids: null } : null),
      write: async (jobs) => {
        const tokens = new Map(jobs.map(({ lane }) => [lane.lane, lane.lease.token]));
        const rows = jobs.flatMap((job) => job.rows);
        const fences = fencesOf(rows, (lane) => tokens.get(lane) ?? -1);
        const failures = jobs.flatMap((job) => job.failures);
        await testStep?.('operational.before-park');
        const result = await park(database.operations, scope, { fences, rows, failures });
        await testStep?.('operational.after-park');
        const ids = new Map(result.rows.map(({ id, position }) => [position, id]));
        return jobs.map(({ lane }) => ({ ids: result.lanes.has(lane.lane) ? ids : null }));
      },
    });
  }

  async write(job: ParkJob): Promise<ParkAnswer> {
    return (await this.#grouping.submit(job)).ids;
  }
}
