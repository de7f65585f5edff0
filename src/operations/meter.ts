import { type Clock, withDeadline } from '../foundation/index.ts';
import type { Database } from '../postgres/index.ts';
import { ClockWatch } from './clock-watch.ts';
import type {
  ConsumerClassName,
  ConsumerFacts,
  EarlierFacts,
  RunnerFacts,
  TailIncident,
  Trend,
} from './facts.ts';
import { lowestCheckpoint, measurementMaxAgeMs } from './limits.ts';
import { measureConsumers, readTailIncident } from './measuring.ts';
import type { Verdict } from './verdict.ts';
import { verdictOf } from './verdict-of.ts';

export interface MeasureOptions {
  readonly database: Pick<Database, 'operations'>;
  /** Only the consumers of this app. Default: all in the database. */
  readonly app?: string;
  /** What this process declares: these appear as UNKNOWN while nothing could be measured. */
  readonly declared?: readonly {
    readonly name: string;
    readonly class: ConsumerClassName;
    readonly version?: number;
  }[];
  /** Default: whoever holds up the log is looked up in the database. */
  readonly tail?: { blocked(): TailIncident | null };
  /** What the runners of this process know, by consumer id. */
  readonly runners?: () => ReadonlyMap<number, RunnerFacts>;
}

export interface MeterOptions extends MeasureOptions {
  readonly clock: Clock;
}

/** Measures when asked and remembers a little: for trends, and for the moments when measuring fails. */
export interface Meter {
  /**
   * One verdict per consumer. Never rejects: when measuring fails or takes too long, the latest measurement speaks until it is
   * 15 s old; then every verdict is UNKNOWN.
   * `maxAgeMs`: a measurement that young is good enough. Default 0: measure now.
   */
  verdicts(options?: { readonly maxAgeMs?: number }): Promise<readonly Verdict[]>;
  /** Why the latest attempt to measure failed; null when it did not. */
  readonly failure: unknown;
}

interface Measurement {
  readonly atMs: number;
  readonly consumers: readonly ConsumerFacts[];
  readonly incident: TailIncident | null;
}

/** A statement that takes longer says as little as none. */
const measureTimeoutMs = 5_000;
/** Trends are taken over this much time: long enough to be steady, short enough to follow. */
const trendMsMin = 2_000;
const trendMsMax = 60_000;
const measurementsMax = 16;

/**
 * @example
 * const meter = createMeter({ database, clock: systemClock })
 * for (const { consumer, verdict } of await meter.verdicts()) …
 */
export const createMeter = (options: MeterOptions): Meter => new MeasuringMeter(options);

/** One measurement, without memory: what `status()` of an app and the command line show. */
export const measure = async (options: MeasureOptions): Promise<readonly Verdict[]> => {
  const consumers = await measureConsumers(options.database.operations, options.app ?? null);
  const runners = options.runners?.() ?? new Map<number, RunnerFacts>();
  const tail = await incidentOf(options);
  const known = consumers.map((facts) =>
    verdictOf(facts, {
      measuredAgoMs: 0,
      trend: storedTrend(facts),
      tail,
      runner: runners.get(facts.id) ?? null,
    }),
  );
  return [...known, ...unregistered(options, known)];
};

class MeasuringMeter implements Meter {
  readonly #options: MeterOptions;
  readonly #watch: ClockWatch;
  #measurements: Measurement[] = [];
  #running: Promise<void> | undefined;
  #following: Promise<void> | undefined;
  #failure: unknown = null;

  constructor(options: MeterOptions) {
    this.#options = options;
    this.#watch = new ClockWatch(options.clock);
  }

  get failure(): unknown {
    return this.#failure;
  }

  async verdicts({ maxAgeMs = 0 }: { readonly maxAgeMs?: number } = {}): Promise<readonly Verdict[]> {
    const latest = this.#measurements.at(-1);
    const { clock } = this.#options;
    if (latest === undefined || clock.monotonic() - latest.atMs >= maxAgeMs) await this.#measure();
    return this.#judge();
  }

  /** Callers share a measurement, but none that began before they asked: it may not see what they did before. */
  #measure(): Promise<void> {
    if (this.#running === undefined) return this.#begin();
    this.#following ??= this.#running.then(() => {
      this.#following = undefined;
      return this.#running ?? this.#begin();
    });
    return this.#following;
  }

  #begin(): Promise<void> {
    this.#running = this.#runOnce().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #runOnce(): Promise<void> {
    const { clock, database, app } = this.#options;
    // Taken before the statements: what they see is never older than this.
    const atMs = clock.monotonic();
    try {
      const measured = measureConsumers(database.operations, app ?? null).then((consumers) =>
        this.#watch.examine(database.operations, consumers, atMs),
      );
      const measuring = Promise.all([measured, incidentOf(this.#options)]);
      const [consumers, incident] = await withDeadline(measuring, {
        ms: measureTimeoutMs,
        clock,
        stage: 'measuring the lag',
      });
      this.#measurements = [...this.#measurements, { atMs, consumers, incident }].slice(-measurementsMax);
      this.#failure = null;
    } catch (error) {
      this.#failure = error;
    }
  }

  #judge(): readonly Verdict[] {
    const { clock, runners } = this.#options;
    const latest = this.#measurements.at(-1);
    if (latest === undefined) return unregistered(this.#options, [], this.#failure);
    const measuredAgoMs = clock.monotonic() - latest.atMs;
    const known = runners?.() ?? new Map<number, RunnerFacts>();
    const verdicts = latest.consumers.map((facts) =>
      verdictOf(facts, {
        measuredAgoMs,
        trend: this.#trendOf(latest, facts),
        tail: latest.incident,
        runner: known.get(facts.id) ?? null,
      }),
    );
    const stale = measuredAgoMs > measurementMaxAgeMs;
    return [...verdicts, ...unregistered(this.#options, verdicts, stale ? this.#failure : null)];
  }

  #trendOf(latest: Measurement, facts: ConsumerFacts): Trend | null {
    const earlier = this.#measurements.find(
      ({ atMs }) => latest.atMs - atMs >= trendMsMin && latest.atMs - atMs <= trendMsMax,
    );
    const before = earlier?.consumers.find(({ id }) => id === facts.id);
    if (earlier === undefined || before === undefined) return storedTrend(facts);
    return trendBetween(standingOf(before), standingOf(facts), (latest.atMs - earlier.atMs) / 1_000);
  }
}

const incidentOf = ({ tail, database }: MeasureOptions): Promise<TailIncident | null> =>
  tail === undefined ? readTailIncident(database.operations) : Promise.resolve(tail.blocked());

type Standing = Omit<EarlierFacts, 'agoMs'>;

const standingOf = (facts: ConsumerFacts): Standing => ({
  lagMs: facts.oldest?.ageMs ?? 0,
  unhandled: facts.unhandled.exact ? facts.unhandled.events : null,
  behind: Math.max(0, facts.head - lowestCheckpoint(facts)),
});

/** Events where both could be counted, else positions. */
const trendBetween = (before: Standing, after: Standing, seconds: number): Trend => {
  const counted = before.unhandled !== null && after.unhandled !== null;
  const backlog = ({ unhandled, behind }: Standing): number => (counted ? (unhandled ?? 0) : behind);
  return {
    lagMsPerSecond: (after.lagMs - before.lagMs) / seconds,
    backlogPerSecond: (backlog(after) - backlog(before)) / seconds,
    backlog: backlog(after),
  };
};

/** Against what was sampled some minutes ago: known from the first measurement on, also after a restart. */
const storedTrend = (facts: ConsumerFacts): Trend | null =>
  facts.earlier === null ? null : trendBetween(facts.earlier, standingOf(facts), facts.earlier.agoMs / 1_000);

/** What is declared but was never measured: unknown, never fine. */
const unregistered = (
  { declared = [] }: MeasureOptions,
  known: readonly Verdict[],
  failure: unknown = null,
): readonly Verdict[] =>
  declared
    .filter(({ name }) => !known.some(({ consumer }) => consumer === name))
    .map((definition) => unknownVerdict(definition, failure));

const unknownVerdict = (
  definition: { readonly name: string; readonly class: ConsumerClassName; readonly version?: number },
  failure: unknown,
): Verdict => ({
  consumer: definition.name,
  class: definition.class,
  verdict: 'UNKNOWN',
  reasons: [
    failure === null
      ? { code: 'not-registered', text: 'the database does not know it yet: its app has not been started' }
      : {
          code: 'not-measured',
          text: `the lag cannot be measured: ${failure instanceof Error ? failure.message : String(failure)}`,
        },
  ],
  lagSeconds: null,
  lagExact: false,
  handledWithinSeconds: 60,
  errorBudget: 0.01,
  budget: null,
  burn: null,
  timeToDrainSeconds: null,
  timeToBreachSeconds: null,
  unhandled: null,
  unhandledExact: false,
  retrying: null,
  waiting: null,
  quarantined: null,
  handled: null,
  hottestKey: null,
  workflow: null,
  lanes: { total: 0, owned: 0, unowned: [] },
  owners: [],
  checkpoint: null,
  head: null,
  breaker: null,
  paused: null,
  pausedParts: [],
  held: null,
  version: definition.version ?? 1,
  build: 1,
  state: 'live',
  filling: null,
  generation: 1,
  startPosition: null,
  measuredSecondsAgo: null,
});
