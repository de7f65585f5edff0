import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { auditTable, declare } from '../../test/faults/counting-class.ts';
import {
  audit,
  createEngineProcess,
  type EngineProcess,
  type EngineProcessOptions,
  lanesHeld,
  publishEvents,
  until,
} from '../../test/faults/engine-process.ts';

const thing = 'test.thing.happened.v1';
let test_: TestDatabase;
let processes: EngineProcess[] = [];
let client: pg.Client;

const launch = (options: Omit<EngineProcessOptions, 'url'>): EngineProcess => {
  const made = createEngineProcess({ url: test_.url, ...options });
  processes.push(made);
  return made;
};

const rows = async (text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> =>
  (await client.query(text, values)).rows;

beforeEach(async () => {
  test_ = await createTestDatabase({ migrated: true });
  client = new pg.Client(test_.url);
  await client.connect();
  await client.query(auditTable);
});

afterEach(async () => {
  await Promise.all(processes.map((each) => each.stop()));
  processes = [];
  await client.end();
  await test_.drop();
});

test('a process alone works all lanes when start has resolved, and handles every event once, in order', async () => {
  const one = launch({
    definitions: [declare({ name: 'orders', lanes: 16 }), declare({ name: 'mail', lanes: 1 })],
  });
  await one.start();
  expect(lanesHeld(one.engine, 'orders')).toBe(16);
  expect(lanesHeld(one.engine, 'mail')).toBe(1);
  await publishEvents(test_.url, { count: 300 });
  await one.engine.idle();
  expect(one.engine.handled()).toBe(600);
  expect(await audit(test_.url, 'orders', [thing])).toEqual({
    missing: 0,
    doubled: 0,
    disordered: 0,
    handled: 300,
  });
});

test('a stopped process leaves nothing behind but clean lanes, and starts again', async () => {
  const one = launch({ definitions: [declare({ name: 'orders' })] });
  await one.start();
  await one.engine.stop();
  expect(await rows('select * from factline.processes')).toEqual([]);
  expect(await rows('select distinct owner, released from factline.lanes')).toEqual([
    { owner: null, released: true },
  ]);
  await one.engine.start();
  expect(lanesHeld(one.engine, 'orders')).toBe(4);
  expect(await rows('select distinct token::int from factline.lanes')).toEqual([{ token: 2 }]);
});

test('starting takes few statements, whatever the number of consumers', async () => {
  const definitions = Array.from({ length: 10 }, (_, index) =>
    declare({ name: `consumer-${index}`, lanes: 16 }),
  );
  const one = launch({ definitions });
  await one.engine.register();
  await one.tail.start();
  const statements: string[] = [];
  const query = one.database.operations.query.bind(one.database.operations) as (
    ...args: unknown[]
  ) => unknown;
  Object.defineProperty(one.database.operations, 'query', {
    value: (...args: unknown[]) => {
      const { name } = args[0] as { name: string };
      if (/membership|lanes/.test(name)) statements.push(name);
      return query(...args);
    },
  });
  await one.engine.start();
  expect(lanesHeld(one.engine, 'consumer-9')).toBe(16);
  expect(statements).toEqual([
    'factline.membership.join_processes',
    'factline.membership.beat',
    'factline.lanes.take_lanes',
    'factline.lanes.read_checkpoints',
  ]);
});

test('an idle process with ten consumers sends at most one statement every two seconds beside the tail', async () => {
  const definitions = Array.from({ length: 10 }, (_, index) => declare({ name: `consumer-${index}` }));
  const one = launch({ definitions });
  await one.start();
  const beats = async (): Promise<number> =>
    Number((await rows('select beat from factline.processes'))[0]?.['beat']);
  const before = await beats();
  await new Promise((resolve) => setTimeout(resolve, 4_100));
  expect((await beats()) - before).toBeLessThanOrEqual(3);
  expect((await beats()) - before).toBeGreaterThanOrEqual(1);
});

test('a process that cannot beat stops working before others may take its lanes, and takes them again afterwards', async () => {
  const dropped: number[] = [];
  const one = launch({
    definitions: [declare({ name: 'orders' })],
    onDrop: (lanes) => dropped.push(lanes.length),
  });
  await one.start();
  await client.query('begin; lock table factline.processes in access exclusive mode');
  const blockedAt = performance.now();
  await until(() => dropped.length > 0, 10_000);
  expect(dropped).toEqual([4]);
  expect(performance.now() - blockedAt).toBeLessThan(9_500);
  expect(lanesHeld(one.engine, 'orders')).toBe(0);
  await client.query('commit');
  await until(() => lanesHeld(one.engine, 'orders') === 4);
  await publishEvents(test_.url, { count: 20 });
  await one.engine.idle();
  expect(await audit(test_.url, 'orders', [thing])).toEqual({
    missing: 0,
    doubled: 0,
    disordered: 0,
    handled: 20,
  });
});

test('a process whose row was removed comes back under its number', async () => {
  const one = launch({ definitions: [declare({ name: 'orders' })] });
  await one.start();
  const [before] = await rows('delete from factline.processes returning id::int');
  await client.query(`notify factline_requests, 'x'`);
  await until(async () => (await rows('select from factline.processes')).length === 1);
  expect((await rows('select id::int from factline.processes'))[0]).toEqual(before);
  expect(lanesHeld(one.engine, 'orders')).toBe(4);
});

test('a consumer that cannot begin its work fails the start, with its own error', async () => {
  const failing = (): void => {
    throw new Error('no table');
  };
  const one = launch({ definitions: [declare({ name: 'orders' })], onTake: failing });
  await expect(one.start()).rejects.toThrow('no table');
  expect(await rows('select * from factline.processes')).toEqual([]);
});

test('a joining process gets its share of every consumer, and its share goes back when it leaves', async () => {
  const definitions = [
    declare({ name: 'orders', lanes: 16 }),
    ...['a', 'b', 'c', 'd'].map((name) => declare({ name, class: 'projection' })),
  ];
  const one = launch({ definitions });
  await one.start();
  const two = launch({ definitions });
  await two.start();
  await until(() => lanesHeld(one.engine, 'orders') === 8 && lanesHeld(two.engine, 'orders') === 8);
  const projections = (engine: EngineProcess['engine']): number =>
    ['a', 'b', 'c', 'd'].reduce((sum, name) => sum + lanesHeld(engine, name), 0);
  await until(() => projections(one.engine) === 2 && projections(two.engine) === 2);
  await publishEvents(test_.url, { count: 200 });
  await two.engine.stop();
  await until(() => lanesHeld(one.engine, 'orders') === 16 && projections(one.engine) === 4);
  await one.engine.idle();
  expect(await audit(test_.url, 'orders', [thing])).toEqual({
    missing: 0,
    doubled: 0,
    disordered: 0,
    handled: 200,
  });
  expect(one.errors).toEqual([]);
});
