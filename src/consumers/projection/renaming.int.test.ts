import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts';
import { eventually } from '../../../test/operational/fixtures.ts';
import {
  createProjectionProcess,
  type ProjectionProcess,
} from '../../../test/projection/projection-process.ts';
import { defineEvent } from '../../contracts/index.ts';
import { defineProjection } from './definition.ts';

const Counted = defineEvent({
  type: 'test.thing.counted.v1',
  key: 'thing',
  schema: z.object({ thing: z.string() }),
});

let folded = 0;

/** Not idempotent: an event that is applied twice, or not at all, shows. */
const counts = (name: string, { version = 1, formerly = [] as readonly string[] } = {}) =>
  defineProjection({
    name,
    version,
    formerly,
    on: Counted,
    primaryKey: 'thing',
    columns: { thing: 'text', events: 'int4' },
    evolve: (row) => {
      folded += 1;
      return { events: (row?.events ?? 0) + 1 };
    },
  });
const before = counts('tally');
const after = counts('totals', { formerly: ['tally'] });

let database: TestDatabase;
let processes: ProjectionProcess[] = [];

const launch = async (projection: typeof before): Promise<ProjectionProcess> => {
  const process = createProjectionProcess({ url: database.url, definitions: [projection] });
  processes.push(process);
  await process.start();
  return process;
};
const stop = async (process: ProjectionProcess): Promise<void> => {
  processes = processes.filter((each) => each !== process);
  await process.stop();
};

const publish = (process: ProjectionProcess, ...things: string[]): Promise<string> =>
  process.publish(...things.map((thing) => Counted({ thing })));

const consumers = 'select id, name, former_names, build, state from factline.consumers order by id';

beforeEach(async () => {
  folded = 0;
  database = await createTestDatabase({ migrated: true });
  const process = await launch(before);
  await publish(process, 'a', 'a', 'b');
  await process.engine.idle();
  await stop(process);
});

afterEach(async () => {
  await Promise.all(processes.map((each) => each.stop()));
  processes = [];
  await database.drop();
});

test('another name keeps rows and checkpoint: nothing is folded again', async () => {
  const process = await launch(after);
  const token = await publish(process, 'a', 'c');
  expect(await process.read(after, { thing: 'a' }, { token })).toEqual({ thing: 'a', events: 3 });
  expect(await process.read(after, { thing: 'b' })).toEqual({ thing: 'b', events: 1 });
  expect(folded).toBe(5);
  expect(await process.rows('select thing, events from totals order by thing')).toEqual([
    { thing: 'a', events: 3 },
    { thing: 'b', events: 1 },
    { thing: 'c', events: 1 },
  ]);
  expect(await process.rows(consumers)).toEqual([
    { id: 1, name: 'totals', former_names: ['tally'], build: 1, state: 'live' },
  ]);
});

test('the view of the earlier name stays for whoever still reads it, and moves on with it', async () => {
  const process = await launch(after);
  await publish(process, 'a');
  await process.engine.idle();
  expect(await process.rows(`select events from tally where thing = 'a'`)).toEqual([{ events: 3 }]);
});

test('a new version under another name is built beside what is read, and then read under the new name', async () => {
  const next = counts('totals', { version: 2, formerly: ['tally'] });
  const process = await launch(next);
  const token = await publish(process, 'a');
  await eventually(
    async () => (await process.rows(consumers)).some(({ build, state }) => build === 2 && state === 'live'),
    'the new build is read',
  );
  expect(await process.read(next, { thing: 'a' }, { token })).toEqual({ thing: 'a', events: 3 });
  for (const view of ['totals', 'tally']) {
    expect(await process.rows(`select thing, events from ${view} order by thing`)).toEqual([
      { thing: 'a', events: 3 },
      { thing: 'b', events: 1 },
    ]);
  }
});

test('the table of the earlier name goes with its build', async () => {
  const third = counts('totals', { version: 3, formerly: ['tally'] });
  for (const next of [counts('totals', { version: 2, formerly: ['tally'] }), third]) {
    const process = await launch(next);
    const isRead = `select from factline.consumers where version = ${next.version} and state = 'live'`;
    await eventually(async () => (await process.rows(isRead)).length === 1, 'the new build is read');
    await stop(process);
  }
  const process = await launch(third);
  const tables = `select relname from pg_class where relname like '%\\_\\_b_' and relkind = 'r' order by 1`;
  await eventually(async () => (await process.rows(tables)).length === 2, 'what nobody needs is gone');
  expect(await process.rows(tables)).toEqual([{ relname: 'totals__b2' }, { relname: 'totals__b3' }]);
});

test('processes that know only the earlier name go on, fold and read', async () => {
  const old = await launch(before);
  const young = await launch(after);
  const token = await publish(old, 'a', 'd');
  expect(await old.read(before, { thing: 'a' }, { token })).toEqual({ thing: 'a', events: 3 });
  expect(await young.read(after, { thing: 'd' }, { token })).toEqual({ thing: 'd', events: 1 });
  await stop(young);
  const later = await publish(old, 'd');
  expect(await old.read(before, { thing: 'd' }, { token: later })).toEqual({ thing: 'd', events: 2 });
  expect(folded).toBe(6);
  expect((await old.rows(consumers)).map(({ name }) => name)).toEqual(['totals']);
});
