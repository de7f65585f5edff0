import { writeFile } from 'node:fs/promises';
import type { Verdict } from 'factline';
import type { FeedProgress } from '../feeder/feed.ts';
import type { Mode } from '../options.ts';
import type { Parity, ParityCheck } from '../parity/index.ts';
import { type ConsumerMetrics, quantileMs } from './metrics.ts';

/** What a run came to; the JSON is stable: members are added, never renamed. */
export interface Report {
  /** Everything drained, and every parity check holds. */
  readonly ok: boolean;
  readonly mode: Mode;
  readonly input: {
    readonly rows: number;
    readonly invoices: number;
    readonly cancellations: number;
    /** Invoices by the API's reason; `row …` are lines that are no rows, `cancelled line: …` lines of accepted cancellations. */
    readonly refused: ReadonlyArray<{ readonly reason: string; readonly count: number }>;
  };
  readonly events: ReadonlyArray<{ readonly type: string; readonly count: number }>;
  readonly consumers: readonly ConsumerReport[];
  /** From the commit that published an event to the commit that handled it, in milliseconds. */
  readonly latency: ReadonlyArray<{
    readonly consumer: string;
    readonly p50: number | null;
    readonly p95: number | null;
    readonly p99: number | null;
  }>;
  /** Over the time from the first order to the last event handled. */
  readonly throughput: { readonly ordersPerSecond: number; readonly eventsPerSecond: number };
  /** How many workflows are in each state; empty where none fulfils the orders. */
  readonly workflows: ReadonlyArray<{ readonly state: string; readonly count: number }>;
  readonly kills: number;
  readonly parity: readonly ParityCheck[];
  readonly durationSeconds: number;
}

export interface ConsumerReport {
  readonly name: string;
  readonly class: string;
  readonly handled: number;
  readonly duplicatesSuppressed: number;
  readonly attempts: number;
  /** Keys in quarantine. */
  readonly quarantined: number | null;
  readonly lagSeconds: number | null;
  readonly verdict: string;
}

export interface RunFacts {
  readonly mode: Mode;
  readonly workflows: ReadonlyMap<string, number>;
  readonly feed: FeedProgress;
  readonly verdicts: readonly Verdict[];
  readonly metrics: ReadonlyMap<string, ConsumerMetrics>;
  readonly parity: Parity;
  readonly kills: number;
  readonly drained: boolean;
  readonly durationMs: number;
}

export function buildReport(facts: RunFacts): Report {
  const { feed, verdicts, metrics, parity, kills, drained, durationMs } = facts;
  const seconds = durationMs / 1000;
  const events = countsOf(parity.events).map(([type, count]) => ({ type, count }));
  const eventCount = events.reduce((sum, { count }) => sum + count, 0);
  return {
    ok: drained && parity.checks.every(({ ok }) => ok),
    mode: facts.mode,
    input: {
      rows: feed.input.rows,
      invoices: feed.input.invoices,
      cancellations: feed.input.cancellations,
      refused: countsOf(refusalsOf(feed)).map(([reason, count]) => ({ reason, count })),
    },
    events,
    consumers: verdicts.map((verdict) => consumerReport(verdict, metrics.get(verdict.consumer))),
    latency: verdicts.map(({ consumer }) => {
      const buckets = metrics.get(consumer)?.latencyBuckets ?? new Map<number, number>();
      const [p50, p95, p99] = [0.5, 0.95, 0.99].map((quantile) => quantileMs(buckets, quantile));
      return { consumer, p50: p50 ?? null, p95: p95 ?? null, p99: p99 ?? null };
    }),
    throughput: {
      ordersPerSecond: perSecond(feed.ordersAccepted, seconds),
      eventsPerSecond: perSecond(eventCount, seconds),
    },
    workflows: countsOf(facts.workflows).map(([state, count]) => ({ state, count })),
    kills,
    parity: parity.checks,
    durationSeconds: Math.round(seconds * 1000) / 1000,
  };
}

/** What the API refused, and the lines of the file that never became a request. */
export function refusalsOf(feed: FeedProgress): Map<string, number> {
  return new Map([...feed.refused, ...feed.input.unreadable]);
}

export async function writeReport(path: string, report: Report): Promise<void> {
  await writeFile(path, `${JSON.stringify(report, null, 2)}\n`);
}

function consumerReport(verdict: Verdict, metrics: ConsumerMetrics | undefined): ConsumerReport {
  const handled = metrics?.handled ?? 0;
  return {
    name: verdict.consumer,
    class: verdict.class,
    handled,
    duplicatesSuppressed: metrics?.duplicatesSuppressed ?? 0,
    // A projection handles batches and counts no attempts: what it handled, it tried.
    attempts: Math.max(metrics?.attempts ?? 0, verdict.class === 'projection' ? handled : 0),
    quarantined: verdict.quarantined?.keys ?? null,
    lagSeconds: verdict.lagSeconds,
    verdict: verdict.verdict,
  };
}

function countsOf(counts: ReadonlyMap<string, number>): Array<[string, number]> {
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
}

function perSecond(count: number, seconds: number): number {
  return seconds > 0 ? Math.round((count / seconds) * 10) / 10 : 0;
}
