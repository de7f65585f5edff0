import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { orderApi } from '../api/order-api.ts';
import { type RunningApi, serveApi } from '../api/serve-api.ts';
import { prepareDatabase } from '../database.ts';
import { feed, newProgress } from '../feeder/feed.ts';
import { type SmtpSink, startSmtpSink } from '../mail/smtp-sink.ts';
import type { Options } from '../options.ts';
import { checkParity } from '../parity/index.ts';
import { createPipeline, type Pipeline } from '../pipeline.ts';
import { openPostgres } from '../postgres.ts';
import { type ProviderProcess, startProvider } from '../provider/start-provider.ts';
import { buildReport, type Report, refusalsOf, writeReport } from '../report/report.ts';
import type { Screen } from '../screen/screen.ts';
import { drawSummary } from '../screen/summary.ts';
import { startWorkers, type WorkerPool } from '../workers/worker-pool.ts';
import { beginFeed, endFeed, type FeedRecord } from './feed-record.ts';
import type { Interrupts } from './interrupts.ts';
import { Monitor, type Sight } from './monitor.ts';
import { openStateDirectory, rememberSurroundings, type StateDirectory } from './state-directory.ts';

export interface RunSurroundings {
  readonly screen: Screen;
  readonly interrupts: Interrupts;
  readonly stateDirectory: string;
  readonly databaseName?: string;
  /** The file that is fed without `--input`. */
  readonly sample: string;
  /** Stay up after the summary until Ctrl-C. */
  readonly stayUp: boolean;
}

const LOOK_MS = 500;
const LOOK_FAST_MS = 250;
/** Without any progress for this long the run gives up and says what is left. */
const STUCK_MS = 5 * 60_000;
const PROVIDER_LATENCY_MS: [number, number] = [5, 25];

/** Everything that runs, in the order in which it was started. */
interface Running {
  readonly directory: StateDirectory;
  readonly pool: pg.Pool;
  readonly sink: SmtpSink;
  readonly pipeline: Pipeline;
  readonly api: RunningApi;
  readonly workers: WorkerPool | null;
  readonly record: FeedRecord;
  readonly input: string;
}

/**
 * The whole run: start everything, feed, wait until it is drained, compare, report, stop everything.
 *
 * @returns the report; `ok` decides the exit code
 */
export async function runPipeline(options: Options, surroundings: RunSurroundings): Promise<Report> {
  await using stack = new AsyncDisposableStack();
  const running = await startEverything(options, surroundings, stack);
  const { screen, interrupts } = surroundings;
  const progress = newProgress();
  const monitor = new Monitor({
    app: running.pipeline.app,
    pool: running.pool,
    workers: running.workers,
    feed: progress,
    analyticsDirectory: running.directory.analytics,
    apiUrl: running.api.url,
  });
  const { record, input } = running;
  const fed = feed(
    {
      path: input,
      apiUrl: running.api.url,
      rate: options.rate,
      limit: record.invoicesMax,
      signal: interrupts.signal,
    },
    progress,
  );
  const { sight, drained } = await watch(monitor, { fed, screen, fast: options.rate === 'max' });
  const durationMs = monitor.elapsedMs;
  running.workers?.endChaos();
  await fed;
  await endFeed(running.pool, progress.input.invoices);
  const parity = await checkParity({
    pool: running.pool,
    inputPath: input,
    limit: interrupts.signal.aborted ? Math.max(progress.input.invoices, record.posted) : record.invoicesMax,
    analyticsDirectory: running.directory.analytics,
    refused: refusalsOf(progress),
    quarantinedPayments: quarantinedKeys(sight, 'payment'),
    mails: new Set(running.sink.received.keys()),
  });
  const report = buildReport({
    feed: progress,
    verdicts: sight.picture.verdicts,
    metrics: sight.metrics,
    parity,
    kills: running.workers?.kills.length ?? 0,
    drained,
    durationMs,
  });
  if (options.reportPath !== null) await writeReport(options.reportPath, report);
  screen.settle();
  const staysUp = surroundings.stayUp && !interrupts.signal.aborted;
  const mailRepeats = running.sink.repeats();
  const { reportPath } = options;
  for (const line of drawSummary({
    report,
    drained,
    reportPath,
    mailRepeats,
    apiUrl: running.api.url,
    staysUp,
  })) {
    screen.say(line);
  }
  if (staysUp) await interrupts.first;
  return report;
}

async function startEverything(
  options: Options,
  { screen, stateDirectory, databaseName, sample }: RunSurroundings,
  stack: AsyncDisposableStack,
): Promise<Running> {
  const startedAt = performance.now();
  const postgres = await openPostgres(options.database, (line) => screen.say(line));
  stack.defer(() => postgres.stop());
  screen.say(`3/4 ${postgres.label} ✓ ${seconds(startedAt)}`);

  const { keep } = options;
  const databaseUrl = await prepareDatabase(postgres.url, {
    keep,
    ...(databaseName && { name: databaseName }),
  });
  const directory = await openStateDirectory(stateDirectory, { keep });
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: 3,
    application_name: 'order-pipeline-monitor',
  });
  pool.on('error', () => {}); // an idle connection broke; the next query opens another one
  stack.defer(() => pool.end());
  const input = options.input === null ? sample : resolve(options.input);
  const record = await beginFeed(pool, input, options.invoicesMax);

  const provider: ProviderProcess = await startProvider(databaseUrl, {
    latencyMs: options.rate === 'max' ? [0, 0] : PROVIDER_LATENCY_MS,
  });
  stack.defer(() => provider.stop());
  const sink = await startSmtpSink({ journal: directory.mailJournal });
  stack.defer(() => sink.stop());

  const here = {
    databaseUrl,
    providerUrl: provider.url,
    smtpUrl: `smtp://127.0.0.1:${sink.port}`,
    analyticsDirectory: directory.analytics,
    processes: options.workers + 1,
  };
  await rememberSurroundings(directory, here, { embedded: options.database === null });
  const pipeline = createPipeline(here);
  stack.defer(() => pipeline.stop());
  const migratedAt = performance.now();
  await pipeline.app.publish([]); // the first use: migrates, and registers every consumer before the first order
  screen.say(`4/4 schema ✓ ${seconds(migratedAt)}`);

  const api = await serveApi(orderApi(pipeline.app), options.port);
  stack.defer(() => api.stop());
  if (api.takenPort !== null) screen.say(`port ${api.takenPort} is taken: the API listens on ${api.url}`);
  const workers = await startConsumers(pipeline, options, here);
  if (workers !== null) stack.defer(() => workers.stop());
  announce(screen, options, { apiUrl: api.url, input });
  return { directory, pool, sink, pipeline, api, workers, record, input };
}

async function startConsumers(
  pipeline: Pipeline,
  { workers: count, chaos }: Options,
  here: Parameters<typeof startWorkers>[0],
): Promise<WorkerPool | null> {
  if (count > 0) return startWorkers(here, { count, chaos });
  await pipeline.app.start();
  return null;
}

function announce(
  screen: Screen,
  { workers, input, rate }: Options,
  at: { apiUrl: string; input: string },
): void {
  const where = workers === 0 ? 'in this process' : `in ${workers} processes of their own`;
  screen.say('');
  screen.say(
    `Orders → inventory, payment → fulfilment → shipping; mails, read models, an export. Consumers run ${where}.`,
  );
  screen.say(`API ${at.apiUrl}`);
  const pace =
    rate === 'max'
      ? 'as fast as possible'
      : 'perSecond' in rate
        ? `${rate.perSecond} a second`
        : 'compressed into two minutes';
  screen.say(`${input === null ? '138 real invoices, 1 Dec 2010' : `Invoices of ${at.input}`}, ${pace}`);
  screen.say('');
}

/** Looks until everything is fed and handled; two looks must agree, since handling one event may publish another. */
async function watch(
  monitor: Monitor,
  { fed, screen, fast }: { fed: Promise<void>; screen: Screen; fast: boolean },
): Promise<{ sight: Sight; drained: boolean }> {
  const failure = fed.then(
    () => null,
    (error: unknown) => ({ error }),
  );
  let before: Sight | null = null;
  let movedAt = performance.now();
  for (;;) {
    const sight = await monitor.look();
    screen.show(sight.picture);
    const finished = sight.picture.feed.finished;
    if (finished && sight.unhandled === 0 && before?.unhandled === 0 && before.head === sight.head) {
      return { sight, drained: true };
    }
    if (before?.unhandled !== sight.unhandled || before?.head !== sight.head) movedAt = performance.now();
    if (performance.now() - movedAt > STUCK_MS) return { sight, drained: false };
    before = sight;
    const failed = await Promise.race([failure, sleep(fast ? LOOK_FAST_MS : LOOK_MS, null)]);
    if (failed !== null) throw failed.error;
    if (finished) await sleep(LOOK_FAST_MS);
  }
}

function quarantinedKeys({ picture }: Sight, consumer: string): number {
  return picture.verdicts.find((verdict) => verdict.consumer === consumer)?.quarantined?.keys ?? 0;
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}
