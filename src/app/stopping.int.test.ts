import pg from 'pg';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { z } from 'zod';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { defineHandler, defineProjection } from '../consumers/index.ts';
import { defineEvent } from '../contracts/index.ts';
import { createFactline } from './index.ts';

const Happened = defineEvent({
  type: 'test.thing.happened.v1',
  key: 'id',
  schema: z.object({ id: z.string(), n: z.int() }),
});
const Answered = defineEvent({
  type: 'test.thing.answered.v1',
  key: 'id',
  schema: z.object({ id: z.string(), n: z.int() }),
});
const seen = defineProjection({
  name: 'seen',
  on: Answered,
  primaryKey: 'n',
  columns: { n: 'int4', times: 'int4' },
  evolve: (row) => ({ times: (row?.times ?? 0) + 1 }),
});
const answering = defineHandler({
  name: 'answering',
  on: Happened,
  concurrency: 8,
  handle: (event, { transaction }) =>
    transaction(async (tx) => {
      await tx.query('insert into answers (n) values ($1)', [event.data.n]);
      tx.publish(Answered(event.data));
    }),
});

let database: TestDatabase;
let client: pg.Client;
beforeEach(async () => {
  database = await createTestDatabase();
  client = new pg.Client(database.url);
  await client.connect();
  await client.query('create table answers (n int not null)');
});
afterEach(async () => {
  await client.end();
  await database.drop();
});

it('stopped again and again in the middle of its backlog, an app loses and doubles nothing', async () => {
  const events = 900;
  const keys = 40;
  const options = {
    name: 'stopping',
    database: database.url,
    consumers: [answering, seen],
    handleSignals: false,
  };
  const [app, writer] = [createFactline(options), createFactline(options)];
  const publishing = (async () => {
    for (let n = 0; n < events; n += 5) {
      const drafts = Array.from({ length: 5 }, (_, index) =>
        Happened({ id: `k${(n + index) % keys}`, n: n + index }),
      );
      await writer.publish(drafts);
    }
  })();
  const answers = async (): Promise<number> =>
    Number((await client.query('select count(*)::int as answers from answers')).rows[0]?.answers);
  for (let before = 0; before < events * 0.8; ) {
    await app.start();
    const target = before + 100;
    while ((await answers()) < target) await new Promise((resolve) => setImmediate(resolve));
    await app.stop();
    before = await answers();
  }
  await publishing;
  await app.start();
  // What the last answers caused comes after them.
  while ((await app.catchUp({ within: '30s' })).remaining > 0);
  const { rows } = await client.query(
    `select count(*)::int as answers, count(distinct n)::int as distinct,
       (select count(*)::int from seen) as seen, (select count(*)::int from seen where times <> 1) as wrong from answers`,
  );
  expect(rows).toEqual([{ answers: events, distinct: events, seen: events, wrong: 0 }]);
  await app.stop();
  await writer.stop();
}, 120_000);
