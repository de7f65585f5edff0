import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts';
import {
  createProjectionProcess,
  type ProjectionProcess,
} from '../../../test/projection/projection-process.ts';
import { defineEvent } from '../../contracts/index.ts';
import { type ColumnType, columnTypes } from './columns.ts';
import { defineProjection } from './definition.ts';

/* What a fold returns goes into the table, out again in another process, and to who reads it, and is the same everywhere. */

const json = z.json();
type Json = z.infer<typeof json>;

interface Case {
  readonly given: Json;
  readonly kept: Json;
}

const same = (...values: Json[]): Case[] => values.map((value) => ({ given: value, kept: value }));

const texts = [
  '',
  ' ',
  'NULL',
  'null',
  '{a,b}',
  '"',
  '\\',
  '\\"\\\\"',
  `'; drop table x; --`,
  'two\nlines\r\n\ttab',
  '\u0001\u007f',
  'Zoë, naïve, e\u0301, 漢字, 👩‍👩‍👧, \u202e, \ufeff, \uffff',
];

const cases: Readonly<Record<ColumnType, readonly Case[]>> = {
  text: same(...texts, 'x'.repeat(100_000)),
  int4: same(0, 1, -(2 ** 31), 2 ** 31 - 1),
  int8: same(0, -1, 2 ** 31, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER),
  float8: same(0, 0.1 + 0.2, -1 / 3, 5e-324, Number.MAX_VALUE, Number.MIN_SAFE_INTEGER, 1e21),
  bool: same(true, false),
  uuid: [
    ...same('00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'),
    { given: '0198C0DE-ABCD-7ABC-8DEF-0123456789AB', kept: '0198c0de-abcd-7abc-8def-0123456789ab' },
  ],
  date: same('0001-01-01', '1582-10-10', '2024-02-29', '9999-12-31'),
  timestamptz: [
    ...same('0001-01-01T00:00:00.000Z', '1969-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'),
    // Times have milliseconds: what is finer is cut off, before the epoch, too.
    { given: '2026-11-21T13:00:00.123456Z', kept: '2026-11-21T13:00:00.123Z' },
    { given: '1969-12-31T23:59:59.123456Z', kept: '1969-12-31T23:59:59.123Z' },
    { given: '2026-03-29T02:30:00+05:45', kept: '2026-03-28T20:45:00.000Z' },
  ],
  jsonb: same(
    ...texts,
    [],
    {},
    [[], [null], {}],
    { a: { b: [1, 'two', null, true] }, '': 0, 'with "quotes"': '\\' },
    0,
    -1.5,
    Number.MAX_SAFE_INTEGER,
    Number.MAX_VALUE,
    5e-324,
    false,
  ),
};

const Given = defineEvent({
  type: 'test.value.given.v1',
  key: 'id',
  schema: z.object({ id: z.string(), column: z.string(), value: json }),
});
const Touched = defineEvent({
  type: 'test.value.touched.v1',
  key: 'id',
  schema: z.object({ id: z.string() }),
});

const nothing = {
  text: null,
  int4: null,
  int8: null,
  float8: null,
  bool: null,
  uuid: null,
  date: null,
  timestamptz: null,
  jsonb: null,
};

const kept = defineProjection({
  name: 'kept',
  on: [Given, Touched],
  primaryKey: 'id',
  columns: {
    id: 'text',
    touches: 'int4',
    text: 'text?',
    int4: 'int4?',
    int8: 'int8?',
    float8: 'float8?',
    bool: 'bool?',
    uuid: 'uuid?',
    date: 'date?',
    timestamptz: 'timestamptz?',
    jsonb: 'jsonb?',
  },
  evolve: (row, event) =>
    Given.is(event)
      ? { ...nothing, touches: 0, [event.data.column]: event.data.value }
      : row && { ...row, touches: row.touches + 1 },
});

/** Counted under every value that can be a key, in a table of its own for each type. */
const Counted = defineEvent({
  type: 'test.key.counted.v1',
  key: 'id',
  schema: z.object({ id: z.string(), type: z.string(), value: json }),
});
const keyTypes = ['text', 'int4', 'int8', 'bool', 'uuid', 'date', 'timestamptz'] as const;
const counts = keyTypes.map((type) =>
  defineProjection({
    name: `by_${type}`,
    on: Counted,
    primaryKey: 'value',
    columns: { value: type, events: 'int4' },
    rows: (event) => (event.data.type === type ? { value: event.data.value as never } : []),
    evolve: (row) => ({ events: (row?.events ?? 0) + 1 }),
  }),
);
const countsByTwo = defineProjection({
  name: 'by_two',
  on: Counted,
  primaryKey: ['type', 'value'],
  columns: { type: 'text', value: 'text', events: 'int4' },
  rows: ({ data: { type, value } }) => ({ type, value: JSON.stringify(value).slice(0, 100) }),
  evolve: (row) => ({ events: (row?.events ?? 0) + 1 }),
});

const all = columnTypes.flatMap((type) =>
  [...cases[type], { given: null, kept: null }].map((each, index) => ({
    ...each,
    type,
    id: `${type} ${index}`,
  })),
);
/** A key has a byte at least and a kilobyte at most. */
const isKey = ({ type, given }: (typeof all)[number]): boolean =>
  (keyTypes as readonly string[]).includes(type) &&
  given !== null &&
  given !== '' &&
  String(given).length < 1_000;
const keys = all.filter(isKey);

let database: TestDatabase;
let app: ProjectionProcess;

const launch = async (): Promise<void> => {
  app = createProjectionProcess({ url: database.url, definitions: [kept, ...counts, countsByTwo] });
  await app.start();
};

const publishCounts = (): Promise<string> =>
  app.publish(...keys.map(({ id, type, given }) => Counted({ id, type, value: given })));

beforeAll(async () => {
  database = await createTestDatabase({ migrated: true });
  await launch();
  // None of this may matter to what is kept.
  for (const setting of [`DateStyle = 'SQL, DMY'`, `TimeZone = 'Asia/Kathmandu'`, 'extra_float_digits = 0'])
    await app.rows(`alter database ${database.name} set ${setting}`);
  await app.stop();
  await launch();
  await app.publish(...all.map(({ id, type, given }) => Given({ id, column: type, value: given })));
  await publishCounts();
  await app.engine.idle();
});

afterAll(async () => {
  await app.stop();
  await database.drop();
});

const expectKept = async (touches: number): Promise<void> => {
  const rows = await Promise.all(all.map(({ id }) => app.read(kept, { id })));
  expect(rows).toEqual(all.map(({ id, type, kept }) => ({ id, touches, ...nothing, [type]: kept })));
};

describe('a row', () => {
  test('is read as it was folded', () => expectKept(0));

  test.each(columnTypes)('with %s is in the table as PostgreSQL writes it down', async (type) => {
    for (const each of all.filter((one) => one.type === type)) {
      const literal = type === 'jsonb' && each.kept !== null ? JSON.stringify(each.kept) : each.kept;
      const found = await app.rows(
        `select id from kept where id = $1 and "${type}" is not distinct from $2::text::${type}`,
        [each.id, literal === null ? null : String(literal)],
      );
      expect(found).toEqual([{ id: each.id }]);
    }
  });

  test('is found again in another process, and in memory, and changed without a loss', async () => {
    await app.stop();
    await launch();
    for (const touches of [1, 2]) {
      await app.publish(...all.map(({ id }) => Touched({ id })));
      await app.engine.idle();
      await expectKept(touches);
    }
  });
});

describe('a key', () => {
  test('of any type finds its row again, in memory and in another process', async () => {
    await publishCounts();
    await app.engine.idle();
    await app.stop();
    await launch();
    await publishCounts();
    await app.engine.idle();
    for (const [index, type] of keyTypes.entries()) {
      const projection = counts[index];
      for (const { given, kept: value } of keys.filter((each) => each.type === type)) {
        const row = projection && (await app.read(projection, { value: given as never }));
        expect(row).toEqual({ value, events: 3 });
      }
    }
    for (const { type, given } of keys) {
      const key = { type, value: JSON.stringify(given).slice(0, 100) };
      expect(await app.read(countsByTwo, key)).toEqual({ ...key, events: 3 });
    }
    expect(await app.rows('select position from factline.parked')).toEqual([]);
  });
});

test('what a type cannot hold quarantines its row, with the column and what it must be', async () => {
  const misfits: readonly (readonly [ColumnType, Json])[] = [
    ['int4', 2 ** 31],
    ['int4', 0.5],
    ['int8', 2 ** 53],
    ['float8', '1'],
    ['bool', 't'],
    ['date', '2026-02-30'],
    ['date', '0000-01-01'],
    ['timestamptz', '2026-11-21T13:00:00'],
    ['timestamptz', '0000-12-31T23:59:59Z'],
    ['timestamptz', '0001-01-01T00:00:00+14:00'],
    ['timestamptz', '9999-12-31T23:59:59-12:00'],
    ['uuid', '{00000000-0000-0000-0000-000000000000}'],
  ];
  await app.publish(
    ...misfits.map(([column, value], index) => Given({ id: `misfit ${index}`, column, value })),
  );
  await app.engine.idle();
  const parked = await app.rows(
    `select e.error_code, e.error_message from factline.parked p
       join factline.parked_events e using (consumer_id, replay_id, position) order by p.position`,
  );
  expect(parked.map((row) => row['error_code'])).toEqual(misfits.map(() => 'PROJECTION_VALUE_INVALID'));
});
