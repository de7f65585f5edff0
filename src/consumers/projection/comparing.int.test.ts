import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts';
import {
  createProjectionProcess,
  type ProjectionProcess,
} from '../../../test/projection/projection-process.ts';
import { defineEvent } from '../../contracts/index.ts';
import { systemClock } from '../../foundation/index.ts';
import { type Build, readBuilds } from './build-record.ts';
import { type CompareOptions, compareBuilds } from './comparing.ts';
import type { Comparison } from './comparison.ts';
import { defineProjection } from './definition.ts';
import { defineSqlProjection } from './sql-definition.ts';
import { rangeDifferences, rangeEnd, rangeSums } from './statements.ts';

const Counted = defineEvent({
  type: 'shop.thing.counted.v1',
  key: 'thing',
  schema: z.object({ thing: z.string(), amount: z.int() }),
});
/** A key of two columns, names that must be quoted, and every row made by hand. */
const pairs = defineProjection({
  name: 'pairs',
  on: Counted,
  primaryKey: ['thing', 'no "1"'],
  columns: { thing: 'text', 'no "1"': 'int4', amount: 'int8', b: 'jsonb?' },
  rows: () => [],
  evolve: (row) => row,
});
const keyless = defineSqlProjection({
  name: 'keyless',
  on: Counted,
  create: (sql) => sql.query(`create table ${sql.table} (thing text, at point)`),
  apply: async () => undefined,
});

let database: TestDatabase;
let app: ProjectionProcess;
const rowCount = 5_000;

const builds = async (name: string): Promise<[Build, Build]> =>
  (await readBuilds(app.database.operations, [name])) as [Build, Build];

const compare = async (change: Partial<CompareOptions> & { name?: string } = {}): Promise<Comparison> => {
  const [live, build] = await builds(change.name ?? 'pairs');
  return compareBuilds({
    database: app.database,
    clock: systemClock,
    live,
    build,
    rangeRows: 400,
    ...change,
  });
};

const fill = async (build: number): Promise<void> => {
  await app.rows(`truncate factline.pairs__b${build}`);
  await app.rows(
    `insert into factline.pairs__b${build} select 't' || n % 50, n, n * 3, case when n % 3 = 0 then '{"a":[1]}'::jsonb end
     from generate_series(1, ${rowCount}) n order by ${build === 1 ? 'n' : 'md5(n::text)'}`,
  );
};

const until = async (condition: () => Promise<boolean>): Promise<void> => {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
};

beforeAll(async () => {
  database = await createTestDatabase({ migrated: true });
  app = createProjectionProcess({ url: database.url, definitions: [pairs, keyless] });
  await app.start();
  for (const name of ['pairs', 'keyless']) {
    await app.ask(name, 'rebuild', { arguments: { switching: 'manual' } });
    await until(async () => (await builds(name))[1]?.stage === 'ready');
  }
});

afterAll(async () => {
  await app.stop();
  await database.drop();
});

test('equal rows are equal in whatever order they lie, range by range', async () => {
  await fill(1);
  await fill(2);
  expect(await compare()).toMatchObject({
    verdict: 'equal',
    liveRows: rowCount,
    buildRows: rowCount,
    different: 0,
    ranges: Math.ceil(rowCount / 400) + (rowCount % 400 === 0 ? 1 : 0),
    columns: ['thing', 'no "1"', 'amount', 'b'],
  });
});

test.each([
  [
    'a value',
    `update factline.pairs__b2 set amount = 0 where "no ""1""" = 777`,
    { where: 'both', columns: ['amount'] },
  ],
  [
    'a null',
    `update factline.pairs__b2 set b = null where "no ""1""" = 900`,
    { where: 'both', columns: ['b'] },
  ],
  ['a row too few', `delete from factline.pairs__b2 where "no ""1""" = 5000`, { where: 'only in live' }],
  [
    'a row too many, before all others',
    `insert into factline.pairs__b2 values ('', 0, 1, null)`,
    { where: 'only in build' },
  ],
  [
    'a row too many, after all others',
    `insert into factline.pairs__b2 values ('z', 0, 1, null)`,
    { where: 'only in build' },
  ],
])('%s is found', async (_, change, difference) => {
  await fill(1);
  await fill(2);
  await app.rows(change);
  const found = await compare();
  expect(found).toMatchObject({ verdict: 'differs', different: 1, atLeast: false, sample: [difference] });
});

test('two rows whose differences cancel out in a plain sum are found', async () => {
  await fill(1);
  await fill(2);
  await app.rows(`update factline.pairs__b2 set amount = amount + 1 where "no ""1""" = 50`);
  await app.rows(`update factline.pairs__b2 set amount = amount - 1 where "no ""1""" = 100`);
  expect(await compare()).toMatchObject({ verdict: 'differs', different: 2 });
});

test('when everything differs, what is looked at stays bounded, and it is said', async () => {
  await fill(1);
  await fill(2);
  await app.rows('update factline.pairs__b2 set amount = -1');
  const found = await compare({ rangeRows: 20 });
  expect(found).toMatchObject({ verdict: 'differs', atLeast: true });
  expect(found.sample).toHaveLength(20);
});

test('ranges are read by the primary key, in part, however large the tables are', async () => {
  await fill(1);
  await fill(2);
  await app.rows('analyze factline.pairs__b1');
  const key = [
    { name: 'thing', type: 'text' },
    { name: 'no "1"', type: 'integer' },
  ];
  const table = (build: number) => ({
    relation: `pairs__b${build}`,
    key,
    columns: ['thing', 'no "1"', 'amount', 'b'],
  });
  const tables = [table(1), table(2)] as const;
  const range = { from: ['t10', '60'], to: ['t11', '61'] };
  for (const text of [
    rangeEnd(tables[0], range, 10),
    rangeSums(tables, range),
    rangeDifferences(tables, range, 10),
  ]) {
    const [client] = [await app.database.operations.connect()];
    const { rows } = await client.query({
      text: `explain ${text}`,
      values: ['t10', '60', 't11', '61'],
      rowMode: 'array',
    } as never);
    client.release();
    const plan = (rows as unknown as string[][]).flat().join('\n');
    expect(plan).toMatch(/(Index (Only )?Scan using|Bitmap Index Scan on) pairs__b1_pkey/);
    expect(plan).toMatch(/Index Cond: \(\(?ROW\(/);
    expect(plan).not.toMatch(/Seq Scan/);
  }
});

test('tables without a key in common are only counted', async () => {
  await app.rows(`insert into factline.keyless__b1 values ('a', '(1,2)')`);
  expect(await compare({ name: 'keyless' })).toMatchObject({
    verdict: 'incomparable',
    liveRows: 1,
    buildRows: 0,
  });
});

test('under traffic that never pauses, rows of the one that lags are looked at again, and a wrong one is still found', async () => {
  await fill(1);
  await fill(2);
  const [live, build] = await builds('pairs');
  let going = true;
  let turn = 0;
  // As two lanes do: each commits its rows with its checkpoint, one a little behind the other; never at the same place.
  const commit = async (of: Build, position: number): Promise<void> => {
    await app.rows(
      `with moved as (update factline.checkpoints set position = $1 where consumer_id = $2)
       update factline.pairs__b${of.build} set amount = $1 where "no ""1""" = $1::bigint % 100 + 1`,
      [position, of.id],
    );
  };
  const [{ top = 0 } = {}] = (await app.rows(
    'select max(position)::int + 10 as top from factline.checkpoints',
  )) as { top?: number }[];
  await app.rows(
    `insert into factline.events (position, id, type, source, key, key_hash, data, meta, time)
     overriding system value select n, gen_random_uuid(), 'shop.thing.counted.v1', 's', 'thing=t', 1, '{}', '{}', now() from generate_series($1::int, $1::int + 20000) n`,
    [top],
  );
  const traffic = (async () => {
    await commit(live, top);
    for (turn = 1; going; turn += 1) {
      await commit(live, top + turn);
      await commit(build, top + turn - 1);
    }
  })();
  expect(await compare({ patienceMs: 1500 })).toMatchObject({ verdict: 'equal' });
  await app.rows(`update factline.pairs__b2 set amount = -5 where "no ""1""" = 4000`);
  const found = await compare({ patienceMs: 600 });
  going = false;
  await traffic;
  expect(['undecided', 'differs']).toContain(found.verdict);
  expect(found.different).toBeGreaterThanOrEqual(1);
  await commit(build, top + turn - 1);
  expect(await compare()).toMatchObject({
    verdict: 'differs',
    different: 1,
    sample: [{ columns: ['amount'] }],
  });
});
