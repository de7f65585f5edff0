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
const other = 'test.other.happened.v1';
const clean = { missing: 0, doubled: 0, disordered: 0 };
let test_: TestDatabase;
let processes: EngineProcess[] = [];
let client: pg.Client;

const launch = (options: Omit<EngineProcessOptions, 'url'>): EngineProcess => {
  const made = createEngineProcess({ url: test_.url, ...options });
  processes.push(made);
  return made;
};

const one = async (text: string, values: unknown[] = []): Promise<Record<string, unknown>> =>
  (await client.query(text, values)).rows[0] ?? {};

const leading = async (): Promise<unknown> =>
  (await one(`select generation from factline.consumers where name = 'orders'`))['generation'];

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

test('a rolling deploy with a wider set: old code stops at the barrier, and no event of the new type is passed over', async () => {
  const old = launch({ definitions: [declare({ name: 'orders', types: [thing] })] });
  await old.start();
  await publishEvents(test_.url, { count: 50 });
  await old.engine.idle();
  const next = launch({ definitions: [declare({ name: 'orders', types: [thing, other] })] });
  await next.engine.register();
  const { barrier } = await one('select barrier from factline.consumer_generations where generation = 2');
  // What old processes would pass over, if their checkpoint could move in the old generation: it does not read the new type.
  await publishEvents(test_.url, { count: 50, type: other });
  await publishEvents(test_.url, { count: 50 });
  await old.tail.whenSettled(await old.tail.barrier());
  // Null: while nobody else runs, the old process itself leads the new generation, and then reads its types, too.
  await until(async () => {
    const { furthest } = await one(
      'select max(k.position) as furthest from factline.checkpoints k join factline.lanes l using (consumer_id, lane) where l.generation = 1',
    );
    expect(Number(furthest)).toBeLessThanOrEqual(Number(barrier));
    return furthest === barrier || furthest === null;
  });
  await next.start();
  await until(async () => (await leading()) === 2 && lanesHeld(next.engine, 'orders') === 4);
  await next.engine.idle();
  expect(await audit(test_.url, 'orders', [thing, other])).toEqual({ ...clean, handled: 150 });
  expect(lanesHeld(old.engine, 'orders')).toBe(0);
  expect([...old.errors, ...next.errors]).toEqual([]);
});

test('the barrier is in the fence: an owner that has not heard of it cannot move its checkpoint past it', async () => {
  // The owner reads before the barrier exists, and commits after: only the fence can stop it.
  const reached = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const old = launch({
    definitions: [declare({ name: 'orders', types: [thing], lanes: 1 })],
    beforeCommit: async (events) => {
      if (events.length === 0) return;
      reached.resolve();
      await goOn.promise;
    },
  });
  await old.start();
  const next = launch({ definitions: [declare({ name: 'orders', types: [thing, other], lanes: 1 })] });
  await publishEvents(test_.url, { count: 10 });
  await reached.promise;
  await next.engine.register();
  await client.query('update factline.lanes set stop_at = 5');
  goOn.resolve();
  await until(async () => (await one('select token from factline.lanes'))['token'] !== '1');
  expect(await one('select count(*)::int as handled from audit where token = 1')).toEqual({ handled: 0 });
});

test('another number of lanes, online: nothing is lost, doubled or out of order', async () => {
  const four = launch({ definitions: [declare({ name: 'orders', lanes: 4 })] });
  await four.start();
  let publishing = true;
  const publisher = (async () => {
    while (publishing) await publishEvents(test_.url, { count: 40, keys: 7 });
  })();
  const nine = launch({ definitions: [declare({ name: 'orders', lanes: 9 })] });
  await nine.start();
  await until(async () => (await leading()) === 2 && lanesHeld(nine.engine, 'orders') === 9);
  publishing = false;
  await publisher;
  await nine.engine.idle();
  const { handled, ...promises } = await audit(test_.url, 'orders', [thing]);
  expect(promises).toEqual(clean);
  expect(handled).toBeGreaterThan(0);
  expect(
    await one('select count(*)::int as lanes, min(generation) as generation from factline.lanes'),
  ).toEqual({
    lanes: 9,
    generation: 2,
  });
});

test('a rolled-back deploy: the earlier code runs the lanes of the newer generation once that is gone', async () => {
  const next = launch({ definitions: [declare({ name: 'orders', types: [thing] })] });
  await next.start();
  await next.engine.stop();
  const wider = launch({ definitions: [declare({ name: 'orders', types: [thing, other] })] });
  await wider.start();
  await until(async () => (await leading()) === 2);
  const back = launch({ definitions: [declare({ name: 'orders', types: [thing] })] });
  await back.start();
  // Long enough for lanes to move, if they were to.
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  expect(lanesHeld(wider.engine, 'orders')).toBe(4);
  expect(lanesHeld(back.engine, 'orders')).toBe(0);
  await wider.engine.stop();
  await until(() => lanesHeld(back.engine, 'orders') === 4);
  await publishEvents(test_.url, { count: 20, type: other });
  await back.engine.idle();
  // The leases still carry the newer types, so that the class can park what it has no code for.
  expect(await audit(test_.url, 'orders', [thing, other])).toEqual({ ...clean, handled: 20 });
});

test('a type is dropped for good by a person, on record', async () => {
  const both = launch({ definitions: [declare({ name: 'orders', types: [thing, other] })] });
  await both.start();
  await both.engine.stop();
  const fewer = launch({ definitions: [declare({ name: 'orders', types: [thing] })] });
  await fewer.start();
  expect(await leading()).toBe(1);
  await client.query(
    `insert into factline.requests (consumer_id, verb, actor, reason) select id, 'accept', 'ada', 'gone for good' from factline.consumers`,
  );
  await client.query(`notify factline_requests, 'x'`);
  await until(async () => (await leading()) === 2 && lanesHeld(fewer.engine, 'orders') === 4);
  expect(
    await one(
      'select types, accepted_by, accepted_because from factline.consumer_generations where generation = 2',
    ),
  ).toEqual({
    types: [thing],
    accepted_by: 'ada',
    accepted_because: 'gone for good',
  });
  expect(await one('select state from factline.requests')).toEqual({ state: 'done' });
});

test('a new consumer that starts now sees what is published after its registration, and nothing before', async () => {
  await publishEvents(test_.url, { count: 10 });
  const mail = launch({ definitions: [declare({ name: 'orders', startAt: 'now' })] });
  await mail.engine.register();
  await publishEvents(test_.url, { count: 7 });
  await mail.start();
  await mail.engine.idle();
  expect(mail.engine.handled()).toBe(7);
});

test('a renamed consumer goes on where it was, beside processes that still know the old name (spring-modulith#564)', async () => {
  const before = launch({ definitions: [declare({ name: 'orders' })] });
  await before.start();
  await publishEvents(test_.url, { count: 10 });
  await before.engine.idle();
  const after = launch({ definitions: [declare({ name: 'sales', formerly: ['orders'] })] });
  await after.start();
  await until(() => lanesHeld(after.engine, 'sales') === 2 && lanesHeld(before.engine, 'orders') === 2);
  await before.engine.stop();
  await until(() => lanesHeld(after.engine, 'sales') === 4);
  await publishEvents(test_.url, { count: 10 });
  await after.engine.idle();
  expect(
    await one(
      'select count(*)::int as consumers, min(name) as name, max(id)::int as id from factline.consumers',
    ),
  ).toEqual({
    consumers: 1,
    name: 'sales',
    id: 1,
  });
  expect(await audit(test_.url, 'sales', [thing])).toEqual({ ...clean, handled: 20 });
});

test('requests are carried out once, by the owner of the lane, and answered', async () => {
  const carried: string[] = [];
  const carryOut = async (request: {
    verb: string;
  }): Promise<{ state: 'done'; answer: { verb: string } }> => {
    carried.push(request.verb);
    return { state: 'done', answer: { verb: request.verb } };
  };
  const definitions = [declare({ name: 'orders', class: 'projection' })];
  const first = launch({ definitions, carryOut });
  await first.start();
  const second = launch({ definitions, carryOut });
  await second.start();
  await client.query(`insert into factline.requests (consumer_id, verb, actor) values (1, 'rebuild', 'ada')`);
  await client.query(`notify factline_requests, '1'`);
  await until(async () => (await one('select state from factline.requests'))['state'] === 'done');
  expect(carried).toEqual(['rebuild']);
  expect(await one('select answer from factline.requests')).toEqual({ answer: { verb: 'rebuild' } });
});

test('a pause reaches every process, and is lifted again', async () => {
  const pauses: (string | null)[] = [];
  const definitions = [declare({ name: 'orders' })];
  const onPause = (pause: { reason: string } | null): void => void pauses.push(pause?.reason ?? null);
  const first = launch({ definitions, onPause });
  await first.start();
  const second = launch({ definitions, onPause });
  await second.start();
  await until(() => lanesHeld(second.engine, 'orders') === 2);
  const ask = async (verb: string): Promise<void> => {
    await client.query(
      `insert into factline.requests (consumer_id, verb, actor, reason) values (1, $1, 'ada', 'looking')`,
      [verb],
    );
    await client.query(`notify factline_requests, '1'`);
  };
  await ask('pause');
  await until(() => pauses.length === 2);
  await ask('resume');
  await until(() => pauses.length === 4);
  expect(pauses).toEqual(['looking', 'looking', null, null]);
});
