import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { createDatabase, type Database } from '../postgres/index.ts';
import { payloadSizes } from './payload-sizes.ts';

let created: TestDatabase;
let database: Database;

beforeAll(async () => {
  created = await createTestDatabase({ migrated: true });
  database = createDatabase({ url: created.url, applicationName: 'payload-sizes' });
});
afterAll(async () => {
  await database.stop();
  await created.drop();
});

test('95 of 100 payloads are at most so large; one that is larger does not count', async () => {
  await database.operations.query(
    `insert into factline.events (id, type, source, key, key_hash, data, meta, time)
     select gen_random_uuid(), case when n <= 100 then 'shop.order.placed.v1' else 'shop.order.paid.v1' end, 'shop', 'k', 7,
            jsonb_build_object('text', repeat('x', case when n = 100 then 90000 else 988 end)), '{}', now()
       from generate_series(1, 110) n`,
  );
  const sizes = await payloadSizes(database.operations, ['shop.order.placed.v1', 'shop.order.sent.v1']);
  expect([...sizes]).toEqual([['shop.order.placed.v1', 1_000]]);
});
