import type { Factline, Verdict } from 'factline';
import type pg from 'pg';
import type { FeedProgress } from '../feeder/feed.ts';
import type { Mode } from '../options.ts';
import { type ConsumerMetrics, readMetrics } from '../report/metrics.ts';
import type { Picture } from '../screen/frame.ts';
import { latestEvents } from '../screen/latest-events.ts';
import { sentenceOf } from '../screen/sentences.ts';
import type { WorkerPool } from '../workers/worker-pool.ts';

/** What one look at the running pipeline saw. */
export interface Sight {
  readonly picture: Picture;
  readonly metrics: ReadonlyMap<string, ConsumerMetrics>;
  /** Events that are neither handled nor quarantined, and workflows under way; null when a consumer could not be measured. */
  readonly unhandled: number | null;
  readonly head: number;
  /** When all of this was measured, by `performance.now()`: on a busy machine `status` may show what it saw some seconds ago. */
  readonly measuredAt: number;
}

export interface MonitorOptions {
  readonly app: Factline;
  readonly pool: pg.Pool;
  readonly workers: WorkerPool | null;
  readonly feed: FeedProgress;
  readonly analyticsDirectory: string;
  readonly apiUrl: string;
  readonly mode: Mode;
}

const HISTORY_SECONDS = 30;

/** Looks at the running pipeline, once per call. */
export class Monitor {
  readonly #options: MonitorOptions;
  readonly #startedAt = performance.now();
  readonly #history: number[] = [];
  #accepted = 0;
  /** Seconds that have left the history. */
  #dropped = 0;
  #inFlight = 0;

  constructor(options: MonitorOptions) {
    this.#options = options;
  }

  /** Events that were neither handled nor quarantined at the last look. */
  get inFlight(): number {
    return this.#inFlight;
  }

  get elapsedMs(): number {
    return performance.now() - this.#startedAt;
  }

  async look(): Promise<Sight> {
    const { app, pool, workers, feed, analyticsDirectory, apiUrl, mode } = this.#options;
    const verdicts = (await app.status()).filter(({ state }) => state === 'live');
    const ages = verdicts.map(({ measuredSecondsAgo }) => measuredSecondsAgo ?? Number.POSITIVE_INFINITY);
    const measuredAt = performance.now() - Math.max(0, ...ages) * 1000;
    const metrics = readMetrics([app.metrics(), ...(workers?.metrics() ?? [])]);
    workers?.observeOwners(ownersOf(verdicts));
    this.#countOrders();
    const workflows = mode === 'orchestrated' ? await countWorkflows(pool) : new Map<string, number>();
    const underWay = UNDER_WAY.map((state) => workflows.get(state) ?? 0);
    const unhandled = sumOrNull([...verdicts.map((verdict) => verdict.unhandled), ...underWay]);
    this.#inFlight = unhandled ?? this.#inFlight;
    const sentences = (await latestEvents(pool, analyticsDirectory, 3)).map(sentenceOf);
    const picture: Picture = {
      elapsedSeconds: this.elapsedMs / 1000,
      phase: feed.finished ? (unhandled === 0 ? 'drained' : 'draining') : 'feeding',
      feed,
      ordersPerSecond: this.#history,
      verdicts,
      handled: new Map([...metrics].map(([consumer, { handled }]) => [consumer, handled])),
      workflows,
      sentences,
      kills: (workers?.kills ?? []).map(({ worker, movedAfterMs }) => {
        const over = movedAfterMs !== null;
        const moved = over ? `lanes moved in ${(movedAfterMs / 1000).toFixed(1)} s` : 'lanes are moving';
        return { text: `✕ worker ${worker} killed (kill -9) → ${moved}`, over };
      }),
      apiUrl,
    };
    const head = Math.max(0, ...verdicts.map((verdict) => verdict.head ?? 0));
    return { picture, metrics, unhandled, head, measuredAt };
  }

  /** Orders accepted in each second gone by; a look that comes late spreads what it finds. */
  #countOrders(): void {
    const second = Math.floor(this.elapsedMs / 1000);
    const total = this.#options.feed.ordersAccepted;
    const seconds = second - this.#history.length - this.#dropped;
    if (seconds <= 0) return;
    const each = (total - this.#accepted) / seconds;
    this.#accepted = total;
    this.#history.push(...Array.from({ length: seconds }, () => each));
    const excess = Math.max(0, this.#history.length - HISTORY_SECONDS);
    this.#history.splice(0, excess);
    this.#dropped += excess;
  }
}

/** A workflow in one of these goes on by itself; one that is stuck waits for a person. */
const UNDER_WAY = ['queued', 'running', 'waiting', 'compensating'] as const;

async function countWorkflows(pool: pg.Pool): Promise<ReadonlyMap<string, number>> {
  const { rows } = await pool.query<{ state: string; count: number }>(
    'select state, count(*)::int as count from factline.workflow_instances group by state',
  );
  return new Map(rows.map(({ state, count }) => [state, count]));
}

function ownersOf(verdicts: readonly Verdict[]): { pids: ReadonlySet<number>; unowned: boolean } {
  return {
    pids: new Set(verdicts.flatMap(({ owners }) => owners.map(({ pid }) => pid))),
    unowned: verdicts.some(({ lanes }) => lanes.unowned.length > 0),
  };
}

function sumOrNull(values: ReadonlyArray<number | null>): number | null {
  let sum = 0;
  for (const value of values) {
    if (value === null) return null;
    sum += value;
  }
  return sum;
}
