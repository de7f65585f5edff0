import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { type RunContext, type RunReport, sizeOf } from '../harness/workload.ts';
import type { Workloads } from './index.ts';
import {
  businessRow,
  businessStatement,
  businessTable,
  customers,
  poissonWaitMs,
  runClients,
} from './load.ts';

/*
 * What a good engineer writes by hand for this one purpose: a table, a position, a checkpoint. It skips events under
 * concurrent writers, knows no failure and no second process; it is the fastest honest comparison, not a rival.
 */
const logTable = `create table log (position bigint generated always as identity primary key, type text not null,
  key text not null, data jsonb not null, recorded_at timestamptz not null default clock_timestamp())`;
const insertEvent = 'insert into log (type, key, data) values ($1, $2, $3)';
const fillLog = `insert into log (type, key, data) select 'shop.order.placed.v1', 'c' || (n % ${customers}),
  jsonb_build_object('orderId', 'o' || n, 'customerId', 'c' || (n % ${customers}), 'pence', 100 + n % 900) from generate_series(1, $1::int) n`;
const modelTable = `create table spend (customer_id text primary key, orders int not null, pence bigint not null);
  create table checkpoint (position bigint not null); insert into checkpoint values (0)`;
const upsertOne = `insert into spend values ($1, 1, $2)
  on conflict (customer_id) do update set orders = spend.orders + 1, pence = spend.pence + excluded.pence`;

const withPool = async <T>(
  context: RunContext,
  max: number,
  work: (pool: pg.Pool) => Promise<T>,
): Promise<T> => {
  const pool = new pg.Pool({ connectionString: context.databaseUrl, max });
  try {
    return await work(pool);
  } finally {
    await pool.end();
  }
};

const inTransaction = async <T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> => {
  const client = await pool.connect();
  try {
    await client.query('begin');
    const value = await work(client);
    await client.query('commit');
    return value;
  } finally {
    client.release();
  }
};

const publish = (context: RunContext): Promise<RunReport> => {
  const clients = sizeOf(context, 'clients');
  return withPool(context, clients, async (pool) => {
    await pool.query(`${logTable}; ${businessTable}`);
    let done = 0;
    const load = async (seconds: number): Promise<void> => {
      done = await runClients({ clients, seconds }, (client, turn) =>
        inTransaction(pool, async (connection) => {
          const id = businessRow(client, turn);
          await connection.query({ name: 'business', text: businessStatement, values: [id] });
          const data = JSON.stringify({ orderId: id, customerId: id, pence: 100 });
          await connection.query({
            name: 'event',
            text: insertEvent,
            values: ['shop.order.placed.v1', id, data],
          });
        }),
      );
    };
    await load(1);
    const elapsedMs = await context.measure(() => load(sizeOf(context, 'seconds')));
    return { done, elapsedMs, lost: 0, doubled: 0 };
  });
};

interface LogRow {
  position: string;
  key: string;
  data: { customerId: string; pence: number };
}

const readBatch = {
  name: 'read',
  text: 'select position, key, data from log where position > $1 order by position limit $2',
};
const moveCheckpoint = { name: 'checkpoint', text: 'update checkpoint set position = $1' };

const drainWith = (
  context: RunContext,
  write: (client: pg.PoolClient, rows: readonly LogRow[]) => Promise<void>,
): Promise<RunReport> =>
  withPool(context, 2, async (pool) => {
    const events = sizeOf(context, 'events');
    await pool.query(`${logTable}; ${modelTable}`);
    await pool.query(fillLog, [events]);
    await pool.query('vacuum analyze log');
    const elapsedMs = await context.measure(async () => {
      let position = '0';
      for (;;) {
        const { rows } = await pool.query<LogRow>({ ...readBatch, values: [position, 500] });
        const last = rows.at(-1);
        if (last === undefined) return;
        position = last.position;
        await inTransaction(pool, async (client) => {
          await write(client, rows);
          await client.query({ ...moveCheckpoint, values: [position] });
        });
      }
    });
    return { done: events, elapsedMs, ...(await audit(pool, events)) };
  });

const audit = async (pool: pg.Pool, events: number): Promise<{ lost: number; doubled: number }> => {
  const { rows } = await pool.query<{ orders: number }>(
    'select coalesce(sum(orders), 0)::int as orders from spend',
  );
  const orders = rows[0]?.orders ?? 0;
  return { lost: Math.max(0, events - orders), doubled: Math.max(0, orders - events) };
};

const upsertMany = {
  name: 'upsert_many',
  text: `insert into spend select * from unnest($1::text[], $2::int[], $3::bigint[])
    on conflict (customer_id) do update set orders = spend.orders + excluded.orders, pence = spend.pence + excluded.pence`,
};

const drain = (context: RunContext): Promise<RunReport> =>
  drainWith(context, async (client, rows) => {
    const sums = new Map<string, { orders: number; pence: number }>();
    for (const { data } of rows) {
      const sum = sums.get(data.customerId) ?? { orders: 0, pence: 0 };
      sum.orders += 1;
      sum.pence += data.pence;
      sums.set(data.customerId, sum);
    }
    const values = [
      [...sums.keys()],
      [...sums.values()].map(({ orders }) => orders),
      [...sums.values()].map(({ pence }) => pence),
    ];
    await client.query({ ...upsertMany, values });
  });

const drainStatement = (context: RunContext): Promise<RunReport> =>
  drainWith(context, async (client, rows) => {
    for (const { data } of rows)
      await client.query({ name: 'one', text: upsertOne, values: [data.customerId, data.pence] });
  });

/** A pool of 10, an inbox row, one upsert, COMMIT; keys are not kept in order. */
const operational = (context: RunContext): Promise<RunReport> => {
  const concurrency = sizeOf(context, 'concurrency');
  return withPool(context, concurrency, async (pool) => {
    const events = sizeOf(context, 'events');
    await pool.query(`${logTable}; ${modelTable}; create table inbox (position bigint primary key)`);
    await pool.query(fillLog, [events]);
    const { rows } = await pool.query<LogRow>('select position, key, data from log order by position');
    const elapsedMs = await context.measure(async () => {
      let next = 0;
      const worker = async (): Promise<void> => {
        for (let row = rows[next++]; row !== undefined; row = rows[next++]) {
          const { position, data } = row;
          await inTransaction(pool, async (client) => {
            await client.query({ name: 'inbox', text: 'insert into inbox values ($1)', values: [position] });
            await client.query({ name: 'one', text: upsertOne, values: [data.customerId, data.pence] });
          });
        }
      };
      await Promise.all(Array.from({ length: concurrency }, worker));
    });
    return { done: events, elapsedMs, ...(await audit(pool, events)) };
  });
};

/** A reader that a notification wakes, sent by its own session after each commit. */
const latency = (context: RunContext): Promise<RunReport> =>
  withPool(context, 10, async (pool) => {
    const perSecond = sizeOf(context, 'perSecond');
    const seconds = sizeOf(context, 'seconds');
    await pool.query(logTable);
    const listener = new pg.Client({ connectionString: context.databaseUrl });
    const notifier = new pg.Client({ connectionString: context.databaseUrl });
    await Promise.all([listener.connect(), notifier.connect()]);
    await notifier.query('set synchronous_commit = off');
    await listener.query('listen wake');
    const committedAt = new Map<string, number>();
    const handledAt = new Map<string, number>();
    let position = '0';
    let reading: Promise<void> = Promise.resolve();
    const read = async (): Promise<void> => {
      const { rows } = await pool.query<LogRow>({ ...readBatch, values: [position, 500] });
      for (const row of rows) handledAt.set(row.position, performance.now());
      position = rows.at(-1)?.position ?? position;
    };
    listener.on('notification', () => {
      reading = reading.then(read);
    });
    const publishing: Promise<void>[] = [];
    const elapsedMs = await context.measure(async () => {
      const until = performance.now() + seconds * 1000;
      while (performance.now() < until) {
        publishing.push(
          (async () => {
            const { rows } = await pool.query<{ position: string }>(`${insertEvent} returning position`, [
              't',
              'k',
              '{}',
            ]);
            committedAt.set(rows[0]?.position ?? '', performance.now());
            await notifier.query('notify wake');
          })(),
        );
        await sleep(poissonWaitMs(perSecond));
      }
      await Promise.all(publishing);
      await sleep(500);
      await reading;
    });
    await Promise.all([listener.end(), notifier.end()]);
    const latenciesMs = [...committedAt].map(([at, time]) =>
      Math.max(0, (handledAt.get(at) ?? Number.NaN) - time),
    );
    const found = latenciesMs.filter((each) => !Number.isNaN(each));
    return {
      done: committedAt.size,
      elapsedMs,
      latenciesMs: found,
      lost: latenciesMs.length - found.length,
      doubled: 0,
    };
  });

const idle = async (context: RunContext): Promise<RunReport> => {
  const listener = new pg.Client({ connectionString: context.databaseUrl });
  await listener.connect();
  await listener.query('listen wake');
  const elapsedMs = await context.measure(() => sleep(sizeOf(context, 'seconds') * 1000));
  await listener.end();
  return { done: 0, elapsedMs, lost: 0, doubled: 0, connections: 1 };
};

export const workloads: Workloads = {
  publish,
  drain,
  'drain-statement': drainStatement,
  operational,
  latency,
  idle,
};
