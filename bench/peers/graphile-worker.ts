import { Logger, type Runner, run, runMigrations, type TaskList } from 'graphile-worker';
import pg from 'pg';
import type { Workloads } from '../contenders/index.ts';
import { latencyWorkloads, type OpenMessaging, type Order } from '../contenders/latency.ts';
import { customers } from '../contenders/load.ts';
import { auditSpend, spendTable, upsertOne } from '../contenders/read-model.ts';
import { type RunContext, type RunReport, sizeOf } from '../harness/workload.ts';
import { publishInTransactions } from './shared/publish.ts';
import { measureIdle, until } from './shared/quiet.ts';

/*
 * Graphile Worker with its local queue and batched completion where throughput counts, as its documentation on performance
 * says, and without them where latency counts. A job is completed apart from what its task writes: at least once.
 */
const addJob = {
  name: 'add_job',
  text: "select 1 from graphile_worker.add_job('order_placed', payload := $1::json)",
};
const version = 'graphile-worker 0.18.0';
const silent = new Logger(() => () => undefined);
/** What is drained at most: its rate does not depend on how much waits. */
const eventsMax = 20_000;

const publish = async (context: RunContext): Promise<RunReport> => {
  await runMigrations({ connectionString: context.databaseUrl, logger: silent });
  const report = await publishInTransactions(context, (connection, order) =>
    connection.query({ ...addJob, values: [JSON.stringify(order)] }),
  );
  return { ...report, notes: [`${version}; add_job in SQL`] };
};

const fill = `select count(*) from (select graphile_worker.add_job('order_placed', payload := json_build_object(
  'orderId', 'o' || n, 'customerId', 'c' || (n % ${customers}), 'pence', 100 + n % 900)) from generate_series($1::int, $2::int) n) added`;

const startRunner = (
  databaseUrl: string,
  taskList: TaskList,
  { concurrency, batching }: { concurrency: number; batching: boolean },
): Promise<Runner> =>
  run({
    connectionString: databaseUrl,
    taskList,
    concurrency,
    maxPoolSize: concurrency + 2,
    noHandleSignals: true,
    logger: silent,
    ...(batching
      ? { preset: { worker: { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 } } }
      : {}),
  });

const drainBy =
  (task: (pool: pg.Pool, order: Order) => Promise<void>, note: string) =>
  async (context: RunContext): Promise<RunReport> => {
    const events = Math.min(sizeOf(context, 'events'), eventsMax);
    await runMigrations({ connectionString: context.databaseUrl, logger: silent });
    const pool = new pg.Pool({ connectionString: context.databaseUrl, max: 10 });
    await pool.query(spendTable);
    // In one transaction its notifications make this quadratic.
    for (let first = 1; first <= events; first += 1_000)
      await pool.query(fill, [first, Math.min(first + 999, events)]);
    await pool.query('vacuum analyze');
    const elapsedMs = await context.measure(async () => {
      const runner = await startRunner(
        context.databaseUrl,
        { order_placed: (payload) => task(pool, payload as Order) },
        { concurrency: 10, batching: true },
      );
      await until(async () => {
        const { rows } = await pool.query('select 1 from graphile_worker._private_jobs limit 1');
        return rows.length === 0;
      }, 25);
      await runner.stop();
    });
    const audit = await auditSpend(pool, events);
    await pool.end();
    return {
      done: events,
      elapsedMs,
      ...audit,
      notes: [version, 'local queue of 500, completion batched', note],
    };
  };

const drain = drainBy(async (pool, { customerId, pence }) => {
  await pool.query({ name: 'one', text: upsertOne, values: [customerId, pence] });
}, 'one job at a time per worker, 10 workers, one upsert each, completed apart from it: at least once');

const operational = drainBy(async (pool, { customerId, pence }) => {
  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query({ name: 'one', text: upsertOne, values: [customerId, pence] });
    await client.query('commit');
  } finally {
    client.release();
  }
}, 'a transaction per job, completed apart from it: at least once');

export const open: OpenMessaging = async ({ databaseUrl, handled }) => {
  await runMigrations({ connectionString: databaseUrl, logger: silent });
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 10 });
  const task = async (payload: unknown): Promise<void> => handled?.((payload as Order).orderId);
  const runner =
    handled === null
      ? undefined
      : await startRunner(databaseUrl, { order_placed: task }, { concurrency: 10, batching: false });
  return {
    publish: (order) => pool.query({ ...addJob, values: [JSON.stringify(order)] }),
    stop: async () => {
      await runner?.stop();
      await pool.end();
    },
  };
};

const idle = async (context: RunContext): Promise<RunReport> => {
  const names = Array.from({ length: 10 }, (_, index) => `idle_${index}`);
  const tasks = Object.fromEntries(names.map((name) => [name, async () => undefined]));
  const runner = await startRunner(context.databaseUrl, tasks, { concurrency: 10, batching: false });
  const report = await measureIdle(context);
  await runner.stop();
  return { ...report, notes: [version, 'one runner with ten tasks and ten workers, polling every 2 s'] };
};

export const workloads: Workloads = {
  publish,
  drain,
  operational,
  ...latencyWorkloads('graphile-worker', open),
  idle,
};
