import { setTimeout as sleep } from 'node:timers/promises';
import {
  createFactline,
  defineEvent,
  defineHandler,
  defineProjection,
  defineSqlProjection,
  type Factline,
} from 'factline';
import pg from 'pg';
import { z } from 'zod';
import { type RunContext, type RunReport, sizeOf } from '../harness/workload.ts';
import { workflowWorkloads } from './factline-workflow.ts';
import type { Workloads } from './index.ts';
import { latencyWorkloads, type OpenMessaging } from './latency.ts';
import { businessRow, businessStatement, businessTable, orderOf, runClients } from './load.ts';
import { auditSpend, spendTable, upsertOne, upsertOneInto } from './read-model.ts';

const OrderPlaced = defineEvent({
  type: 'shop.order.placed.v1',
  key: 'customerId',
  schema: z.object({ orderId: z.string(), customerId: z.string(), pence: z.int() }),
});

const spend = defineProjection({
  name: 'spend',
  on: OrderPlaced,
  primaryKey: 'customerId',
  columns: { customerId: 'text', orders: 'int4', pence: 'int8' },
  evolve: (row, event) => ({ orders: (row?.orders ?? 0) + 1, pence: (row?.pence ?? 0) + event.data.pence }),
});

const spendBySql = defineSqlProjection({
  name: 'spend_sql',
  on: OrderPlaced,
  create: (sql) =>
    sql.query(
      `create table ${sql.table} (customer_id text primary key, orders int not null, pence bigint not null)`,
    ),
  apply: async (tx, event) => {
    await tx.query(upsertOneInto(tx.table), [event.data.customerId, event.data.pence]);
  },
});

const withApp = async <T>(
  app: Factline,
  work: (pool: pg.Pool) => Promise<T>,
  databaseUrl: string,
): Promise<T> => {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 2 });
  try {
    return await work(pool);
  } finally {
    await app.stop();
    await pool.end();
  }
};

const publish = (context: RunContext): Promise<RunReport> => {
  const clients = sizeOf(context, 'clients');
  const app = createFactline({
    name: 'bench',
    database: context.databaseUrl,
    consumers: [],
    contracts: [OrderPlaced],
    pools: { transactions: clients },
  });
  return withApp(
    app,
    async (pool) => {
      await pool.query(businessTable);
      let done = 0;
      const load = async (seconds: number): Promise<void> => {
        done = await runClients({ clients, seconds }, (client, turn) =>
          app.transaction(async (tx) => {
            const id = businessRow(client, turn);
            await tx.client.query({ name: 'business', text: businessStatement, values: [id] });
            tx.publish(OrderPlaced({ orderId: id, customerId: id, pence: 100 }));
          }),
        );
      };
      await load(1);
      const elapsedMs = await context.measure(() => load(sizeOf(context, 'seconds')));
      return { done, elapsedMs, lost: 0, doubled: 0 };
    },
    context.databaseUrl,
  );
};

const fillMany = async (app: Factline, events: number): Promise<void> => {
  const chunk = 5_000;
  for (let first = 0; first < events; first += chunk) {
    const drafts = Array.from({ length: Math.min(chunk, events - first) }, (_, index) =>
      OrderPlaced(orderOf(first + index)),
    );
    await app.publish(drafts);
  }
};

const drainInto =
  (consumer: typeof spend | typeof spendBySql, view: string) =>
  async (context: RunContext): Promise<RunReport> => {
    const events = sizeOf(context, 'events');
    const app = createFactline({ name: 'bench', database: context.databaseUrl, consumers: [consumer] });
    await fillMany(app, events);
    return withApp(
      app,
      async (pool) => {
        await pool.query('vacuum analyze factline.events');
        const elapsedMs = await context.measure(async () => {
          await app.start();
          while ((await app.catchUp({ within: '5m' })).remaining > 0) await sleep(1);
        });
        return { done: events, elapsedMs, ...(await auditSpend(pool, events, view)) };
      },
      context.databaseUrl,
    );
  };

/** Asked for as a person asks; over when readers see the new rows, which by then were compared with the old ones. */
const rebuild =
  (shards: number) =>
  async (context: RunContext): Promise<RunReport> => {
    const events = sizeOf(context, 'events');
    const app = createFactline({ name: 'bench', database: context.databaseUrl, consumers: [spend] });
    await fillMany(app, events);
    return withApp(
      app,
      async (pool) => {
        await pool.query('vacuum analyze factline.events');
        await app.start();
        while ((await app.catchUp({ within: '5m' })).remaining > 0) await sleep(1);
        const elapsedMs = await context.measure(async () => {
          await pool.query(
            `with made as (insert into factline.requests (consumer_id, verb, actor, arguments)
               select id, 'rebuild', 'bench', $1 from factline.consumers where name = 'spend' returning consumer_id)
             select pg_notify('factline_requests', consumer_id::text) from made`,
            [JSON.stringify({ shards })],
          );
          const isRead = `select from factline.consumers where name = 'spend' and build = 2 and state = 'live'`;
          while ((await pool.query(isRead)).rowCount === 0) await sleep(10);
        });
        return { done: events, elapsedMs, ...(await auditSpend(pool, events)) };
      },
      context.databaseUrl,
    );
  };

const operational = async (context: RunContext): Promise<RunReport> => {
  const events = sizeOf(context, 'events');
  const handler = defineHandler({
    name: 'spend-handler',
    on: OrderPlaced,
    startAt: 'beginning',
    concurrency: sizeOf(context, 'concurrency'),
    handle: (event, { transaction }) =>
      transaction(async (tx) => {
        await tx.client.query({
          name: 'one',
          text: upsertOne,
          values: [event.data.customerId, event.data.pence],
        });
      }),
  });
  const app = createFactline({ name: 'bench', database: context.databaseUrl, consumers: [handler] });
  await fillMany(app, events);
  return withApp(
    app,
    async (pool) => {
      await pool.query(spendTable);
      const elapsedMs = await context.measure(async () => {
        await app.start();
        while ((await app.catchUp({ within: '5m' })).remaining > 0) await sleep(1);
      });
      return { done: events, elapsedMs, ...(await auditSpend(pool, events)) };
    },
    context.databaseUrl,
  );
};

export const open: OpenMessaging = async ({ databaseUrl, handled }) => {
  const handler = defineHandler({
    name: 'watch',
    on: OrderPlaced,
    concurrency: 10,
    handle: async (event) => handled?.(event.data.orderId),
  });
  const app = createFactline({
    name: 'bench',
    database: databaseUrl,
    consumers: handled === null ? [] : [handler],
    contracts: [OrderPlaced],
  });
  // A process that only publishes need not be started.
  if (handled !== null) await app.start();
  return { publish: (order) => app.publish(OrderPlaced(order)), stop: () => app.stop() };
};

/** Ten consumers, nothing to do. */
const idle = async (context: RunContext): Promise<RunReport> => {
  const consumers = Array.from({ length: 10 }, (_, index) =>
    defineHandler({ name: `idle-${index}`, on: OrderPlaced, handle: async () => {} }),
  );
  const app = createFactline({ name: 'bench', database: context.databaseUrl, consumers });
  return withApp(
    app,
    async (pool) => {
      await app.start();
      await sleep(sizeOf(context, 'settleSeconds') * 1000);
      const elapsedMs = await context.measure(() => sleep(sizeOf(context, 'seconds') * 1000));
      const { rows } = await pool.query<{ count: number }>(
        `select count(*)::int as count from pg_stat_activity where datname = current_database() and application_name like 'bench%'`,
      );
      return { done: 0, elapsedMs, lost: 0, doubled: 0, connections: rows[0]?.count ?? 0 };
    },
    context.databaseUrl,
  );
};

export const workloads: Workloads = {
  publish,
  drain: drainInto(spend, 'spend'),
  'drain-statement': drainInto(spendBySql, 'spend_sql'),
  rebuild: rebuild(1),
  'rebuild-sharded': rebuild(4),
  operational,
  ...latencyWorkloads('factline', open),
  idle,
  ...workflowWorkloads,
};
