import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  OrderCancelled,
  OrderPlaced,
  PaymentCaptured,
} from '../../examples/order-pipeline/contracts/index.ts';
import { customerSpend } from '../../examples/order-pipeline/read-models/customer-spend.ts';
import { orderSummary } from '../../examples/order-pipeline/read-models/order-summary.ts';
import { systemClock } from '../../src/foundation/index.ts';
import { compareProjection, listBuilds } from '../../src/replay/index.ts';
import { createTestDatabase, type TestDatabase } from '../database.ts';
import { createProjectionProcess, type ProjectionProcess } from '../projection/projection-process.ts';

/*
 * The pipeline's read models are made anew by two processes that are killed one after the other, while orders flow.
 * By hand, longer:  FACTLINE_REBUILD_ORDERS=300000 FACTLINE_REBUILD_KILLS=40 npx vitest run --project integration test/rebuild
 */
const ordersBefore = Number(process.env['FACTLINE_REBUILD_ORDERS'] ?? 2_000);
const kills = Number(process.env['FACTLINE_REBUILD_KILLS'] ?? 4);
/** A process that finds many dead owners before it handles what they had in flight one by one; that takes its time. */
const timeoutMs = 120_000 + ordersBefore * 10 + kills * 15_000;

const steps = [
  'projection.before-commit',
  'projection.after-commit',
  'projection.before-merge',
  'projection.after-merge',
  'projection.before-compare',
  'projection.after-compare',
  'projection.before-switch',
  'projection.after-switch',
];

const script = fileURLToPath(new URL('./rebuilding-process.ts', import.meta.url));
let database: TestDatabase;
let publisher: ProjectionProcess;
let children: ChildProcess[] = [];
let flowing = false;
let flow: Promise<void> = Promise.resolve();

const start = (step: string, times: number): ChildProcess => {
  const child = spawn(
    process.execPath,
    ['--conditions=factline-source', '--no-warnings', script, database.url, step, String(times)],
    { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] },
  );
  children.push(child);
  return child;
};

/** Some orders with their payments; every seventh is cancelled. Their money depends on each event counting once. */
const publishOrders = async (from: number, count: number): Promise<void> => {
  const drafts = Array.from({ length: count }, (_, n) => {
    const number = from + n;
    const orderId = `o${number}`;
    const customer = { customerId: `c${number % 57}`, country: number % 3 === 0 ? 'France' : 'Norway' };
    const lines = [{ product: 'X', quantity: 1, unitPence: 100 + (number % 11) }];
    const pence = 100 + (number % 11);
    return [
      OrderPlaced({ orderId, ...customer, totalPence: pence, lines }),
      PaymentCaptured({ orderId, chargeId: `h${number}`, pence }),
      ...(number % 7 === 0
        ? [OrderCancelled({ orderId, cancellationId: `x${number}`, ...customer, pence, lines, whole: true })]
        : []),
    ];
  }).flat();
  await publisher.publish(...drafts);
};

const until = async (condition: () => Promise<boolean>): Promise<void> => {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 50));
};

/** What the log itself says, counted without any of our code. */
const fromLog = {
  'customer-spend': `select data->>'customerId' as "customerId", data->>'country' as country,
      count(*) filter (where type like '%placed%')::int as orders,
      coalesce(sum((data->>'totalPence')::int) filter (where type like '%placed%'), 0)::text as "orderedPence",
      coalesce(sum((data->>'pence')::int) filter (where type like '%cancelled%'), 0)::text as "cancelledPence"
    from factline.events where type in ('orders.order.placed.v1', 'orders.order.cancelled.v1') group by 1, 2 order by 1, 2`,
  'order-summary': `select count(distinct key)::int as orders, sum((data->>'totalPence')::int)::text as total,
      sum((data->>'pence')::int) filter (where type like 'payments%')::text as paid,
      sum((data->>'pence')::int) filter (where type like '%cancelled%')::text as cancelled from factline.events`,
};
const fromRows = {
  'customer-spend': 'select * from "customer-spend" order by 1, 2',
  'order-summary': `select count(*)::int as orders, sum("totalPence")::text as total, sum("paidPence")::text as paid,
      sum("cancelledPence")::text as cancelled from "order-summary"`,
};

beforeEach(async () => {
  database = await createTestDatabase({ migrated: true });
  publisher = createProjectionProcess({
    url: database.url,
    definitions: [orderSummary, customerSpend],
    source: 'order-pipeline',
  });
});

afterEach(async () => {
  flowing = false;
  await flow;
  for (const child of children)
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  await Promise.all(
    children.map((child) => (child.exitCode ?? child.signalCode) === null && once(child, 'exit')),
  );
  children = [];
  await publisher.stop();
  await database.drop();
});

test('rebuilt while orders flow and processes die, the read models lose and double nothing', {
  timeout: timeoutMs,
}, async () => {
  await publisher.engine.register();
  for (let from = 0; from < ordersBefore; from += 500)
    await publishOrders(from, Math.min(500, ordersBefore - from));
  flowing = true;
  let next = ordersBefore;
  flow = (async () => {
    for (; flowing; next += 20) {
      await publishOrders(next, 20);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  })();
  start('', 0);
  await until(async () => (await publisher.rows(`select from "order-summary" limit 1`)).length > 0);
  const isDone = async (build: number): Promise<boolean> =>
    (await listBuilds(publisher.database.operations)).filter(
      (each) => each.build === build && each.stage === 'live',
    ).length === 2;
  await Promise.all([
    publisher.ask('order-summary', 'rebuild', { arguments: { shards: 4 } }),
    publisher.ask('customer-spend', 'rebuild', {}),
  ]);
  // Each process dies at another step, also at steps of the other one's lanes; the next takes over.
  for (let kill = 0; kill < kills; kill += 1) {
    const step = steps[kill % steps.length] ?? '';
    const doomed = start(step, 1 + (kill % 3));
    const steady = children.at(-2);
    await new Promise((resolve) => setTimeout(resolve, 1200));
    steady?.kill('SIGKILL');
    await Promise.race([once(doomed, 'exit'), new Promise((resolve) => setTimeout(resolve, 2500))]);
  }
  start('', 0);
  await until(() => isDone(2));
  flowing = false;
  await flow;
  await until(async () =>
    (await listBuilds(publisher.database.operations)).every(({ position, head }) => position >= head),
  );
  for (const name of ['customer-spend', 'order-summary'] as const) {
    expect(await publisher.rows(fromRows[name])).toEqual(await publisher.rows(fromLog[name]));
    expect(
      await compareProjection({ database: publisher.database, clock: systemClock, projection: name }),
    ).toMatchObject({
      verdict: 'equal',
      live: 2,
      build: 1,
    });
  }
  expect(await publisher.rows('select from factline.parked')).toEqual([]);
  expect(
    await publisher.rows(
      `select name, shards from factline.builds b join factline.consumers k on k.id = b.consumer_id where build = 2 order by 1`,
    ),
  ).toEqual([
    { name: 'customer-spend', shards: 1 },
    { name: 'order-summary', shards: 4 },
  ]);
});
