import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { createTelemetry, FactlineError, systemClock } from '../foundation/index.ts';
import { createDatabase, type Database } from '../postgres/index.ts';
import { createTail, type LogCursor, type Tail } from './index.ts';

let test_: TestDatabase;
let database: Database;
let writer: pg.Client;
let tail: Tail;
const telemetry = createTelemetry();

const insertText = `insert into factline.events (id, type, source, key, key_hash, data, meta, time)
  select gen_random_uuid(), $2, 'test', 'orderId=' || n, n, '{}', '{"subject":"x","correlationId":"c"}', now()
    from generate_series(1, $1::int) n returning position`;

const insert = async (on: pg.ClientBase, count = 1, type = 'test.event.v1'): Promise<number[]> =>
  (await on.query(insertText, [count, type])).rows.map(({ position }) => Number(position));

const connect = async (): Promise<pg.Client> => {
  const client = new pg.Client(test_.url);
  await client.connect();
  return client;
};

/** Everything up to the settled position `upTo`. */
const drain = async (cursor: LogCursor, upTo: number, max = 100): Promise<number[]> => {
  const positions: number[] = [];
  const signal = AbortSignal.timeout(10_000);
  while (cursor.position < upTo && !signal.aborted) {
    const batch = await cursor.next({ max, signal });
    positions.push(...batch.events.map((event) => event.position));
  }
  return positions;
};

beforeEach(async () => {
  test_ = await createTestDatabase({ migrated: true });
  database = createDatabase({ url: test_.url, applicationName: 'tail-test' });
  writer = await connect();
  tail = createTail({ database, clock: systemClock, telemetry });
});

afterEach(async () => {
  await tail.stop();
  await writer.end();
  await database.stop();
  await test_.drop();
});

test('a cursor follows what is committed, in position order', async () => {
  await tail.start();
  const cursor = tail.cursor({ types: 'all', after: 0 });
  const positions = await insert(writer, 3);
  tail.wake();
  expect(await drain(cursor, 3)).toEqual(positions);
  const waiting = cursor.next({ max: 10 });
  const [fourth] = await insert(writer);
  expect((await waiting).events.map((event) => event.position)).toEqual([fourth]);
});

test('a later position that commits first is held back until the earlier one has ended', async () => {
  await tail.start();
  const cursor = tail.cursor({ types: 'all', after: 0 });
  const slow = await connect();
  await slow.query('begin');
  await insert(slow);
  await insert(writer);
  await expect(tail.whenSettled(1, { withinMs: 200 })).rejects.toSatisfy((error) =>
    FactlineError.is(error, 'WAIT_TIMED_OUT'),
  );
  await slow.query('commit');
  await slow.end();
  expect(await drain(cursor, 2)).toEqual([1, 2]);
});

test('a rolled back publisher leaves a hole that is passed', async () => {
  await tail.start();
  await writer.query('begin');
  await insert(writer, 5);
  await writer.query('rollback');
  await tail.whenSettled(5, { withinMs: 5000 });
  await insert(writer);
  expect(await drain(tail.cursor({ types: 'all', after: 0 }), 6)).toEqual([6]);
});

test('a cursor far behind reads by itself, and passes what does not match (AxonFramework#4288)', async () => {
  await insert(writer, 6000, 'test.noise.v1');
  await insert(writer, 3, 'test.event.v1');
  await insert(writer, 6000, 'test.noise.v1');
  await tail.start();
  expect(tail.settled).toBe(12_003);
  const all = tail.cursor({ types: 'all', after: 0 });
  expect((await drain(all, 12_003, 700)).length).toBe(12_003);
  const some = tail.cursor({ types: new Set(['test.event.v1']), after: 0 });
  expect(await drain(some, 12_003)).toEqual([6001, 6002, 6003]);
  expect(some.position).toBe(12_003);
  all.seek(11_999);
  expect(await drain(all, 12_003)).toEqual([12_000, 12_001, 12_002, 12_003]);
});

test('the tail goes on after its session was killed', async () => {
  await tail.start();
  const cursor = tail.cursor({ types: 'all', after: 0 });
  await insert(writer, 2);
  expect(await drain(cursor, 2)).toEqual([1, 2]);
  await writer.query('select pg_terminate_backend($1)', [tail.session.processId]);
  await insert(writer, 2);
  expect(await drain(cursor, 4)).toEqual([3, 4]);
});

test('an aborted wait answers nothing and does not move', async () => {
  await tail.start();
  const cursor = tail.cursor({ types: 'all', after: 0 });
  const abort = new AbortController();
  const waiting = cursor.next({ max: 1, signal: abort.signal });
  abort.abort();
  expect(await waiting).toEqual({ events: [], upTo: 0 });
});

test('notifications of other channels reach their listeners over a reconnect', async () => {
  await tail.start();
  const heard: string[] = [];
  tail.session.listen('factline_requests', ({ payload }) => void heard.push(payload));
  const prepared: number[] = [];
  tail.session.onConnect(async () => void prepared.push(1));
  await insert(writer);
  await tail.whenSettled(1);
  await writer.query('select pg_terminate_backend($1)', [tail.session.processId]);
  await insert(writer);
  await tail.whenSettled(2);
  await writer.query("select pg_notify('factline_requests', '7')");
  await expect.poll(() => heard).toEqual(['7']);
  expect(prepared).toEqual([1, 1]);
});
