import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts';
import {
  createProjectionProcess,
  type ProjectionProcess,
  type ProjectionProcessOptions,
} from '../../../test/projection/projection-process.ts';
import { Counted, tally, tallyBySql } from '../../../test/projection/tallies.ts';
import { systemClock, systemRandomness } from '../../foundation/index.ts';
import { encodeToken, type StoredEvent } from '../../log/index.ts';
import { type LaneLease, noBarrier, type RegisteredConsumer, type RunnerServices } from '../runner.ts';
import type { BatchWriter } from './batch-writer.ts';
import { foldingProjection } from './definition.ts';
import { FoldWriter } from './fold-writer.ts';
import { LaneStore } from './lane-store.ts';
import { ParkedKeys } from './parked-keys.ts';
import type { SqlProjection } from './sql-definition.ts';
import { SqlWriter } from './sql-writer.ts';

let database: TestDatabase;
let processes: ProjectionProcess[] = [];

const launch = async (options: Partial<ProjectionProcessOptions> = {}): Promise<ProjectionProcess> => {
  const made = createProjectionProcess({ url: database.url, definitions: [tally], ...options });
  processes.push(made);
  await made.start();
  return made;
};

const counted = (amount: number, thing = 'A') => Counted({ thing, amount, flaky: false });

/** Stops the process at a step until it is let go. */
const holdAt = (wanted: string) => {
  const arrived = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const testStep = async (step: string): Promise<void> => {
    if (step !== wanted) return;
    arrived.resolve();
    await go.promise;
  };
  return { testStep, arrived: arrived.promise, go: () => go.resolve() };
};

beforeEach(async () => {
  database = await createTestDatabase({ migrated: true });
});

afterEach(async () => {
  await Promise.all(processes.map((each) => each.stop()));
  processes = [];
  await database.drop();
});

test.each([
  ['folded', 'tally', tally],
  ['written by SQL', 'tally_sql', tallyBySql],
] as const)(
  'a token that was overtaken writes nothing, neither rows nor parked rows (%s)',
  async (_, view, projection) => {
    const app = await launch({ definitions: [projection] });
    await app.publish(counted(1), counted(2));
    await app.engine.idle();
    const [running] = app.engine.running();
    const consumer = running?.consumer as RegisteredConsumer;
    const [lane] = await app.rows('select token::int from factline.lanes');
    const leaseOf = (token: number): LaneLease => ({
      consumerId: consumer.id,
      lane: 0,
      generation: 1,
      token,
      position: 2,
      dispatchLimit: 2,
      settledAtTakeover: 2,
      clean: true,
      types: consumer.types,
      laneCount: 1,
      stopAt: noBarrier,
    });
    const services = {
      ...app,
      clock: systemClock,
      randomness: systemRandomness,
      consumer,
    } as unknown as RunnerServices;
    const commit = async (token: number, flaky: boolean): Promise<void> => {
      const store = new LaneStore(
        { ...services, app: { codeVersion: '1' } } as RunnerServices,
        leaseOf(token),
      );
      const shared = { relation: `${view}__b1`, store, parked: new ParkedKeys(), services };
      const writer = (
        projection.form === 'fold'
          ? new FoldWriter({ ...shared, projection: foldingProjection(projection) })
          : new SqlWriter({ ...shared, projection: projection as SqlProjection })
      ) as BatchWriter;
      const stored = { ...(await store.readEvents([2])).get(2), position: 3 } as StoredEvent;
      const data = JSON.stringify({ thing: 'B', amount: 3, flaky });
      await writer.commit(await writer.prepare([{ ...stored, id: randomUUID(), data }]), { from: 2, to: 3 });
    };
    const before = await app.rows(`select * from ${view}`);
    for (const flaky of [false, true]) {
      await expect(commit(Number(lane?.['token']) - 1, flaky)).rejects.toMatchObject({ code: 'LEASE_LOST' });
      expect(await app.rows(`select * from ${view}`)).toEqual(before);
      expect(await app.rows('select position::int from factline.checkpoints')).toEqual([{ position: 2 }]);
      expect(await app.rows('select * from factline.parked')).toEqual([]);
    }
    // The same commit under the token that holds.
    await commit(Number(lane?.['token']), false);
    expect(await app.rows(`select thing from ${view} order by 1`)).toEqual([{ thing: 'A' }, { thing: 'B' }]);
  },
);

test('an owner that is overtaken in the middle of a batch loses it, and it counts once', async () => {
  const hold = holdAt('projection.before-commit');
  const app = await launch({ testStep: hold.testStep });
  await app.publish(counted(1), counted(2));
  await hold.arrived;
  await app.rows('update factline.lanes set token = token + 1, owner = null, released = false');
  hold.go();
  while (!app.told.some(({ name }) => name === 'lane.lost'))
    await new Promise((resolve) => setTimeout(resolve, 5));
  while ((await app.rows('select * from tally')).length === 0) await app.engine.idle();
  expect(await app.rows('select events, amounts from tally')).toEqual([{ events: 2, amounts: '1 2 ' }]);
});

test('a checkpoint that somebody else has moved refuses the batch', async () => {
  const hold = holdAt('projection.before-commit');
  const app = await launch({ testStep: hold.testStep });
  await app.publish(counted(1), counted(2));
  await hold.arrived;
  await app.rows('update factline.checkpoints set position = 1');
  hold.go();
  while ((await app.rows('select * from tally')).length === 0)
    await new Promise((resolve) => setTimeout(resolve, 10));
  // The first event is what the other one is taken to have handled.
  expect(await app.rows('select events, amounts from tally')).toEqual([{ events: 1, amounts: '2 ' }]);
});

test('a write whose outcome was lost counts once', async () => {
  let cut = true;
  const app = await launch({
    definitions: [tally, tallyBySql],
    testStep: (step) => {
      if (step !== 'projection.after-commit' || !cut) return;
      cut = false;
      throw Object.assign(new Error('Connection terminated unexpectedly'), { code: 'ECONNRESET' });
    },
  });
  await app.publish(...Array.from({ length: 100 }, (_, n) => counted(n)));
  await app.engine.idle();
  await app.publish(counted(1000));
  await app.engine.idle();
  expect(await app.rows('select events from tally union all select events from tally_sql')).toEqual([
    { events: 101 },
    { events: 101 },
  ]);
});

test('connections that break in the middle of batches lose and double nothing', async () => {
  const app = await launch({ definitions: [tally, tallyBySql], applicationName: 'breaks' });
  const publisher = createProjectionProcess({ url: database.url, definitions: [] });
  processes.push(publisher);
  for (let round = 0; round < 5; round++) {
    await publisher.publish(...Array.from({ length: 300 }, (_, n) => counted(n, `t${n % 5}`)));
    await publisher.rows(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()
       and application_name in ('breaks transactions', 'breaks operations')`,
    );
  }
  const total = async (view: string) =>
    Number((await publisher.rows(`select coalesce(sum(events), 0) as n from ${view}`))[0]?.['n']);
  while ((await total('tally')) < 1500 || (await total('tally_sql')) < 1500)
    await new Promise((resolve) => setTimeout(resolve, 20));
  await app.engine.idle();
  expect([await total('tally'), await total('tally_sql')]).toEqual([1500, 1500]);
});

test('a read waits no longer than it may, and refuses tokens of another log', async () => {
  const app = await launch();
  await app.ask('tally', 'pause', { reason: 'test' });
  const token = await app.publish(counted(1));
  await expect(app.read(tally, { thing: 'A' }, { token, within: '50ms' })).rejects.toMatchObject({
    code: 'READ_TIMEOUT',
  });
  await app.ask('tally', 'resume');
  expect(await app.read(tally, { thing: 'A' }, { token })).toEqual({ thing: 'A', events: 1, amounts: '1 ' });
  const foreign = encodeToken({ epoch: '00000000-0000-4000-8000-000000000000', positions: [1] });
  await expect(app.read(tally, { thing: 'A' }, { token: foreign })).rejects.toMatchObject({
    code: 'LOG_EPOCH_MISMATCH',
  });
  await expect(app.read(tally, { thing: 'A' }, { token: 'x' })).rejects.toMatchObject({
    code: 'TOKEN_INVALID',
  });
});

test('a read in another process, which runs no projection, sees the same', async () => {
  const worker = await launch();
  const reader = createProjectionProcess({ url: database.url, definitions: [] });
  processes.push(reader);
  await worker.publish(counted(1));
  const token = await worker.publish(counted(2));
  expect(await reader.read(tally, { thing: 'A' }, { token })).toMatchObject({ events: 2 });
});

test('events that do not matter move the checkpoint lazily, but do move it (AxonFramework#4288)', async () => {
  const app = await launch();
  await app.rows('create table moves (at timestamptz default clock_timestamp())');
  await app.rows(
    `create function note() returns trigger language plpgsql as $$ begin insert into moves default values; return new; end $$`,
  );
  await app.rows(
    'create trigger note after update on factline.checkpoints for each row execute function note()',
  );
  for (let n = 0; n < 30; n++) {
    await app.rows(
      `insert into factline.events (id, type, source, key, key_hash, data, meta, time) values (gen_random_uuid(), 'other.thing.happened.v1', 't', 'k', 0, '{}', '{}', now())`,
    );
    app.tail.wake();
    await app.engine.idle();
  }
  const moves = async () => Number((await app.rows('select count(*) as n from moves'))[0]?.['n']);
  expect(await moves()).toBeLessThan(15);
  await app.engine.stop();
  expect(await app.rows('select position::int from factline.checkpoints')).toEqual([{ position: 30 }]);
});
