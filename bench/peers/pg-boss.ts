import pg from 'pg';
import { type Job, PgBoss } from 'pg-boss';
import type { Workloads } from '../contenders/index.ts';
import { latencyWorkloads, type OpenMessaging, type Order } from '../contenders/latency.ts';
import { orderOf } from '../contenders/load.ts';
import { auditSpend, foldOrders, spendTable, upsertMany, upsertOne } from '../contenders/read-model.ts';
import { type RunContext, type RunReport, sizeOf } from '../harness/workload.ts';
import { publishInTransactions } from './shared/publish.ts';
import { measureIdle, until } from './shared/quiet.ts';

/*
 * pg-boss with its notifications on, transactional workers where work is counted exactly once, and full batches fetched without
 * a pause (`burstWhenBatchFull`). A queue, not a log: a job has one consumer.
 */
const queue = 'order-placed';
const notes = ['pg-boss 12.38.0; useListenNotify and notify on; the rest as it comes'];

const startBoss = async (databaseUrl: string, connections: number): Promise<PgBoss> => {
  const boss = new PgBoss({ connectionString: databaseUrl, max: connections, useListenNotify: true });
  boss.on('error', () => undefined);
  await boss.start();
  return boss;
};

const publish = async (context: RunContext): Promise<RunReport> => {
  const boss = await startBoss(context.databaseUrl, 4);
  await boss.createQueue(queue, { notify: true });
  const report = await publishInTransactions(context, (connection, order) =>
    boss.send(queue, order, {
      db: { executeSql: (text, values) => connection.query(text, values as unknown[]) },
    }),
  );
  await boss.stop({ graceful: false });
  return { ...report, notes };
};

const fill = async (boss: PgBoss, events: number): Promise<void> => {
  const chunk = 5_000;
  for (let first = 0; first < events; first += chunk) {
    const count = Math.min(chunk, events - first);
    await boss.insert(
      queue,
      Array.from({ length: count }, (_, index) => ({ data: orderOf(first + index) })),
    );
  }
};

interface Drain {
  readonly eventsMax: number;
  readonly work: (boss: PgBoss, pool: pg.Pool, handled: (count: number) => void) => Promise<unknown>;
  readonly note: string;
}

const drainBy =
  ({ eventsMax, work, note }: Drain) =>
  async (context: RunContext): Promise<RunReport> => {
    const events = Math.min(sizeOf(context, 'events'), eventsMax);
    const boss = await startBoss(context.databaseUrl, 12);
    const pool = new pg.Pool({ connectionString: context.databaseUrl, max: 10 });
    await boss.createQueue(queue, { notify: true });
    await pool.query(spendTable);
    await fill(boss, events);
    await pool.query('vacuum analyze pgboss.job');
    let count = 0;
    const elapsedMs = await context.measure(async () => {
      await work(boss, pool, (more) => {
        count += more;
      });
      await until(async () => {
        if (count < events) return false;
        const { rows } = await pool.query(
          "select 1 from pgboss.job where name = $1 and state < 'completed' limit 1",
          [queue],
        );
        return rows.length === 0;
      });
    });
    const audit = await auditSpend(pool, events);
    await boss.stop({ graceful: false });
    await pool.end();
    return { done: events, elapsedMs, ...audit, notes: [...notes, note] };
  };

const polling = { burstWhenBatchFull: true, pollingIntervalSeconds: 0.5 };
const together = { ...polling, batchSize: 500, transactional: true } as const;

const drain = drainBy({
  eventsMax: 200_000,
  note: 'transactional worker, batches of 500, one multi-row upsert each: exactly once',
  work: (boss, _pool, handled) =>
    boss.work<Order, void, typeof together>(queue, together, async (jobs, tx) => {
      await tx.executeSql(upsertMany, foldOrders(jobs.map(({ data }) => data)));
      handled(jobs.length);
    }),
});

const drainStatement = drainBy({
  eventsMax: 20_000,
  note: 'transactional worker, batches of 500, one upsert per job in its transaction: exactly once',
  work: (boss, _pool, handled) =>
    boss.work<Order, void, typeof together>(queue, together, async (jobs, tx) => {
      for (const { data } of jobs) await tx.executeSql(upsertOne, [data.customerId, data.pence]);
      handled(jobs.length);
    }),
});

/** Its transactional worker has one transaction per batch, so a transaction per job is the handler's own, apart from completion. */
const operational = drainBy({
  eventsMax: 20_000,
  note: 'batches of 100, each job in a transaction of the handler’s pool of 10; completed apart from it: at least once',
  work: (boss, pool, handled) =>
    boss.work<Order>(queue, { ...polling, batchSize: 100 }, async (jobs) => {
      const waiting = [...jobs];
      const worker = async (): Promise<void> => {
        for (let job = waiting.pop(); job !== undefined; job = waiting.pop()) await handleAlone(pool, job);
      };
      await Promise.all(Array.from({ length: 10 }, worker));
      handled(jobs.length);
    }),
});

const handleAlone = async (pool: pg.Pool, { data }: Job<Order>): Promise<void> => {
  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query({ name: 'one', text: upsertOne, values: [data.customerId, data.pence] });
    await client.query('commit');
  } finally {
    client.release();
  }
};

export const open: OpenMessaging = async ({ databaseUrl, handled }) => {
  const boss = await startBoss(databaseUrl, 10);
  await boss.createQueue(queue, { notify: true });
  if (handled !== null) {
    await boss.work<Order>(queue, { ...polling, batchSize: 100 }, async (jobs) => {
      for (const { data } of jobs) handled(data.orderId);
    });
  }
  return { publish: (order) => boss.send(queue, order), stop: () => boss.stop({ graceful: false }) };
};

const idle = async (context: RunContext): Promise<RunReport> => {
  const boss = await startBoss(context.databaseUrl, 10);
  for (let index = 0; index < 10; index += 1) {
    await boss.createQueue(`idle-${index}`, { notify: true });
    await boss.work(`idle-${index}`, async () => undefined);
  }
  const report = await measureIdle(context);
  await boss.stop({ graceful: false });
  return { ...report, notes };
};

export const workloads: Workloads = {
  publish,
  drain,
  'drain-statement': drainStatement,
  operational,
  ...latencyWorkloads('pg-boss', open),
  idle,
};
