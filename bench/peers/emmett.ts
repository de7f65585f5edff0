import { type Event, projections } from '@event-driven-io/emmett';
import {
  getPostgreSQLEventStore,
  type PostgreSQLProjectionHandlerContext,
  postgreSQLProjection,
} from '@event-driven-io/emmett-postgresql';
import pg from 'pg';
import type { Workloads } from '../contenders/index.ts';
import { latencyWorkloads, type OpenMessaging, type Order } from '../contenders/latency.ts';
import { businessStatement, businessTable, orderOf } from '../contenders/load.ts';
import { auditSpend, foldOrders, spendTable, upsertMany, upsertOne } from '../contenders/read-model.ts';
import { type RunContext, type RunReport, sizeOf } from '../harness/workload.ts';
import { publishMany } from './shared/publish.ts';
import { measureIdle } from './shared/quiet.ts';

/*
 * Emmett on PostgreSQL: an event store with streams. Its appends open their own transaction, in which an inline projection
 * writes the business row: that is its way of "both or neither". Consumers poll (50 ms, its default).
 */
type OrderPlaced = Event<'OrderPlaced', Order>;

const version = 'emmett-postgresql 0.42.0';
const placed = (data: Order): OrderPlaced => ({ type: 'OrderPlaced', data });
/** What is drained at most: its rate does not depend on how much waits. */
const eventsMax = 20_000;

type Connection = PostgreSQLProjectionHandlerContext['connection'];
type Evolve = (orders: readonly Order[], client: Connection['client']) => Promise<void>;

const projectionOf = (name: string, evolve: Evolve) =>
  postgreSQLProjection<OrderPlaced>({
    name,
    canHandle: ['OrderPlaced'],
    handle: async (events, { connection }) => {
      await evolve(
        events.map(({ data }) => data),
        connection.client,
      );
    },
  });

const publish = async (context: RunContext): Promise<RunReport> => {
  const pool = new pg.Pool({
    connectionString: context.databaseUrl,
    max: sizeOf(context, 'clients'),
  });
  const business = projectionOf('business', async (orders, client) => {
    for (const { orderId } of orders)
      await client.query({ name: 'business', text: businessStatement, values: [orderId] });
  });
  const store = getPostgreSQLEventStore(context.databaseUrl, {
    connectionOptions: { pool },
    projections: projections.inline([business]),
  });
  await store.schema.migrate();
  await pool.query(businessTable);
  const report = await publishMany(context, (row) =>
    store.appendToStream(`account-${row}`, [placed({ orderId: row, customerId: row, pence: 100 })]),
  );
  return { ...report, notes: [version, 'the business row is written by an inline projection'] };
};

const drainBy =
  (evolve: Evolve, note: string) =>
  async (context: RunContext): Promise<RunReport> => {
    const events = Math.min(sizeOf(context, 'events'), eventsMax);
    const pool = new pg.Pool({ connectionString: context.databaseUrl, max: 10 });
    const store = getPostgreSQLEventStore(context.databaseUrl, { connectionOptions: { pool } });
    await store.schema.migrate();
    await pool.query(spendTable);
    const streams = new Map<string, OrderPlaced[]>();
    for (let index = 0; index < events; index += 1) {
      const order = orderOf(index);
      const stream = `customer-${order.customerId}`;
      streams.set(stream, [...(streams.get(stream) ?? []), placed(order)]);
    }
    // One after the other: of events that are appended side by side its consumers skip some, see README.md.
    for (const [stream, own] of streams) await store.appendToStream(stream, own);
    await pool.query('vacuum analyze');
    const consumer = store.consumer<OrderPlaced>({
      pulling: { batchSize: 500 },
      stopWhen: { noMessagesLeft: true },
    });
    consumer.projector({ processorId: 'spend', projection: projectionOf('spend', evolve) });
    const elapsedMs = await context.measure(() => consumer.start());
    const audit = await auditSpend(pool, events);
    return { done: events, elapsedMs, ...audit, notes: [version, 'projector, batches of 500', note] };
  };

const drain = drainBy(async (orders, client) => {
  await client.query({ name: 'many', text: upsertMany, values: foldOrders(orders) });
}, 'one multi-row upsert for what a projection is handed at a time (one event): exactly once');

const drainStatement = drainBy(async (orders, client) => {
  for (const { customerId, pence } of orders)
    await client.query({ name: 'one', text: upsertOne, values: [customerId, pence] });
}, 'one upsert per event: exactly once');

export const open: OpenMessaging = async ({ databaseUrl, handled }) => {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 10 });
  const store = getPostgreSQLEventStore(databaseUrl, { connectionOptions: { pool } });
  if (handled !== null) {
    await store.schema.migrate();
    const consumer = store.consumer<OrderPlaced>();
    consumer.reactor<OrderPlaced>({
      processorId: 'watch',
      eachMessage: async ({ data }) => handled(data.orderId),
    });
    void consumer.start();
  }
  return {
    publish: (order) => store.appendToStream(`order-${order.orderId}`, [placed(order)]),
    stop: async () => undefined,
  };
};

const idle = async (context: RunContext): Promise<RunReport> => {
  const store = getPostgreSQLEventStore(context.databaseUrl);
  await store.schema.migrate();
  const consumer = store.consumer<OrderPlaced>();
  for (let index = 0; index < 10; index += 1)
    consumer.reactor<OrderPlaced>({ processorId: `idle-${index}`, eachMessage: async () => undefined });
  void consumer.start();
  const report = await measureIdle(context);
  return { ...report, notes: [version, 'one consumer with ten reactors'] };
};

export const workloads: Workloads = {
  publish,
  drain,
  'drain-statement': drainStatement,
  ...latencyWorkloads('emmett', open),
  idle,
};
