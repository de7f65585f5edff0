import { type Clock, FactlineError, type Telemetry } from '../../foundation/index.ts';

export interface GroupingOptions<Job, Result> {
  /** For the report of failures. */
  readonly unit: string;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** Jobs in one statement at most. */
  readonly jobsMax: number;
  /** Statements at one time. Default: 1. */
  readonly statementsMax?: number;
  /** Writes the jobs in one statement; answers in their order. */
  readonly write: (jobs: readonly Job[]) => Promise<readonly Result[]>;
  /** A job that nobody needs any more is answered with this instead of being written; null: it is still needed. */
  readonly givenUp: (job: Job) => Result | null;
}

interface Waiting<Job, Result> {
  readonly job: Job;
  resolve(result: Result): void;
}

const pauseMsMin = 100;
const pauseMsMax = 5_000;

/**
 * Groups writes: one statement at a time (or a few), and whatever comes up meanwhile goes into the next one. Nobody waits for a batch to
 * fill. A statement that fails is tried again until it succeeds or its jobs are given up: what it records has happened.
 */
export class Grouping<Job, Result> {
  readonly #options: GroupingOptions<Job, Result>;
  #waiting: Waiting<Job, Result>[] = [];
  #statements = 0;

  constructor(options: GroupingOptions<Job, Result>) {
    this.#options = options;
  }

  submit(job: Job): Promise<Result> {
    return new Promise((resolve) => {
      this.#waiting.push({ job, resolve });
      if (this.#statements < (this.#options.statementsMax ?? 1)) void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    this.#statements += 1;
    // Let everything that ends in this turn of the event loop come along.
    await Promise.resolve();
    for (let pauseMs = pauseMsMin; this.#waiting.length > 0; ) {
      const batch = this.#nextBatch();
      if (batch.length === 0) continue;
      try {
        const results = await this.#options.write(batch.map(({ job }) => job));
        this.#answer(batch, results);
        pauseMs = pauseMsMin;
      } catch (error) {
        this.#options.telemetry.emit('engine.error', { unit: this.#options.unit, error });
        this.#waiting.unshift(...batch);
        await this.#options.clock.sleep(pauseMs);
        pauseMs = Math.min(pauseMs * 2, pauseMsMax);
      }
    }
    this.#statements -= 1;
  }

  #nextBatch(): Waiting<Job, Result>[] {
    const batch: Waiting<Job, Result>[] = [];
    while (batch.length < this.#options.jobsMax) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      const answer = this.#options.givenUp(next.job);
      if (answer === null) batch.push(next);
      else next.resolve(answer);
    }
    return batch;
  }

  #answer(batch: readonly Waiting<Job, Result>[], results: readonly Result[]): void {
    batch.forEach(({ resolve }, index) => {
      const result = results[index];
      if (result === undefined) {
        throw new FactlineError('LIFECYCLE_TRANSITION_REFUSED', {
          unit: this.#options.unit,
          from: 'written',
          to: 'unanswered',
        });
      }
      resolve(result);
    });
  }
}
