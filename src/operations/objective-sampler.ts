import { afterStartMs, type Clock, Periodic, type Telemetry } from '../foundation/index.ts';
import { type Database, loadQueries, run } from '../postgres/index.ts';
import { ClockWatch } from './clock-watch.ts';
import type { ConsumerFacts } from './facts.ts';
import { clockProblem, lowestCheckpoint } from './limits.ts';
import { measureConsumers } from './measuring.ts';

const sql = loadQueries<'forget_future' | 'sample'>(new URL('./objectives.sql', import.meta.url));

/** Less than a minute, so that the last one leaves no fifth of five minutes uncovered while all is well. */
const everyMs = 50_000;
/** More events than this in a minute are counted as this many: the share of late ones hardly changes. */
const countedRowsMax = 200_000;
/** A sample speaks for the time since the last one, but not for a gap: nobody looked. */
const coveredMsMax = 90_000;

export interface ObjectiveSamplerOptions {
  readonly database: Pick<Database, 'operations'>;
  readonly clock: Clock;
  readonly app: string;
  /** Counts what it sampled, for Prometheus. */
  readonly telemetry?: Telemetry;
}

/**
 * Writes down about once a minute how the consumers of an app keep their promises, so that the error budget knows thirty days
 * and not only what is late now. Every running process has one; in each minute the first one counts. A sample
 * that failed is made up for by the next, which counts from the last one that was written.
 */
export class ObjectiveSampler extends Periodic {
  readonly #options: ObjectiveSamplerOptions;
  readonly #watch: ClockWatch;

  constructor(options: ObjectiveSamplerOptions) {
    super('the sampler of objectives', { clock: options.clock, everyMs, firstAfterMs: afterStartMs });
    this.#options = options;
    this.#watch = new ClockWatch(options.clock);
  }

  /** One bounded pass. Returns for how many consumers this process was the one that counted. */
  override async runOnce(): Promise<number> {
    const { database, app, clock, telemetry } = this.#options;
    const atMs = clock.monotonic();
    const measured = await measureConsumers(database.operations, app);
    const consumers = await this.#watch.examine(database.operations, measured, atMs);
    if (consumers.length === 0) return 0;
    await run(database.operations, sql.forget_future);
    const values = [JSON.stringify(consumers.map(sampleOf)), countedRowsMax, coveredMsMax];
    const counted = await run(database.operations, sql.sample, values);
    for (const { id, consumer, state } of consumers) {
      if (state !== 'live') continue;
      const sample = counted.find((row) => row['id'] === id);
      // From zero on: a rate does not see how a series begins.
      telemetry?.metrics.count('factline_slo_events_total', { consumer }, Number(sample?.['events'] ?? 0));
      telemetry?.metrics.count('factline_slo_failed_total', { consumer }, Number(sample?.['failed'] ?? 0));
    }
    return counted.length;
  }
}

const sampleOf = (facts: ConsumerFacts): Readonly<Record<string, unknown>> => ({
  id: facts.id,
  types: facts.types,
  head: facts.head,
  late: (facts.oldest?.ageMs ?? 0) > facts.handledWithinMs,
  // What can't be told is not counted, and the time not covered; a build that nobody reads has promised nothing.
  known: facts.state === 'live' && clockProblem(facts) === null,
  lagMs: Math.max(0, Math.round(facts.oldest?.ageMs ?? 0)),
  unhandled: facts.unhandled.exact ? facts.unhandled.events : null,
  behind: Math.max(0, facts.head - lowestCheckpoint(facts)),
});
