import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { type RunContext, type RunReport, sizeOf } from '../harness/workload.ts';
import { workflowWorkloads } from './floor-workflow.ts';
import type { Workloads } from './index.ts';
import { latencyWorkloads, type OpenMessaging } from './latency.ts';
import { businessRow, businessStatement, businessTable, customers, runClients } from './load.ts';
import { auditSpend, foldOrders, spendTable, upsertMany, upsertOne } from './read-model.ts';

/*
 * What a good engineer writes by hand for this one purpose: a table, a position, a checkpoint. It skips events under
 * concurrent writers, knows no failure and no second process; it is the fastest honest comparison, not a rival.
 */
const logTable = `create table log (position bigint generated always as identity primary key, type text not null,
  key text not null, data jsonb not null, recorded_at timestamptz not null default clock_timestamp())`;
const insertEvent = 'insert into log (type, key, data) values ($1, $2, $3)';
const fillLog = `insert into log (type, key, data) select 'shop.order.placed.v1', 'c' || (n % ${customers}),
  jsonb_build_object('orderId', 'o' || n, 'customerId', 'c' || (n % ${customers}), 'pence', 100 + n % 900) from generate_series(1, $1::int) n`;
const modelTable = `${spendTable}; create table checkpoint (position bigint not null); insert into checkpoint values (0)`;

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
  data: { orderId: string; customerId: string; pence: number };
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
    return { done: events, elapsedMs, ...(await auditSpend(pool, events)) };
  });

const drain = (context: RunContext): Promise<RunReport> =>
  drainWith(context, async (client, rows) => {
    const values = foldOrders(rows.map(({ data }) => data));
    await client.query({ name: 'upsert_many', text: upsertMany, values });
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
    return { done: events, elapsedMs, ...(await auditSpend(pool, events)) };
  });
};

/** A reader that a notification wakes, sent by a session of its own after each commit. */
export const open: OpenMessaging = async ({ databaseUrl, publishes, handled }) => {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 10 });
  const clients: pg.Client[] = [];
  const session = async (): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString: databaseUrl });
    await client.connect();
    clients.push(client);
    return client;
  };
  if (handled !== null) {
    await pool.query(logTable);
    let position = '0';
    let reading: Promise<void> = Promise.resolve();
    const read = async (): Promise<void> => {
      const { rows } = await pool.query<LogRow>({ ...readBatch, values: [position, 500] });
      for (const row of rows) handled(row.data.orderId);
      position = rows.at(-1)?.position ?? position;
    };
    const listener = await session();
    listener.on('notification', () => {
      reading = reading.then(read);
    });
    await listener.query('listen wake');
  }
  const notifier = publishes ? await session() : undefined;
  await notifier?.query('set synchronous_commit = off');
  return {
    publish: async (order) => {
      const values = ['shop.order.placed.v1', order.customerId, JSON.stringify(order)];
      await pool.query({ name: 'event', text: insertEvent, values });
      void notifier?.query('notify wake');
    },
    stop: async () => {
      await Promise.all(clients.map((client) => client.end()));
      await pool.end();
    },
  };
};

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
  // The same again into another table: there is nothing that a person would do otherwise.
  rebuild: drain,
  'rebuild-sharded': drain,
  'drain-statement': drainStatement,
  operational,
  ...latencyWorkloads('floor', open),
  idle,
  ...workflowWorkloads,
};
