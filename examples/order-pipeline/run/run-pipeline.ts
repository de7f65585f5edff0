import { setTimeout as sleep } from 'node:timers/promises';
import type { FeedProgress } from '../feeder/feed.ts';
import { feed, newProgress } from '../feeder/feed.ts';
import { type Mode, modeOf, type Options } from '../options.ts';
import { checkParity, type Parity } from '../parity/index.ts';
import { buildReport, type Report, refusalsOf, writeReport } from '../report/report.ts';
import { drawSummary } from '../screen/summary.ts';
import { endFeed } from './feed-record.ts';
import type { Interrupts } from './interrupts.ts';
import { Monitor } from './monitor.ts';
import { type Closers, type Place, type Running, startEverything } from './start-everything.ts';
import { type Outcome, watch } from './watch.ts';

export interface RunPlace extends Place {
  readonly interrupts: Interrupts;
  /** Stay up after the summary until Ctrl-C. */
  readonly stayUp: boolean;
}

/** Workers tell their metrics this often. */
const METRICS_MS = 1_100;

/**
 * The whole run: start everything, feed, wait until it is drained, compare, report, stop everything.
 *
 * @returns the report; `ok` decides the exit code
 */
export async function runPipeline(options: Options, place: RunPlace): Promise<Report> {
  const closers: Closers = [];
  try {
    const running = await startEverything(options, place, closers);
    return await run(running, options, place);
  } finally {
    for (const close of closers.toReversed()) await close();
  }
}

async function run(running: Running, options: Options, place: RunPlace): Promise<Report> {
  const { screen, interrupts } = place;
  const { workers, record, input: path, api } = running;
  const progress = newProgress();
  const monitor = new Monitor({
    app: running.pipeline.app,
    pool: running.pool,
    workers,
    feed: progress,
    analyticsDirectory: running.directory.analytics,
    apiUrl: api.url,
    mode: modeOf(options),
  });
  interrupts.signal.addEventListener('abort', () => screen.say(`draining (${monitor.inFlight} in flight)…`));
  const { signal } = interrupts;
  const fed = feed(
    { path, apiUrl: api.url, rate: options.rate, limit: record.invoicesMax, signal },
    progress,
  );
  const outcome = await watch(monitor, { fed, screen, fast: options.rate === 'max' });
  const durationMs = monitor.elapsedMs;
  const wasInterrupted = signal.aborted;
  workers?.endChaos();
  await endFeed(running.pool, progress.input.invoices);
  const parity = await compare(running, { progress, outcome, wasInterrupted, mode: modeOf(options) });
  if (workers !== null) await sleep(METRICS_MS);
  const { metrics, picture } = await monitor.look();
  const report = buildReport({
    mode: modeOf(options),
    workflows: picture.workflows,
    feed: progress,
    verdicts: picture.verdicts,
    metrics,
    parity,
    kills: workers?.kills.length ?? 0,
    drained: outcome.drained,
    durationMs,
  });
  if (options.reportPath !== null) await writeReport(options.reportPath, report);
  await conclude(running, report, { place, outcome, options });
  return report;
}

function compare(
  { pool, record, input, directory, sink }: Running,
  at: { progress: FeedProgress; outcome: Outcome; wasInterrupted: boolean; mode: Mode },
): Promise<Parity> {
  const { verdicts } = at.outcome.sight.picture;
  const payment = verdicts.find(({ consumer }) => consumer === 'payment');
  return checkParity({
    pool,
    mode: at.mode,
    inputPath: input,
    // What was posted is a prefix of the file: after Ctrl-C the rest counts as not there.
    limit: at.wasInterrupted ? Math.max(at.progress.input.invoices, record.posted) : record.invoicesMax,
    analyticsDirectory: directory.analytics,
    refused: refusalsOf(at.progress),
    quarantinedPayments: payment?.quarantined?.keys ?? 0,
    mails: new Set(sink.received.keys()),
  });
}

async function conclude(
  { sink, api }: Running,
  report: Report,
  { place, outcome, options }: { place: RunPlace; outcome: Outcome; options: Options },
): Promise<void> {
  const { screen, interrupts, stayUp } = place;
  const staysUp = stayUp && !interrupts.signal.aborted;
  const { drained } = outcome;
  const { reportPath } = options;
  screen.settle();
  for (const line of drawSummary({
    report,
    drained,
    reportPath,
    mailRepeats: sink.repeats(),
    apiUrl: api.url,
    staysUp,
  })) {
    screen.say(line);
  }
  if (staysUp) await interrupts.first;
}
