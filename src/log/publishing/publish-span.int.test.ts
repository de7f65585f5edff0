import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts';
import { forgetSdk, installSdk } from '../../../test/spans.ts';
import { defineEvent } from '../../contracts/index.ts';
import { createTelemetry, systemRandomness, uuidv7 } from '../../foundation/index.ts';
import { createDatabase, type Database, fromPg } from '../../postgres/index.ts';
import { currentCause } from './cause.ts';
import { publishInForeignTransaction } from './foreign.ts';
import { type PublishingOptions, publishingTransaction } from './publishing-transaction.ts';

const Placed = defineEvent({
  type: 'shop.order.placed.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string() }),
});
const handled = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

let testDatabase: TestDatabase;
let database: Database;
let options: PublishingOptions;

beforeAll(async () => {
  testDatabase = await createTestDatabase({ migrated: true });
  database = createDatabase({ url: testDatabase.url, applicationName: 'test' });
});
afterAll(async () => {
  await database.stop();
  await testDatabase.drop();
});
beforeEach(async () => {
  await database.operations.query('truncate factline.events, factline.event_ids');
  const telemetry = createTelemetry();
  options = { database, telemetry, source: 'shop', nextId: () => uuidv7(Date.now(), systemRandomness) };
});
afterEach(forgetSdk);

const traceparents = async (): Promise<(string | null)[]> => {
  const text = "select meta->>'traceparent' as traceparent from factline.events order by position";
  const { rows } = await database.operations.query<{ traceparent: string | null }>(text);
  return rows.map(({ traceparent }) => traceparent);
};

test('without an SDK the trace of the event that is being handled is passed on unchanged', async () => {
  const cause = { correlationId: 'c', causationId: 'd', traceparent: handled };
  await currentCause.run(cause, () =>
    publishingTransaction(options, async (tx) => tx.publish(Placed({ orderId: 'a' }))),
  );
  await publishingTransaction(options, async (tx) => tx.publish(Placed({ orderId: 'b' })));
  expect(await traceparents()).toEqual([handled, null]);
});

test('one span covers the write of a transaction, and its events carry it', async () => {
  const ended = installSdk();
  await publishingTransaction(options, async (tx) =>
    tx.publish(Placed({ orderId: 'a' }), Placed({ orderId: 'b' })),
  );
  await publishingTransaction(options, async (tx) => {
    await tx.query('select 1');
  });
  expect(ended).toMatchObject([
    {
      name: 'factline.publish',
      parent: undefined,
      failed: false,
      attributes: { 'factline.events': 2, 'factline.type': 'shop.order.placed.v1' },
    },
  ]);
  const own = `00-${ended[0]?.traceId}-${ended[0]?.spanId}-01`;
  expect(await traceparents()).toEqual([own, own]);
});

test('the span is a child of the active one, else of the event that is being handled', async () => {
  const ended = installSdk();
  const publish = () => publishingTransaction(options, async (tx) => tx.publish(Placed({ orderId: 'a' })));
  await currentCause.run({ correlationId: 'c', causationId: 'd', traceparent: handled }, publish);
  const { telemetry } = options;
  await telemetry?.withSpan({ name: 'factline.handle', attributes: {} }, publish);
  expect(ended.map(({ name, parent }) => [name, parent])).toEqual([
    ['factline.publish', 'b7ad6b7169203331'],
    ['factline.publish', '0000000000000002'],
    ['factline.handle', undefined],
  ]);
});

test('dedupe keys and foreign transactions carry the span too, and a failure ends it', async () => {
  const ended = installSdk();
  const deduplicated = Placed({ orderId: 'a' }, { dedupeKey: 'k' });
  await publishingTransaction(options, async (tx) => tx.publish(deduplicated));
  const client = await database.transactions.connect();
  await client.query('begin');
  await publishInForeignTransaction([Placed({ orderId: 'b' })], fromPg(client), options);
  await client.query('commit');
  const conflict = publishingTransaction(options, async (tx) =>
    tx.publish(Placed({ orderId: 'x' }, { dedupeKey: 'k' })),
  );
  await expect(conflict).rejects.toMatchObject({ code: 'DEDUPE_KEY_CONFLICT' });
  client.release();
  expect(ended.map(({ failed }) => failed)).toEqual([false, false, true]);
  expect(await traceparents()).toEqual(
    ended.slice(0, 2).map((span) => `00-${span.traceId}-${span.spanId}-01`),
  );
});
