import { DBOS, DBOSClient } from '@dbos-inc/dbos-sdk';
import pg from 'pg';
import type { Workloads } from '../contenders/index.ts';
import { latencyWorkloads, type OpenMessaging, type Order } from '../contenders/latency.ts';
import { orderOf } from '../contenders/load.ts';
import { auditSpend, spendTable, upsertOne } from '../contenders/read-model.ts';
import { type RunContext, type RunReport, sizeOf } from '../harness/workload.ts';
import { workflow } from './dbos-workflow.ts';
import { publishInTransactions } from './shared/publish.ts';
import { measureIdle, until } from './shared/quiet.ts';

/*
 * DBOS: durable workflows on queues. An event is a workflow that is enqueued in the user's transaction; handling it is one step.
 * It does more than deliver events (workflows), and pays for it. The step is recorded apart from what it writes.
 */
const version = '@dbos-inc/dbos-sdk 5.3.0';
const queueName = 'orders';
const workflowName = 'orderPlaced';
const applicationName = 'bench';
/** What is drained at most: its rate does not depend on how much waits. */
const eventsMax = 5_000;
const queueNote = 'workerConcurrency 200, minPollingIntervalMs 100, pool of 20';

const silent = {
  info: () => undefined,
  debug: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

const configure = (databaseUrl: string): void =>
  DBOS.setConfig({
    name: applicationName,
    systemDatabaseUrl: databaseUrl,
    systemDatabasePoolSize: 20,
    logger: silent,
    applicationVersion: 'bench',
    executorID: 'bench',
  });

const registerQueue = (name: string) =>
  DBOS.registerQueue(name, {
    workerConcurrency: 200,
    minPollingIntervalMs: 100,
    onConflict: 'always_update',
  });

const openClient = (databaseUrl: string): Promise<DBOSClient> =>
  DBOSClient.create({ systemDatabaseUrl: databaseUrl, applicationName, logger: silent });

const enqueue = (client: DBOSClient, connection: pg.ClientBase, order: Order) =>
  client.enqueueInTransaction<(order: Order) => Promise<void>>(
    connection,
    { queueName, workflowName, appVersion: 'bench' },
    order,
  );

/** Makes the schema and the queue, and goes again, so that nobody handles what is published. */
const prepare = async (databaseUrl: string): Promise<void> => {
  configure(databaseUrl);
  await DBOS.launch();
  await registerQueue(queueName);
  await DBOS.shutdown();
};

const publish = async (context: RunContext): Promise<RunReport> => {
  await prepare(context.databaseUrl);
  const client = await openClient(context.databaseUrl);
  const report = await publishInTransactions(context, (connection, order) =>
    enqueue(client, connection, order),
  );
  await client.destroy();
  return { ...report, notes: [version, 'enqueueInTransaction'] };
};

const drainBy =
  (step: (pool: pg.Pool, order: Order) => Promise<unknown>, note: string) =>
  async (context: RunContext): Promise<RunReport> => {
    const { databaseUrl } = context;
    const events = Math.min(sizeOf(context, 'events'), eventsMax);
    const pool = new pg.Pool({ connectionString: databaseUrl, max: 10 });
    await pool.query(spendTable);
    await prepare(databaseUrl);
    const client = await openClient(databaseUrl);
    const connection = await pool.connect();
    await connection.query('begin');
    for (let index = 0; index < events; index += 1) await enqueue(client, connection, orderOf(index));
    await connection.query('commit');
    connection.release();
    await client.destroy();
    await pool.query('vacuum analyze');
    let handled = 0;
    const run = async (order: Order): Promise<void> => {
      await DBOS.runStep(() => step(pool, order).then(() => undefined), { name: 'write' });
      handled += 1;
    };
    DBOS.registerWorkflow(run, { name: workflowName });
    const elapsedMs = await context.measure(async () => {
      configure(databaseUrl);
      await DBOS.launch();
      await until(() => handled >= events);
    });
    const audit = await auditSpend(pool, events);
    await DBOS.shutdown();
    return { done: events, elapsedMs, ...audit, notes: [version, queueNote, note] };
  };

const drain = drainBy(
  (pool, { customerId, pence }) => pool.query({ name: 'one', text: upsertOne, values: [customerId, pence] }),
  'a workflow with one step per event, recorded apart from its upsert: at least once',
);

const operational = drainBy(async (pool, { customerId, pence }) => {
  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query({ name: 'one', text: upsertOne, values: [customerId, pence] });
    await client.query('commit');
  } finally {
    client.release();
  }
}, 'a workflow with one step per event, its transaction apart from the record: at least once');

export const open: OpenMessaging = async ({ databaseUrl, publishes, handled }) => {
  if (handled !== null) {
    const run = async ({ orderId }: Order): Promise<void> => handled(orderId);
    DBOS.registerWorkflow(run, { name: workflowName });
    configure(databaseUrl);
    await DBOS.launch();
    await registerQueue(queueName);
  }
  const client = publishes ? await openClient(databaseUrl) : undefined;
  return {
    publish: async (order) => {
      await client?.enqueue<(order: Order) => Promise<void>>(
        { queueName, workflowName, appVersion: 'bench' },
        order,
      );
    },
    stop: async () => {
      await client?.destroy();
      if (handled !== null) await DBOS.shutdown({ workflowCompletionTimeoutMS: 1 });
    },
  };
};

const idle = async (context: RunContext): Promise<RunReport> => {
  configure(context.databaseUrl);
  await DBOS.launch();
  for (let index = 0; index < 10; index += 1) await DBOS.registerQueue(`idle-${index}`);
  const report = await measureIdle(context);
  await DBOS.shutdown();
  return { ...report, notes: [version, 'ten queues with their default polling of 1 s'] };
};

export const workloads: Workloads = {
  publish,
  drain,
  operational,
  ...latencyWorkloads('dbos', open),
  idle,
  workflow: workflow(configure, version),
};
