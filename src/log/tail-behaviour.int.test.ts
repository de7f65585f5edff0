import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { insertAtText, Writer } from '../../test/log/writing.ts';
import {
  createManualClock,
  createTelemetry,
  FactlineError,
  stressLifecycle,
  systemClock,
  type Telemetry,
  type TelemetryEvent,
} from '../foundation/index.ts';
import { createDatabase, type Database } from '../postgres/index.ts';
import { createTail, logChannel, readHead, readPositions, readRange, type Tail } from './index.ts';

let testDatabase: TestDatabase;
let database: Database;
let writer: Writer;
let clock: ReturnType<typeof createManualClock>;
let telemetry: Telemetry;
let events: TelemetryEvent[];
let tail: Tail;

beforeEach(async () => {
  testDatabase = await createTestDatabase({ migrated: true });
  database = createDatabase({ url: testDatabase.url, applicationName: 'tail-behaviour' });
  writer = await Writer.connect(testDatabase.url);
  clock = createManualClock();
  telemetry = createTelemetry();
  events = [];
  telemetry.listen((event) => events.push(event));
  tail = createTail({ database, clock, telemetry });
});

afterEach(async () => {
  await tail.stop();
  await writer.close();
  await database.stop();
  await testDatabase.drop();
});

const named = (name: string): TelemetryEvent[] => events.filter((event) => event.name === name);

/** Lets the time of the tail pass until something has happened. */
const advanceUntil = async (what: () => boolean, stepMs = 50): Promise<void> => {
  await expect
    .poll(
      async () => {
        if (!what()) await clock.advance(stepMs);
        return what();
      },
      { timeout: 10_000, interval: 5 },
    )
    .toBe(true);
};

const polls = (): number =>
  (['wake', 'hint', 'poll', 'gap'] as const)
    .map((reason) => telemetry.metrics.value('factline_tail_polls_total', { reason }) ?? 0)
    .reduce((sum, each) => sum + each, 0);

/** Starts, and lets the first read end: what is committed from here on is found by waking only. */
const startAndRest = async (): Promise<void> => {
  await tail.start();
  await expect.poll(() => telemetry.metrics.value('factline_tail_head_position', {})).toBe(0);
};

describe('waking, with a clock that stands still, so that nothing is found by polling', () => {
  test('a commit of this process is read at once', async () => {
    await startAndRest();
    const next = tail.cursor({ types: 'all', after: 0 }).next({ max: 10 });
    await writer.insert();
    tail.wake();
    expect((await next).upTo).toBe(1);
    expect(clock.monotonic()).toBe(0);
  });

  test('a commit of another process is read at its hint', async () => {
    await startAndRest();
    const next = tail.cursor({ types: 'all', after: 0 }).next({ max: 10 });
    const elsewhere = createDatabase({ url: testDatabase.url, applicationName: 'publisher' });
    await writer.insert();
    createTail({ database: elsewhere, clock: systemClock, telemetry }).wake();
    expect((await next).upTo).toBe(1);
    expect(telemetry.metrics.value('factline_tail_polls_total', { reason: 'hint' })).toBe(1);
    await elsewhere.stop();
  });

  test('without any hint the net finds it within a second', async () => {
    await startAndRest();
    await clock.advance(60_000);
    await writer.insert();
    const from = clock.monotonic();
    const next = tail.cursor({ types: 'all', after: 0 }).next({ max: 10 });
    await advanceUntil(() => tail.settled === 1, 20);
    await next;
    // The clock runs ahead of the statement that is under way.
    expect(clock.monotonic() - from).toBeLessThanOrEqual(2000);
  });

  test('a hundred commits close together send two hints, and the sender does not wake itself', async () => {
    await startAndRest();
    let heard = 0;
    await writer.sql(`listen ${logChannel}`);
    writer.client.on('notification', () => {
      heard += 1;
    });
    for (let commit = 0; commit < 100; commit += 1) tail.wake();
    await expect.poll(() => heard).toBe(1);
    await clock.advance(2);
    await expect.poll(() => heard).toBe(2);
    expect(telemetry.metrics.value('factline_tail_polls_total', { reason: 'hint' })).toBeUndefined();
  });

  test('when idle it reads once a second', async () => {
    await startAndRest();
    await writer.insert();
    tail.wake();
    await tail.whenSettled(1);
    // The server answers in its own time: what it still answers to the event is activity, too.
    for (let second = 0; second < 20; second += 1) {
      await clock.advance(1_000);
      await writer.sql('select 1');
    }
    const before = polls();
    for (let second = 0; second < 100; second += 1) {
      await clock.advance(100);
      await writer.sql('select 1');
    }
    expect(polls() - before).toBeLessThanOrEqual(11);
    expect(polls() - before).toBeGreaterThanOrEqual(3);
  });
});

describe('an open publisher that events wait for', () => {
  test('is named with process, query and age, told once, and gone when it has ended', async () => {
    await tail.start();
    const slow = await Writer.connect(testDatabase.url);
    await slow.open();
    await writer.insert();
    tail.wake();
    await advanceUntil(() => tail.blocked()?.pid != null);
    expect(tail.blocked()).toMatchObject({
      position: 1,
      visibleBehind: true,
      pid: await slow.processId(),
      applicationName: 'writer',
      state: 'idle in transaction',
      preparedTransactions: null,
      holdsTable: true,
    });
    expect(tail.blocked()?.query).toMatch(/insert into factline.events/);
    expect(tail.blocked()?.ageMs).toBeGreaterThanOrEqual(500);
    expect(telemetry.metrics.value('factline_tail_blocked_seconds', {})).toBeGreaterThan(0.4);
    await advanceUntil(() => (tail.blocked()?.ageMs ?? 0) > 3000);
    expect(named('tail.blocked')).toHaveLength(1);
    await slow.sql('commit');
    await advanceUntil(() => tail.settled === 2);
    expect(tail.blocked()).toBeNull();
    expect(named('tail.unblocked')).toHaveLength(1);
    expect(telemetry.metrics.value('factline_tail_blocked_seconds', {})).toBe(0);
    await slow.close();
  });

  test('that is prepared is named by its gid', async () => {
    await tail.start();
    const slow = await Writer.connect(testDatabase.url);
    await slow.open();
    await slow.sql(`prepare transaction 'forgotten_${testDatabase.name}'`);
    await slow.close();
    await writer.insert();
    tail.wake();
    await advanceUntil(() => tail.blocked()?.preparedTransactions != null);
    expect(tail.blocked()).toMatchObject({
      pid: null,
      preparedTransactions: `forgotten_${testDatabase.name}`,
    });
    await writer.sql(`rollback prepared 'forgotten_${testDatabase.name}'`);
    await advanceUntil(() => tail.settled === 2);
  });

  test('is reported without an incident while nothing waits behind it', async () => {
    await tail.start();
    await writer.open();
    tail.wake();
    await advanceUntil(() => tail.blocked()?.pid != null);
    expect(tail.blocked()).toMatchObject({ visibleBehind: false });
    expect(named('tail.blocked')).toHaveLength(0);
    await writer.sql('rollback');
    await advanceUntil(() => tail.settled === 1);
  });
});

test('a row that comes late, in a way that no proof can foresee, is found by the recount', async () => {
  await tail.start();
  await writer.open();
  await writer.sql('rollback');
  await writer.insert(3);
  tail.wake();
  await advanceUntil(() => tail.settled === 4);
  const interval = 180_000;
  await clock.advance(interval);
  await advanceUntil(() => polls() > 3);
  await writer.sql(insertAtText(1));
  await clock.advance(interval);
  await advanceUntil(() => named('tail.late-arrival').length > 0, 1000);
  expect(named('tail.late-arrival')[0]?.fields).toMatchObject({ position: 1, settled: 4 });
});

test('the mark is stored at most once a second while events flow, and at the stop', async () => {
  const mark = async (): Promise<number> =>
    Number((await writer.sql('select settled from factline.log_mark'))[0]?.['settled']);
  await tail.start();
  await clock.advance(1000);
  for (let position = 1; position <= 5; position += 1) {
    await writer.insert();
    tail.wake();
    await tail.whenSettled(position);
  }
  await expect.poll(mark, { timeout: 10_000 }).toBe(1);
  // Somewhere in the second after that one.
  const markLater = async (): Promise<number> => {
    await clock.advance(100);
    return mark();
  };
  await expect.poll(markLater, { timeout: 10_000 }).toBe(5);
  await writer.insert();
  tail.wake();
  await tail.whenSettled(6);
  await tail.stop();
  expect(await mark()).toBe(6);
});

test('who waits when the tail stops is told so', async () => {
  await tail.start();
  const cursor = tail.cursor({ types: 'all', after: 0 });
  const waits = [cursor.next({ max: 1 }), tail.whenSettled(7)];
  for (const wait of waits) wait.catch(() => undefined);
  await tail.stop();
  for (const wait of waits)
    await expect(wait).rejects.toSatisfy((error) => FactlineError.is(error, 'STOPPED'));
  await expect(cursor.next({ max: 1 })).rejects.toSatisfy((error) => FactlineError.is(error, 'NOT_STARTED'));
});

test('a range whose beginning was compacted is refused, for ranges and for cursors', async () => {
  await writer.insert(10);
  await writer.sql('update factline.log_meta set compacted_below = 5');
  const refused = (error: unknown): boolean => FactlineError.is(error, 'LOG_COMPACTED');
  const range = { upTo: 10, types: 'all', limit: 100 } as const;
  await expect(readRange(database.operations, { after: 3, ...range })).rejects.toSatisfy(refused);
  await expect(
    readRange(database.operations, { ...range, after: 3, types: new Set(['none']) }),
  ).rejects.toSatisfy(refused);
  expect((await readRange(database.operations, { after: 4, ...range })).events.length).toBe(6);
  await tail.start();
  await expect(tail.cursor({ types: 'all', after: 0 }).next({ max: 5 })).rejects.toSatisfy(refused);
  expect((await tail.cursor({ types: 'all', after: 4 }).next({ max: 5 })).upTo).toBe(9);
});

test('events read by range, by position and by cursor are the same, with times in ISO 8601', async () => {
  await writer.insert(3);
  await tail.start();
  const { events: byRange } = await readRange(database.operations, {
    after: 0,
    upTo: 3,
    types: 'all',
    limit: 10,
  });
  expect(await readPositions(database.operations, [3, 1, 2, 99])).toEqual(byRange);
  await writer.insert(1);
  tail.wake();
  const cursor = tail.cursor({ types: 'all', after: 3 });
  const [fourth] = (await cursor.next({ max: 10 })).events;
  expect(await readPositions(database.operations, [4])).toEqual([fourth]);
  expect(fourth?.recordedAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
  expect(await readHead(database.operations)).toEqual({ visible: 4, given: 4 });
});

test('a payload of megabytes is read in smaller batches, and nothing is left out', async () => {
  await writer.sql(
    `insert into factline.events (id, type, source, key, key_hash, data, meta, time)
     select gen_random_uuid(), 'large.v1', 't', 'k=1', 1, jsonb_build_object('text', repeat('x', 1000000)), '{"subject":"1","correlationId":"c"}', now()
       from generate_series(1, 60)`,
  );
  await tail.start();
  const cursor = tail.cursor({ types: 'all', after: 0 });
  let count = 0;
  while (cursor.position < 60) count += (await cursor.next({ max: 7 })).events.length;
  expect(count).toBe(60);
});

test('starts, stops, fails and starts again as every unit does', async () => {
  await stressLifecycle({ create: () => createTail({ database, telemetry, clock: systemClock }) });
});
