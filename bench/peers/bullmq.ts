import { createPostgresBackend, withBackend } from 'bullmq';
import pg from 'pg';
import type { Workloads } from '../contenders/index.ts';
import { latencyWorkloads, type OpenMessaging, type Order } from '../contenders/latency.ts';
import { orderOf } from '../contenders/load.ts';
import { auditSpend, spendTable, upsertOne } from '../contenders/read-model.ts';
import { type RunContext, type RunReport, sizeOf } from '../harness/workload.ts';
import { measureIdle, until } from './shared/quiet.ts';

/*
 * BullMQ on its PostgreSQL backend. It adds jobs through connections of its own, so there is no publishing in the user's
 * transaction; a job is completed apart from what its processor writes.
 */
const { Queue, Worker } = withBackend(createPostgresBackend);
const version = 'bullmq 6.7.0, PostgreSQL backend';
const queueName = 'order-placed';
/** What is drained at most: its rate does not depend on how much waits. */
const eventsMax = 20_000;
/** Finished jobs are not kept, as its documentation advises for production. */
const removal = { removeOnComplete: true, removeOnFail: 1_000 };

const connect = (databaseUrl: string) => ({ connectionString: databaseUrl, max: 10, migrate: true });

const openQueue = (databaseUrl: string) =>
  new Queue<Order>(queueName, { connection: connect(databaseUrl), defaultJobOptions: removal });

const drainBy =
  (processor: (pool: pg.Pool, order: Order) => Promise<void>, note: string) =>
  async (context: RunContext): Promise<RunReport> => {
    const { databaseUrl } = context;
    const events = Math.min(sizeOf(context, 'events'), eventsMax);
    const pool = new pg.Pool({ connectionString: databaseUrl, max: 10 });
    await pool.query(spendTable);
    const queue = openQueue(databaseUrl);
    await queue.waitUntilReady();
    const chunk = 1_000;
    for (let first = 0; first < events; first += chunk) {
      const count = Math.min(chunk, events - first);
      await queue.addBulk(
        Array.from({ length: count }, (_, index) => ({ name: queueName, data: orderOf(first + index) })),
      );
    }
    await pool.query('vacuum analyze');
    let handled = 0;
    const elapsedMs = await context.measure(async () => {
      const worker = new Worker<Order>(queueName, (job) => processor(pool, job.data), {
        connection: connect(databaseUrl),
        concurrency: 10,
      });
      worker.on('completed', () => {
        handled += 1;
      });
      await until(() => handled >= events);
      await worker.close();
    });
    const audit = await auditSpend(pool, events);
    await queue.close();
    await pool.end();
    return { done: events, elapsedMs, ...audit, notes: [version, note] };
  };

const drain = drainBy(async (pool, { customerId, pence }) => {
  await pool.query({ name: 'one', text: upsertOne, values: [customerId, pence] });
}, 'concurrency 10, one upsert per job, completed apart from it: at least once');

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
  const queue = openQueue(databaseUrl);
  await queue.waitUntilReady();
  const worker =
    handled === null
      ? undefined
      : new Worker<Order>(queueName, async (job) => handled(job.data.orderId), {
          connection: connect(databaseUrl),
          concurrency: 10,
        });
  await worker?.waitUntilReady();
  return {
    publish: (order) => queue.add(queueName, order),
    stop: async () => {
      await worker?.close();
      await queue.close();
    },
  };
};

const idle = async (context: RunContext): Promise<RunReport> => {
  const workers = Array.from(
    { length: 10 },
    (_, index) =>
      new Worker(`idle-${index}`, async () => undefined, { connection: connect(context.databaseUrl) }),
  );
  await Promise.all(workers.map((worker) => worker.waitUntilReady()));
  const report = await measureIdle(context);
  await Promise.all(workers.map((worker) => worker.close()));
  return { ...report, notes: [version, 'ten workers, a pool each'] };
};

export const workloads: Workloads = { drain, operational, ...latencyWorkloads('bullmq', open), idle };
