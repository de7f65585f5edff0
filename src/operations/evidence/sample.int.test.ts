import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts';
import { keyHash, laneOf } from '../../foundation/index.ts';
import { createDatabase, type Database } from '../../postgres/index.ts';
import { handledTypes } from './handled-types.ts';
import { type LogSample, readSample } from './sample.ts';

let testDatabase: TestDatabase;
let database: Database;

beforeAll(async () => {
  testDatabase = await createTestDatabase({ migrated: true });
  database = createDatabase({ url: testDatabase.url, applicationName: 'sample' });
});
afterAll(async () => {
  await database.stop();
  await testDatabase.drop();
});
beforeEach(async () => {
  await sql(
    'truncate factline.events, factline.consumers, factline.checkpoints, factline.inbox, factline.parked, factline.parked_events, factline.consumer_generations restart identity',
  );
});

const sql = async (text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> =>
  (await database.transactions.query(text, values)).rows;

const placed = 'shop.order.placed.v1';
const paid = 'shop.order.paid.v1';

const publish = async (
  type: string,
  data: unknown,
  { source = 'shop', key = 'orderId=A1' } = {},
): Promise<number> => {
  const [row] = await sql(
    `insert into factline.events (id, type, source, key, key_hash, data, meta, time)
     values (gen_random_uuid(), $1, $2, $3, $4, $5, '{}', now()) returning position`,
    [type, source, key, keyHash(key), JSON.stringify(data)],
  );
  return Number(row?.['position']);
};

/** The next event gets this position. */
const jumpTo = (position: number): Promise<unknown> =>
  sql("select setval('factline.events_position_seq', $1, false)", [position]);

const sample = (limit: number, ...types: string[]): Promise<LogSample> =>
  readSample(database.operations, { types, limit });

const positionsOf = ({ events }: LogSample): number[] => events.map(({ event }) => event.position);

describe('a sample of the log', () => {
  test('takes the newest of each producer version: type, source, members', async () => {
    const old = [
      await publish(placed, { a: 1 }),
      await publish(placed, { a: 2 }),
      await publish(placed, { a: 3 }),
    ];
    const till = await publish(placed, { a: 4 }, { source: 'till' });
    const fresh = [await publish(placed, { b: 1, a: 5 }), await publish(placed, { a: 6, b: 2 })];
    await publish(paid, { a: 1 });
    const found = await sample(2, placed);
    expect(positionsOf(found)).toEqual([...fresh.toReversed(), till, ...old.slice(1).toReversed()]);
    expect(found.events[0]).toMatchObject({
      members: ['a', 'b'],
      parked: [],
      event: { source: 'shop', key: 'orderId=A1' },
    });
    expect(found.span).toEqual({ after: 0, upTo: 7 });
  });

  test('of an empty log, of unknown types, and of payloads that are no objects', async () => {
    expect(await sample(10, placed)).toEqual({ events: [], span: { after: 0, upTo: 0 } });
    await publish(placed, [1, 2]);
    await publish(placed, 'text');
    expect(positionsOf(await sample(10, placed))).toEqual([2, 1]);
    expect(positionsOf(await sample(10, 'shop.order.gone.v1'))).toEqual([]);
  });

  test('goes back as far as it needs, and says how far that was', async () => {
    const first = await publish(placed, { a: 1 });
    await jumpTo(700_000);
    const second = await publish(placed, { a: 1 });
    expect(positionsOf(await sample(5, placed))).toEqual([second, first]);
    await jumpTo(1_600_000);
    const third = await publish(paid, { a: 1 });
    const found = await sample(5, placed, paid);
    expect(positionsOf(found)).toEqual([third, second]);
    expect(found.span).toEqual({ after: 600_000, upTo: 1_600_000 });
    // Enough of each: no further than what is looked at in any case.
    expect((await sample(1, paid)).span).toEqual({ after: 1_400_000, upTo: 1_600_000 });
  });

  test('stays bounded where every payload has other members', async () => {
    await sql(
      `insert into factline.events (id, type, source, key, key_hash, data, meta, time)
      select gen_random_uuid(), $1, 'shop', 'orderId=A1', 1, jsonb_build_object('member ' || n, n), '{}', now() from generate_series(1, 500) n`,
      [placed],
    );
    const found = await sample(2, placed);
    expect(found.events).toHaveLength(40);
    expect(found.events[0]?.members).toEqual(['member 500']);
  });

  test('has every parked event as well, once, with who has parked it', async () => {
    const old = await publish(placed, { a: 1 });
    const newer = [await publish(placed, { a: 2 }), await publish(placed, { a: 3 })];
    await sql(`insert into factline.consumers (app, class, name, types, lanes, start_position)
      select 'shop', 'operational', n, '{}', 1, 0 from unnest('{payment,mail}'::text[]) n`);
    await sql(
      `insert into factline.parked (consumer_id, key, key_hash, position, state, reason)
      values (1, 'orderId=A1', 7, $1, 'quarantined', 'x'), (2, 'orderId=A1', 7, $1, 'waiting', 'x'), (2, 'orderId=A1', 7, 99, 'waiting', 'x')`,
      [old],
    );
    await sql(
      "insert into factline.parked_events (consumer_id, position, failure_class) values (1, $1, 'schema')",
      [old],
    );
    const found = await sample(1, placed);
    expect(positionsOf(found)).toEqual([newer[1], old]);
    expect(found.events[1]?.parked).toEqual([
      { id: 1, consumer: 'payment', failureClass: 'schema' },
      { id: 2, consumer: 'mail', failureClass: null },
    ]);
    expect(positionsOf(await sample(1, paid))).toEqual([]);
  });
});

describe('what consumers have handled', () => {
  const consumer = async (
    name: string,
    options: { types: string[]; checkpoints: number[]; ordering?: string; start?: number },
  ): Promise<number> => {
    const { types, checkpoints, ordering = 'key', start = 0 } = options;
    const [row] = await sql(
      `insert into factline.consumers (app, class, name, types, lanes, start_position, ordering)
       values ('shop', 'operational', $1, $2, $3, $4, $5) returning id`,
      [name, types, checkpoints.length, start, ordering],
    );
    await sql(
      `insert into factline.checkpoints (consumer_id, lane, position, dispatch_limit)
       select $1, ordinality - 1, p, p from unnest($2::bigint[]) with ordinality as u (p)`,
      [row?.['id'], checkpoints],
    );
    return Number(row?.['id']);
  };
  const handled = () => handledTypes(database.operations, [placed, paid]);

  test('is what lies below the checkpoint of its lane or stands in the inbox, and is not parked', async () => {
    const keys = ['orderId=A1', 'orderId=A2', 'orderId=A3', 'orderId=A4'];
    for (const key of keys) await publish(placed, {}, { key });
    const lanes = keys.map((key) => laneOf(keyHash(key), 2));
    const id = await consumer('payment', { types: [placed, paid], checkpoints: [10, 0] });
    const inFirstLane = lanes.filter((lane) => lane === 0).length;
    expect(await handled()).toEqual([
      { consumer: 'payment', type: paid, events: 0, waiting: 0 },
      { consumer: 'payment', type: placed, events: inFirstLane, waiting: 4 - inFirstLane },
    ]);
    const inSecond = lanes.indexOf(1) + 1;
    const inFirst = lanes.indexOf(0) + 1;
    expect([inFirst, inSecond]).not.toContain(0);
    await sql('insert into factline.inbox (consumer_id, key_hash, position) values ($1, 7, $2)', [
      id,
      inSecond,
    ]);
    expect((await handled())[1]).toMatchObject({ events: inFirstLane + 1 });
    await sql(
      `insert into factline.parked (consumer_id, key, key_hash, position, state, reason) values ($1, 'x', 7, $2, 'quarantined', 'x')`,
      [id, inFirst],
    );
    expect((await handled())[1]).toMatchObject({ events: inFirstLane, waiting: 4 - inFirstLane });
  });

  test('does not count what came before the consumer read the type', async () => {
    for (let n = 0; n < 6; n += 1) await publish(placed, {});
    const id = await consumer('payment', { types: [placed], checkpoints: [100], start: 1 });
    expect(await handled()).toMatchObject([{ events: 5, waiting: 0 }]);
    await sql(
      `insert into factline.consumer_generations (consumer_id, generation, types, declared_types, key_version, lanes, barrier)
      values ($1, 1, '{}', '{}', 1, 1, 1), ($1, 2, $2, $2, 1, 1, 4)`,
      [id, [placed]],
    );
    expect(await handled()).toMatchObject([{ events: 2, waiting: 0 }]);
  });

  test('counts by the lowest checkpoint where events have no order, and leaves retired consumers out', async () => {
    for (let n = 0; n < 4; n += 1) await publish(placed, {});
    await consumer('none', { types: [placed], checkpoints: [3, 1], ordering: 'none' });
    await consumer('gone', { types: [placed], checkpoints: [3] });
    await sql("update factline.consumers set state = 'retired' where name = 'gone'");
    expect(await handled()).toEqual([{ consumer: 'none', type: placed, events: 1, waiting: 3 }]);
  });
});
