import pg from 'pg';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../database.ts';
import { auditTable, type Declaration } from './counting-class.ts';
import { audit, publishEvents, until } from './engine-process.ts';
import { type WorkerOptions, WorkerProcess } from './worker-process.ts';

/** Generous: these tests wait for leases, and share the machine with others. */
vi.setConfig({ testTimeout: 180_000 });

const thing = 'test.thing.happened.v1';
const other = 'test.other.happened.v1';
const clean = { missing: 0, doubled: 0, disordered: 0 };
const orders: Declaration = { name: 'orders', lanes: 8 };
let test_: TestDatabase;
let client: pg.Client;
let workers: WorkerProcess[] = [];
let publishing: { stop(): Promise<void> } | undefined;

const launch = async (options: Partial<WorkerOptions> = {}): Promise<WorkerProcess> => {
  const worker = await WorkerProcess.start({ url: test_.url, declarations: [orders], ...options });
  workers.push(worker);
  return worker;
};

/** Publishes some hundred events a second until stopped. */
const publish = (type = thing): { stop(): Promise<void> } => {
  let going = true;
  const done = (async () => {
    while (going) {
      await publishEvents(test_.url, { count: 20, keys: 25, type });
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
  })();
  const stop = async (): Promise<void> => {
    going = false;
    await done;
  };
  publishing = { stop };
  return { stop };
};

/** Everything published is handled: the audit shows nothing missing; what it shows of doubles and order is the result. */
const drained = async (types: readonly string[] = [thing]): Promise<Record<string, number>> => {
  await until(async () => (await audit(test_.url, 'orders', types)).missing === 0, 30_000);
  const { handled: _, ...promises } = await audit(test_.url, 'orders', types);
  return promises;
};

const one = async (text: string): Promise<Record<string, unknown>> =>
  (await client.query(text)).rows[0] ?? {};

const handledCount = async (): Promise<number> =>
  Number((await one('select count(*) as handled from audit'))['handled']);

const progress = async (): Promise<void> => {
  const before = await handledCount();
  await until(async () => (await handledCount()) > before + 20);
};

beforeEach(async () => {
  test_ = await createTestDatabase({ migrated: true });
  client = new pg.Client(test_.url);
  client.on('error', () => {});
  await client.connect();
  await client.query(auditTable);
});

afterEach(async () => {
  await publishing?.stop();
  publishing = undefined;
  await Promise.all(workers.map((worker) => worker.end()));
  workers = [];
  await client.end();
  await test_.drop();
});

test('kill -9: the lanes move within seconds, to be treated with suspicion, and nothing is lost or doubled', async () => {
  const [first, second] = [await launch(), await launch()];
  await until(() => first.held === 4 && second.held === 4);
  const publisher = publish();
  await progress();
  const killedAt = performance.now();
  first.signal('SIGKILL');
  await first.ended();
  await until(() => second.held === 8, 6_000);
  expect(performance.now() - killedAt).toBeLessThan(6_000);
  expect(second.reports.filter((report) => report.kind === 'taken').at(-1)).toMatchObject({
    lanes: 4,
    clean: false,
  });
  await progress();
  await publisher.stop();
  expect(await drained()).toEqual(clean);
});

test('SIGTERM: what is in flight is finished, the lanes go over cleanly, the process ends with 0', async () => {
  const [first, second] = [await launch({ commitDelayMs: 20 }), await launch({ commitDelayMs: 20 })];
  await until(() => first.held === 4 && second.held === 4);
  const publisher = publish();
  await progress();
  first.signal('SIGTERM');
  expect(await first.ended()).toBe(0);
  await until(() => second.held === 8);
  expect(second.reports.filter((report) => report.kind === 'taken').every((report) => report.clean)).toBe(
    true,
  );
  await publisher.stop();
  expect(await drained()).toEqual(clean);
  expect(await one('select count(*)::int as processes from factline.processes')).toEqual({ processes: 1 });
});

test('a process that stood still past its lease cannot commit when it comes back, and joins again', async () => {
  const [first, second] = [await launch({ commitDelayMs: 50 }), await launch({ commitDelayMs: 50 })];
  await until(() => first.held === 4 && second.held === 4);
  const publisher = publish();
  await progress();
  first.signal('SIGSTOP');
  const stopped = await one('select max(ordinal) as ordinal from audit');
  await until(() => second.held === 8, 16_000);
  await progress();
  first.signal('SIGCONT');
  await until(() => first.reports.some((report) => report.kind === 'dropped'), 5_000);
  await until(() => first.held === 4 && second.held === 4, 10_000);
  await progress();
  await publisher.stop();
  expect(await drained()).toEqual(clean);
  // Of each lane no row of an old token comes after one of a newer one.
  const late = await one(
    `select count(*)::int as late from (select token, max(token) over (partition by lane order by ordinal) as newest
       from audit where ordinal > ${stopped['ordinal']}) a where token < newest`,
  );
  expect(late).toEqual({ late: 0 });
});

// Lesson: two leaders worked after a database session was lost.
test('a process whose session is lost stops dispatching at once, takes its lanes again, and nothing is doubled', async () => {
  const [first, second] = [
    await launch({ applicationName: 'first', commitDelayMs: 20 }),
    await launch({ applicationName: 'second', commitDelayMs: 20 }),
  ];
  await until(() => first.held === 4 && second.held === 4);
  const publisher = publish();
  for (let round = 0; round < 3; round += 1) {
    await progress();
    const before = first.reports.length;
    await client.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'first tail' and datname = current_database()`,
    );
    const reported = (kind: string): boolean =>
      first.reports.slice(before).some((report) => report.kind === kind);
    await until(() => reported('dropped'));
    // Its own report, not only its share: a session that is killed while it is being made was never held.
    await until(() => reported('taken') && first.held === 4 && second.held === 4);
  }
  // All connections of both, in the middle of whatever they do.
  await client.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
      where pid <> pg_backend_pid() and datname = current_database() and application_name ~ '^(first|second)'`,
  );
  await until(() => first.held === 4 && second.held === 4);
  await progress();
  await publisher.stop();
  expect(await drained()).toEqual(clean);
});

test('a rolling deploy with a wider set, while old processes are killed: nothing of the new type is passed over', async () => {
  const wider: Declaration = { ...orders, types: [thing, other], lanes: 8 };
  const old = [await launch(), await launch()];
  const publisher = publish();
  await progress();
  const next = await launch({ declarations: [wider] });
  const publisherOfNew = publish(other);
  await progress();
  old[0]?.signal('SIGKILL');
  const second = await launch({ declarations: [wider] });
  await until(() => next.held === 4 && second.held === 4, 20_000);
  expect(old[1]?.held).toBe(0);
  old[1]?.signal('SIGTERM');
  expect(await old[1]?.ended()).toBe(0);
  await progress();
  await publisher.stop();
  await publisherOfNew.stop();
  expect(await drained([thing, other])).toEqual(clean);
});

test('the number of lanes is changed online, back and forth, while processes come and go', async () => {
  const publisher = publish();
  let current = await launch();
  for (const lanes of [3, 16]) {
    const next = await launch({ declarations: [{ ...orders, lanes }] });
    await progress();
    current.signal(lanes === 16 ? 'SIGKILL' : 'SIGTERM');
    await current.ended();
    await until(() => next.held === lanes, 20_000);
    await progress();
    current = next;
  }
  await publisher.stop();
  expect(await drained()).toEqual(clean);
});

test('three processes started together share the lanes, and no lane moves more often than it must (Wolverine#3768)', async () => {
  await Promise.all([launch(), launch(), launch()]);
  await until(
    () =>
      workers
        .map(({ held }) => held)
        .sort()
        .join() === '2,3,3',
  );
  const before = await one('select sum(token)::int as tokens from factline.lanes');
  await new Promise((resolve) => setTimeout(resolve, 4_500));
  expect(await one('select sum(token)::int as tokens from factline.lanes')).toEqual(before);
  // Each of eight lanes is taken once, and once more where it moved on.
  expect(Number(before['tokens'])).toBeLessThanOrEqual(8 + 8);
});
