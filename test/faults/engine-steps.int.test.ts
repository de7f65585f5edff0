import pg from 'pg';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type EngineStep, engineSteps } from '../../src/consumers/index.ts';
import { createTestDatabase, type TestDatabase } from '../database.ts';
import { auditTable, type Declaration } from './counting-class.ts';
import { audit, publishEvents, until } from './engine-process.ts';
import { type WorkerOptions, WorkerProcess } from './worker-process.ts';

vi.setConfig({ testTimeout: 120_000 });

const thing = 'test.thing.happened.v1';
const other = 'test.other.happened.v1';
const orders: Declaration = { name: 'orders', lanes: 4 };
const wider: Declaration = { ...orders, types: [thing, other] };
let test_: TestDatabase;
let client: pg.Client;
let workers: WorkerProcess[] = [];

const launch = async (options: Partial<WorkerOptions> = {}): Promise<WorkerProcess> => {
  const worker = await WorkerProcess.start({ url: test_.url, declarations: [orders], ...options });
  workers.push(worker);
  return worker;
};

beforeEach(async () => {
  test_ = await createTestDatabase({ migrated: true });
  client = new pg.Client(test_.url);
  await client.connect();
  await client.query(auditTable);
});

afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.end()));
  workers = [];
  await client.end();
  await test_.drop();
});

const ask = async (): Promise<void> => {
  await client.query(
    `insert into factline.requests (consumer_id, verb, actor) values (1, 'anything', 'ada')`,
  );
  await client.query(`notify factline_requests, '1'`);
};

/** Brings a process to the step; it dies there. */
const reach: Readonly<Record<EngineStep, (step: EngineStep) => Promise<WorkerProcess>>> = {
  'engine.before-take': (killAt) => launch({ killAt }),
  'engine.after-take': (killAt) => launch({ killAt }),
  'engine.before-work': (killAt) => launch({ killAt }),
  'engine.before-release': (killAt) => stopped(killAt),
  'engine.after-release': (killAt) => stopped(killAt),
  'engine.before-hand-over': (killAt) => deployed(killAt),
  'engine.after-hand-over': (killAt) => deployed(killAt),
  'engine.before-answer': (killAt) => asked(killAt),
  'engine.after-answer': (killAt) => asked(killAt),
};

const stopped = async (killAt: EngineStep): Promise<WorkerProcess> => {
  const worker = await launch({ killAt });
  await publishEvents(test_.url, { count: 40 });
  worker.signal('SIGTERM');
  return worker;
};

const asked = async (killAt: EngineStep): Promise<WorkerProcess> => {
  const worker = await launch({ killAt });
  await ask();
  return worker;
};

const deployed = async (killAt: EngineStep): Promise<WorkerProcess> => {
  const old = await launch();
  old.signal('SIGTERM');
  await old.ended();
  return launch({ killAt, declarations: [wider] });
};

test.each(engineSteps)(
  'a process that dies at %s leaves nothing that its successor cannot go on from',
  async (step) => {
    await publishEvents(test_.url, { count: 60 });
    const victim = await reach[step](step);
    await victim.ended();
    await publishEvents(test_.url, { count: 60, type: other });
    await publishEvents(test_.url, { count: 60 });
    const handingOver = step.endsWith('hand-over');
    const successor = await launch({ declarations: [handingOver ? wider : orders] });
    await until(() => successor.held === 4, 20_000);
    const types = handingOver ? [thing, other] : [thing];
    await until(async () => (await audit(test_.url, 'orders', types)).missing === 0, 20_000);
    expect(await audit(test_.url, 'orders', types)).toMatchObject({ doubled: 0, disordered: 0 });
    const open = `select count(*)::int as open from factline.requests where state = 'open'`;
    await until(async () => (await client.query(open)).rows[0].open === 0);
  },
);
