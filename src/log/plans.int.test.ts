import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { insertText, Writer } from '../../test/log/writing.ts';
import {
  createDatabase,
  type Database,
  loadQueries,
  type NamedQuery,
  type Session,
} from '../postgres/index.ts';

/**
 * 16 million waiting rows changed the plan and the relay stood still (MassTransit#5918): plans are tested at a million, under the
 * settings of the engine's connections.
 */
const rows = 1_000_000;

let testDatabase: TestDatabase;
let database: Database;
let session: Session;
let writer: Writer;

interface Plan {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Shared Hit Blocks': number;
  readonly 'Shared Read Blocks': number;
  readonly Plans?: readonly Plan[];
}

const nodes = (plan: Plan): readonly Plan[] => [plan, ...(plan.Plans ?? []).flatMap(nodes)];

const literal = (value: unknown): string =>
  value === null
    ? 'null'
    : Array.isArray(value)
      ? `'{${value.join(',')}}'`
      : typeof value === 'number'
        ? String(value)
        : `'${value}'`;

/** The plan as a prepared statement gets it, generic or for these values. */
const explain = async (query: NamedQuery, values: readonly unknown[], mode: string): Promise<Plan> => {
  await writer.sql(`set plan_cache_mode = ${mode}`);
  await writer.sql('deallocate all');
  await writer.sql(`prepare q as ${query.text}`);
  return executed(values);
};

const executed = async (values: readonly unknown[]): Promise<Plan> => {
  const parameters = values.length === 0 ? '' : `(${values.map(literal).join(', ')})`;
  const [row] = await writer.sql(`explain (analyze, buffers, format json) execute q${parameters}`);
  const [explained] = (row?.['QUERY PLAN'] ?? []) as { Plan: Plan }[];
  return explained?.Plan as Plan;
};

/** Reads of the log by anything but an index. */
const scansOf = (plan: Plan): string[] =>
  nodes(plan)
    .filter((node) => /^events_p\d/.test(node['Relation Name'] ?? '') && node['Actual Loops'] > 0)
    .map((node) => node['Node Type'])
    .filter((type) => !/Index|Bitmap/.test(type));

const reading = loadQueries<string>(new URL('./reading.sql', import.meta.url));
const tail = loadQueries<string>(new URL('./tail.sql', import.meta.url));
const checks = loadQueries<string>(new URL('./start-checks.sql', import.meta.url));
const freeze = loadQueries<string>(new URL('../replay/freeze/freeze.sql', import.meta.url));
const evidence = loadQueries<string>(new URL('../operations/evidence/evidence.sql', import.meta.url));

beforeAll(async () => {
  testDatabase = await createTestDatabase({ migrated: true });
  database = createDatabase({ url: testDatabase.url, applicationName: 'plans' });
  session = await database.openSession('tail');
  writer = new Writer(session.client);
  // Over the border of two partitions, so that the walk over several is part of the plan.
  await writer.sql("select setval('factline.events_position_seq', 9000000)");
  await writer.sql('set synchronous_commit = off');
  await writer.sql(insertText(rows + 100_000).replace('returning position', ''));
  await writer.sql('analyze factline.events');
}, 180_000);

afterAll(async () => {
  await session.close();
  await database.stop();
  await testDatabase.drop();
});

const last = 9_000_000 + rows + 100_000;

describe.each(['force_custom_plan', 'force_generic_plan'])('with %s, over 1.1 million events', (mode) => {
  test.each<[name: string, query: NamedQuery, values: unknown[], blocksMax: number]>([
    ['the tail at the head', tail['read_tail'] as NamedQuery, [last, 500], 40],
    ['the tail behind the head', tail['read_tail'] as NamedQuery, [last - 5000, 500], 80],
    ['a batch across the partitions', reading['read_range'] as NamedQuery, [9_999_500, last, 1000], 150],
    ['a batch in the middle', reading['read_range'] as NamedQuery, [9_500_000, last, 1000], 150],
    [
      'a filtered batch',
      reading['read_range_of_types'] as NamedQuery,
      [9_500_000, 9_520_000, 1000, ['none.v1']],
      2500,
    ],
    ['single positions', reading['read_positions'] as NamedQuery, [[9_500_000, 10_000_001]], 40],
    ['the head', reading['head'] as NamedQuery, [], 40],
    ['the recount of a span', reading['count_span'] as NamedQuery, [9_500_000, 9_510_000], 1500],
    ['the start check', checks['progress'] as NamedQuery, [], 80],
  ])(
    '%s is read by the primary key, without a sort and without a scan',
    async (_name, query, values, blocksMax) => {
      const plan = await explain(query, values, mode);
      const types = nodes(plan).map((node) => node['Node Type']);
      expect(scansOf(plan)).toEqual([]);
      if (query !== checks['progress']) expect(types.filter((type) => /Sort/.test(type))).toEqual([]);
      expect(plan['Shared Hit Blocks'] + plan['Shared Read Blocks']).toBeLessThanOrEqual(blocksMax);
    },
  );
});

describe.each(['force_custom_plan', 'force_generic_plan'])('with %s', (mode) => {
  const types = ['test.event.v1', 'none.v1'];

  test.each<[name: string, query: NamedQuery, values: unknown[], blocksMax: number]>([
    [
      'a span of the newest events, by producer version',
      evidence['sample_span'] as NamedQuery,
      [last - 50_000, last, types, 200, 4000],
      8000,
    ],
    [
      'a thousand spans of sixteen positions, of a replay’s sample',
      freeze['sample_spans'] as NamedQuery,
      [
        types,
        ...Array.from({ length: 6 }, () => null),
        Array.from({ length: 1000 }, (_, part) => 9_000_001 + part * 1_100),
        16,
        last,
      ],
      6000,
    ],
    ['the parked ones', evidence['sample_parked'] as NamedQuery, [types, 5000], 100],
    [
      'what was handled of the newest events',
      evidence['handled_types'] as NamedQuery,
      [last - 100_000, last, types, 10_000],
      6000,
    ],
  ])(
    '%s is read by the primary key, and nothing outside the span',
    async (_name, query, values, blocksMax) => {
      const plan = await explain(query, values, mode);
      expect(scansOf(plan)).toEqual([]);
      expect(plan['Shared Hit Blocks'] + plan['Shared Read Blocks']).toBeLessThanOrEqual(blocksMax);
    },
  );
});

test('a plan made while the partitions were empty does not scan them when they are full', async () => {
  await writer.sql('truncate factline.events');
  await writer.sql('analyze factline.events');
  const text = (reading['read_range'] as NamedQuery).text;
  await writer.sql('set plan_cache_mode = force_generic_plan');
  await writer.sql('deallocate all');
  await writer.sql(`prepare q as ${text}`);
  await executed([0, 1000, 100]);
  await writer.sql("select setval('factline.events_position_seq', 9000000)");
  await writer.sql(insertText(20_000).replace('returning position', ''));
  const plan = await executed([9_000_000, 9_020_000, 100]);
  expect(scansOf(plan)).toEqual([]);
  expect(plan['Shared Hit Blocks'] + plan['Shared Read Blocks']).toBeLessThanOrEqual(60);
});
