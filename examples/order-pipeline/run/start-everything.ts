import { resolve } from 'node:path';
import pg from 'pg';
import { orderApi } from '../api/order-api.ts';
import { type RunningApi, serveApi } from '../api/serve-api.ts';
import { prepareDatabase } from '../database.ts';
import { type SmtpSink, startSmtpSink } from '../mail/smtp-sink.ts';
import { modeOf, type Options } from '../options.ts';
import { createPipeline, type Orchestration, type Pipeline, type Surroundings } from '../pipeline.ts';
import { openPostgres } from '../postgres.ts';
import { startProvider } from '../provider/start-provider.ts';
import type { Screen } from '../screen/screen.ts';
import { startTracing } from '../tracing.ts';
import { startWorkers, type WorkerPool } from '../workers/worker-pool.ts';
import { beginFeed, type FeedRecord } from './feed-record.ts';
import { openStateDirectory, rememberSurroundings, type StateDirectory } from './state-directory.ts';

/** What is started is stopped in the opposite order, also when something in between does not start. */
export type Closers = Array<() => Promise<void>>;

export interface Place {
  readonly screen: Screen;
  readonly stateDirectory: string;
  readonly databaseName?: string;
  /** The file that is fed without `--input`. */
  readonly sample: string;
}

export interface Running {
  readonly directory: StateDirectory;
  /** For looking only. */
  readonly pool: pg.Pool;
  readonly sink: SmtpSink;
  readonly pipeline: Pipeline;
  readonly api: RunningApi;
  readonly workers: WorkerPool | null;
  readonly record: FeedRecord;
  readonly input: string;
}

/** What the provider takes for an answer, as long as nobody wants it all at once. */
const PROVIDER_LATENCY_MS: [number, number] = [5, 25];
/** What the carrier's van takes, likewise. */
const CARRIER_LATENCY_MS: [number, number] = [200, 2_000];

/** Starts PostgreSQL, the provider, the mail server, the app, the API and the workers, and adds what stops each. */
export async function startEverything(options: Options, place: Place, closers: Closers): Promise<Running> {
  const { screen } = place;
  const startedAt = performance.now();
  const postgres = await openPostgres(options.database, (line) => screen.say(line));
  closers.push(() => postgres.stop());
  screen.say(`3/4 ${postgres.label} ✓ ${since(startedAt)}`);

  const database = await openDatabase(postgres.url, { options, place });
  closers.push(() => database.pool.end());
  const { directory, pool } = database;
  const provider = await startProvider(database.url, {
    latencyMs: options.rate === 'max' ? [0, 0] : PROVIDER_LATENCY_MS,
  });
  closers.push(() => provider.stop());
  const sink = await startSmtpSink({ journal: directory.mailJournal });
  closers.push(() => sink.stop());

  const tracing = await startTracing('api');
  closers.push(() => tracing.stop());
  const surroundings: Surroundings = {
    databaseUrl: database.url,
    providerUrl: provider.url,
    smtpUrl: `smtp://127.0.0.1:${sink.port}`,
    analyticsDirectory: directory.analytics,
    workers: options.workers,
    orchestrated: options.orchestrated ? orchestrationOf(options) : null,
  };
  await rememberSurroundings(directory, surroundings, { embedded: options.database === null });
  const pipeline = createPipeline(surroundings, 'parent');
  closers.push(() => pipeline.stop());
  const migratedAt = performance.now();
  await pipeline.app.publish([]); // the first use: migrates, and registers every consumer before the first order
  screen.say(`4/4 schema ✓ ${since(migratedAt)}`);

  const api = await serveApi(orderApi(pipeline.app), options.port);
  closers.push(() => api.stop());
  if (api.takenPort !== null) screen.say(`port ${api.takenPort} is taken: the API listens on ${api.url}`);
  const workers = await startConsumers(pipeline, { options, surroundings });
  if (workers !== null) closers.push(() => workers.stop());
  const { record, input } = database;
  announce(screen, options, { apiUrl: api.url, input });
  return { directory, pool, sink, pipeline, api, workers, record, input };
}

/** As fast as possible, everybody is behind, the carrier too: it gets more time. */
function orchestrationOf({ rate, carrierMissesPercent: missesPercent }: Options): Orchestration {
  return rate === 'max'
    ? { carrier: { latencyMs: [0, 0], missesPercent }, collectedWithin: '10m' }
    : { carrier: { latencyMs: CARRIER_LATENCY_MS, missesPercent }, collectedWithin: '2m' };
}

async function openDatabase(
  serverUrl: string,
  { options, place }: { options: Options; place: Place },
): Promise<{ url: string; pool: pg.Pool; directory: StateDirectory; record: FeedRecord; input: string }> {
  const { keep, invoicesMax } = options;
  const { databaseName: name } = place;
  const url = await prepareDatabase(serverUrl, { keep, ...(name !== undefined && { name }) });
  const directory = await openStateDirectory(place.stateDirectory, { keep });
  const pool = new pg.Pool({ connectionString: url, max: 3, application_name: 'order-pipeline-monitor' });
  pool.on('error', () => {}); // an idle connection broke; the next query opens another one
  const input = options.input === null ? place.sample : resolve(options.input);
  try {
    return {
      url,
      pool,
      directory,
      input,
      record: await beginFeed(pool, { input, invoicesMax, mode: modeOf(options) }),
    };
  } catch (error) {
    await pool.end();
    throw error;
  }
}

async function startConsumers(
  pipeline: Pipeline,
  { options, surroundings }: { options: Options; surroundings: Surroundings },
): Promise<WorkerPool | null> {
  const { workers: count, chaos } = options;
  if (count > 0) return startWorkers(surroundings, { count, chaos });
  await pipeline.app.start();
  return null;
}

function announce(screen: Screen, options: Options, at: { apiUrl: string; input: string }): void {
  const { workers, input, rate, invoicesMax } = options;
  const invoices = input === null ? '138 real invoices, 1 Dec 2010' : `the invoices of ${at.input}`;
  const where = workers === 0 ? 'in this process' : `in ${workers} processes of their own`;
  const pace = rate === 'max' ? 'as fast as possible' : 'compressed into two minutes';
  screen.say('');
  const flow = options.orchestrated
    ? 'One workflow an order: reserve → authorise → capture → pack → ship → collected.'
    : 'Orders → inventory, payment → fulfilment → shipping.';
  screen.say(`${flow} The consumers run ${where}.`);
  screen.say(`API ${at.apiUrl}`);
  screen.say(
    [
      Number.isFinite(invoicesMax) ? `the first ${invoicesMax} of ${invoices}` : invoices,
      typeof rate === 'object' && 'perSecond' in rate ? `${rate.perSecond} a second` : pace,
    ].join(', '),
  );
  screen.say('');
}

function since(startedAt: number): string {
  return `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
}
