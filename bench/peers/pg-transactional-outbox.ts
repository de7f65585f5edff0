import { randomUUID } from 'node:crypto';
import pg from 'pg';
import {
  DatabaseSetup,
  getDisabledLogger,
  IsolationLevel,
  initializeMessageStorage,
  initializePollingMessageListener,
  type PollingListenerConfig,
  type TransactionalMessage,
} from 'pg-transactional-outbox';
import type { Workloads } from '../contenders/index.ts';
import { latencyWorkloads, type OpenMessaging, type Order } from '../contenders/latency.ts';
import { customers } from '../contenders/load.ts';
import { auditSpend, spendTable, upsertOne } from '../contenders/read-model.ts';
import { type RunContext, type RunReport, sizeOf } from '../harness/workload.ts';
import { publishInTransactions } from './shared/publish.ts';
import { measureIdle, until } from './shared/quiet.ts';

/*
 * pg-transactional-outbox with its polling listener (its replication listener needs wal_level = logical and a slot). A handler
 * works in the transaction that marks its message as processed: exactly once. No batches.
 */
const version = 'pg-transactional-outbox 0.5.7, polling listener';
const logger = getDisabledLogger();
const eventsMax = 20_000;

const configOf = (
  databaseUrl: string,
  box: 'inbox' | 'outbox',
  table: string = box,
): PollingListenerConfig => ({
  outboxOrInbox: box,
  dbListenerConfig: { connectionString: databaseUrl },
  dbHandlerConfig: { connectionString: databaseUrl },
  settings: {
    dbSchema: 'public',
    dbTable: table,
    enableMaxAttemptsProtection: box === 'inbox',
    enablePoisonousMessageProtection: box === 'inbox',
    nextMessagesFunctionName: `next_${table}_messages`,
    nextMessagesBatchSize: 10,
    nextMessagesPollingIntervalInMs: 250,
  },
});

const setUp = async (pool: pg.Pool, { outboxOrInbox, settings }: PollingListenerConfig): Promise<void> => {
  const setup = {
    outboxOrInbox,
    database: 'bench',
    schema: settings.dbSchema,
    table: settings.dbTable,
    listenerRole: 'postgres',
    nextMessagesSchema: settings.dbSchema,
    nextMessagesName: settings.nextMessagesFunctionName,
  };
  await pool.query(DatabaseSetup.dropAndCreateTable(setup));
  await pool.query(DatabaseSetup.createPollingFunction(setup));
  await pool.query(DatabaseSetup.setupPollingIndexes(setup));
};

const messageOf = (order: Order): TransactionalMessage => ({
  id: randomUUID(),
  aggregateType: 'order',
  aggregateId: order.orderId,
  messageType: 'order_placed',
  segment: order.customerId,
  payload: order,
});

const publish = async (context: RunContext): Promise<RunReport> => {
  const config = configOf(context.databaseUrl, 'outbox');
  const pool = new pg.Pool({ connectionString: context.databaseUrl, max: 2 });
  await setUp(pool, config);
  await pool.end();
  const store = initializeMessageStorage(config, logger);
  const report = await publishInTransactions(context, (connection, order) =>
    store(messageOf(order), connection),
  );
  return { ...report, notes: [version] };
};

const fill = `insert into inbox (id, aggregate_type, aggregate_id, message_type, segment, payload)
  select gen_random_uuid(), 'order', 'o' || n, 'order_placed', 'c' || (n % ${customers}), jsonb_build_object(
    'orderId', 'o' || n, 'customerId', 'c' || (n % ${customers}), 'pence', 100 + n % 900) from generate_series(1, $1::int) n`;

const operational = async (context: RunContext): Promise<RunReport> => {
  const events = Math.min(sizeOf(context, 'events'), eventsMax);
  const config = configOf(context.databaseUrl, 'inbox');
  const pool = new pg.Pool({ connectionString: context.databaseUrl, max: 2 });
  await setUp(pool, config);
  await pool.query(spendTable);
  await pool.query(fill, [events]);
  await pool.query('vacuum analyze inbox');
  const elapsedMs = await context.measure(async () => {
    const [shutdown] = initializePollingMessageListener(
      config,
      {
        handle: async ({ payload }, client) => {
          const { customerId, pence } = payload as Order;
          await client.query({ name: 'one', text: upsertOne, values: [customerId, pence] });
        },
      },
      logger,
      { messageProcessingTransactionLevelStrategy: () => IsolationLevel.ReadCommitted },
    );
    await until(async () => {
      const { rows } = await pool.query('select 1 from inbox where processed_at is null limit 1');
      return rows.length === 0;
    }, 25);
    await shutdown();
  });
  const audit = await auditSpend(pool, events);
  await pool.end();
  const notes = [version, 'inbox, batches of 10 side by side, segment = customer, polling every 250 ms'];
  return { done: events, elapsedMs, ...audit, notes };
};

export const open: OpenMessaging = async ({ databaseUrl, handled }) => {
  const config = configOf(databaseUrl, 'outbox');
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 10 });
  const store = initializeMessageStorage(config, logger);
  let shutdown = async (): Promise<void> => undefined;
  if (handled !== null) {
    await setUp(pool, config);
    [shutdown] = initializePollingMessageListener(
      config,
      { handle: async ({ payload }) => handled((payload as Order).orderId) },
      logger,
    );
  }
  return {
    publish: async (order) => {
      const client = await pool.connect();
      try {
        await client.query('begin');
        await store(messageOf(order), client);
        await client.query('commit');
      } finally {
        client.release();
      }
    },
    stop: async () => {
      await shutdown();
      await pool.end();
    },
  };
};

const idle = async (context: RunContext): Promise<RunReport> => {
  const pool = new pg.Pool({ connectionString: context.databaseUrl, max: 2 });
  for (let index = 0; index < 10; index += 1) {
    const config = configOf(context.databaseUrl, 'inbox', `inbox_${index}`);
    await setUp(pool, config);
    initializePollingMessageListener(config, { handle: async () => undefined }, logger);
  }
  const report = await measureIdle(context);
  return { ...report, notes: [version, 'ten inboxes, polling every 250 ms'] };
};

export const workloads: Workloads = {
  publish,
  operational,
  ...latencyWorkloads('pg-transactional-outbox', open),
  idle,
};
