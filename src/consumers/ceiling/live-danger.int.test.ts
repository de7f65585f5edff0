import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts';
import {
  createProjectionProcess,
  type ProjectionProcess,
} from '../../../test/projection/projection-process.ts';
import { defineEvent } from '../../contracts/index.ts';
import { defineProjection } from '../projection/definition.ts';
import { readLiveDanger } from './live-danger.ts';

const Counted = defineEvent({
  type: 'shop.thing.counted.v1',
  key: 'thing',
  schema: z.object({ thing: z.string() }),
});
const things = defineProjection({
  name: 'things',
  on: Counted,
  primaryKey: 'thing',
  columns: { thing: 'text', events: 'int4' },
  evolve: (row) => ({ events: (row?.events ?? 0) + 1 }),
});

let database: TestDatabase;
let app: ProjectionProcess;

beforeEach(async () => {
  database = await createTestDatabase({ migrated: true });
  app = createProjectionProcess({ url: database.url, definitions: [things] });
  await app.start();
  await app.publish(...Array.from({ length: 60 }, (_, n) => Counted({ thing: `t${n}` })));
  await app.engine.idle();
});

afterEach(async () => {
  await app.stop();
  await database.drop();
});

/** A live consumer as another process would work it: two lanes, so many seconds behind what it promised. */
const neighbour = async (change: {
  promisedMs: number;
  paused?: boolean;
  owned?: boolean;
  types?: string;
}): Promise<void> => {
  const { promisedMs, paused = false, owned = true, types = '{shop.thing.counted.v1}' } = change;
  await app.rows(
    `with made as (
       insert into factline.consumers (app, class, name, types, lanes, start_position, handled_within_ms, paused_at)
       values ('other', 'operational', 'payment', $1, 2, 0, $2, $3) returning id
     ), lanes as (
       insert into factline.lanes (consumer_id, lane, generation, owner) select id, lane, 1, $4 from made, generate_series(0, 1) lane
     )
     insert into factline.checkpoints (consumer_id, lane, position, dispatch_limit) select id, lane, 40 * lane, 0 from made, generate_series(0, 1) lane`,
    [types, promisedMs, paused ? new Date() : null, owned ? 1 : null],
  );
  await app.rows(`update factline.events set recorded_at = factline.clock() - interval '6 seconds'`);
};

test('nothing waits: no danger', async () => {
  expect(await readLiveDanger(app.database.operations)).toEqual({ consumer: null, danger: 0 });
});

test('danger is the age of the oldest event that nobody handled, as a share of the promise', async () => {
  await neighbour({ promisedMs: 10_000 });
  const { consumer, danger } = await readLiveDanger(app.database.operations);
  expect(consumer).toBe('payment');
  expect(danger).toBeGreaterThan(0.59);
  expect(danger).toBeLessThan(0.9);
});

test('what was handled above the mark, and what waits for a person, is no danger', async () => {
  await neighbour({ promisedMs: 10_000 });
  await app.rows(
    `insert into factline.inbox (consumer_id, key_hash, position) select k.id, key_hash, position from factline.events, factline.consumers k where k.name = 'payment' and position % 2 = 0`,
  );
  await app.rows(
    `insert into factline.parked (consumer_id, key, key_hash, position, state, reason) select k.id, key, key_hash, position, 'quarantined', 'failed' from factline.events, factline.consumers k where k.name = 'payment' and position % 2 = 1`,
  );
  expect(await readLiveDanger(app.database.operations)).toEqual({ consumer: null, danger: 0 });
});

test.each([{ paused: true }, { owned: false }, { types: '{other.thing.happened.v1}' }])(
  'who is not hurt by others is not protected: %o',
  async (change) => {
    await neighbour({ promisedMs: 10_000, ...change });
    expect((await readLiveDanger(app.database.operations)).danger).toBe(0);
  },
);

test('a rebuild stands still while a live consumer would break its promise, says so, and goes on by itself', async () => {
  await neighbour({ promisedMs: 1000 });
  await app.ask('things', 'rebuild', { arguments: { ceiling: 20, switching: 'manual' } });
  const reasons = (): string =>
    app.engine
      .running()
      .find(({ consumer }) => consumer.build === 2)
      ?.progress.reasons.join('; ') ?? '';
  // 60 events at 20 a second: the first batch is owed for three seconds.
  while (!reasons().includes('stands still: payment would break its promise'))
    await new Promise((resolve) => setTimeout(resolve, 50));
  await app.publish(Counted({ thing: 't1' }));
  const stood = async (): Promise<unknown> =>
    (
      await app.rows(
        'select position from factline.checkpoints c join factline.consumers k on k.id = c.consumer_id where build = 2',
      )
    )[0];
  const before = await stood();
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(await stood()).toEqual(before);
  await app.rows(
    `delete from factline.lanes where consumer_id in (select id from factline.consumers where name = 'payment')`,
  );
  while ((await app.rows(`select from factline.builds where stage = 'ready'`)).length === 0)
    await new Promise((resolve) => setTimeout(resolve, 50));
});
