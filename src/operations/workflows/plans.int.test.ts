import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts';
import { createDatabase, type Database, loadQueries, type NamedQuery, run } from '../../postgres/index.ts';
import { instanceStates, listInstances } from './instances.ts';

/* A list of instances must cost what its page costs: looked at with a million of them, 100,000 asleep. */

const sql = loadQueries<string>(new URL('./instances.sql', import.meta.url));
const standing = loadQueries<string>(new URL('./standing.sql', import.meta.url));
const detail = loadQueries<string>(new URL('./instance-detail.sql', import.meta.url));

let own: TestDatabase;
let database: Database;

const rows = 1_000_000;
const highest = Number.MAX_SAFE_INTEGER;
/** Of this many one sleeps, …; each minute of the past year about two began. */
const fill = `
  insert into factline.consumers (app, class, name, version, build, generation, types, key_version, lanes, ordering, state, start_position)
  select 'shop', 'workflow', name, 1, 1, 1, '{}', 1, 16, 'key', 'live', 0 from unnest(array['w', 'w@1', 'w@2']) as name;
  insert into factline.workflow_instances (workflow_id, consumer_id, version, key, key_hash, state, stuck, start_position, due_at, started_at, changed_at, ended_at)
  select w.id, v.id, v.version, case when s.state in ('completed', 'failed') then 'order ' || n % 500000 else 'living ' || n end, n, s.state, case s.state when 'stuck' then '{"reason":"nondeterministic","message":"x"}'::jsonb end,
         n, case s.state when 'waiting' then factline.clock() + interval '1 day' when 'running' then factline.clock() - interval '1 minute' end,
         t.at, t.at, case when s.state in ('completed', 'failed', 'cancelled') then t.at end
    from generate_series(1, ${rows}) as n
   cross join lateral (select factline.clock() - interval '30 seconds' * (${rows} - n) as at) t
   cross join lateral (select case when n <= 500000 and n % 5 = 0 then 'waiting' when n % 100001 = 0 then 'stuck' when n % 5003 = 0 then 'failed'
                                   when n > 500000 and n % 50001 = 0 then 'running' else 'completed' end as state) s
    join factline.consumers w on w.name = 'w'
    join (values ('w@1', 1), ('w@2', 2)) as x (name, version) on x.version = case when n <= 900000 then 1 else 2 end
    join factline.consumers c on c.name = x.name
   cross join lateral (select c.id, x.version) v;
`;
const indexes = ['workflow_instances_by_state', 'workflow_instances_ended_of_key', 'workflow_instances_due'];

beforeAll(async () => {
  own = await createTestDatabase({ migrated: true });
  database = createDatabase({ url: own.url, applicationName: 'workflow plans' });
  const client = await database.operations.connect();
  try {
    await client.query('set synchronous_commit = off; set statement_timeout = 0');
    const made = await client.query<{ indexdef: string }>(
      'select indexdef from pg_indexes where indexname = any ($1)',
      [indexes],
    );
    for (const name of indexes) await client.query(`drop index factline.${name}`);
    await client.query(fill);
    for (const { indexdef } of made.rows) await client.query(indexdef);
    await client.query('vacuum analyze factline.workflow_instances');
  } finally {
    client.release();
  }
}, 180_000);
afterAll(async () => {
  await database.stop();
  await own.drop();
});

interface Plan {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Shared Hit Blocks': number;
  readonly 'Shared Read Blocks': number;
  readonly Plans?: readonly Plan[];
}

const nodes = (plan: Plan): readonly Plan[] => [plan, ...(plan.Plans ?? []).flatMap(nodes)];
const literal = (value: unknown): string =>
  Array.isArray(value) ? `'{${value.join(',')}}'` : typeof value === 'number' ? String(value) : `'${value}'`;

/** The plan as a prepared statement gets it. */
const explain = async (
  query: NamedQuery | undefined,
  values: readonly unknown[],
  mode: string,
): Promise<Plan> => {
  const client = await database.operations.connect();
  try {
    await client.query(`set plan_cache_mode = ${mode}`);
    await client.query('deallocate all');
    await client.query(`prepare q as ${query?.text}`);
    const { rows: found } = await client.query(
      `explain (analyze, buffers, format json) execute q(${values.map(literal).join(', ')})`,
    );
    const [explained] = (found[0]?.['QUERY PLAN'] ?? []) as { Plan: Plan }[];
    return explained?.Plan as Plan;
  } finally {
    client.release(true);
  }
};

const versions = [2, 3];
const states = [...instanceStates];

describe.each(['force_custom_plan', 'force_generic_plan'])('with %s, over a million instances', (mode) => {
  test.each<[name: string, query: NamedQuery | undefined, values: unknown[], blocksMax: number]>([
    ['a page of all states', sql['instances_by_state'], [versions, states, highest, 0, 51], 1_200],
    ['a page of stuck ones', sql['instances_by_state'], [versions, ['stuck'], highest, 0, 51], 60],
    ['a page far back', sql['instances_by_state'], [versions, ['failed', 'waiting'], 20_000, 0, 51], 300],
    ['what began lately', sql['first_since'], [new Date(Date.now() - 7_200_000).toISOString()], 400],
    ['what began ages ago', sql['first_since'], ['2001-01-01T00:00:00Z'], 400],
    ['all of one key', sql['instances_of_key'], [[1], 'order 77', highest, 0, 51, states], 60],
    ['a page’s details', sql['read_summaries'], [[1, 500_000, 999_999]], 60],
    ['a sample of what lives', detail['sample_living'], [versions, 25], 400],
    ['counting', standing['count_instances'], [versions, 20_000], 4_000],
    ['the oldest stuck one', standing['oldest_stuck'], [versions, 20_000], 60],
    ['what is due', standing['due_instances'], ['[{"id":2,"lanes":16},{"id":3,"lanes":16}]', 20_000], 400],
  ])(
    '%s scans no table',
    async (_name, query, values, blocksMax) => {
      const plan = await explain(query, values, mode);
      const scans = nodes(plan).filter(
        (node) => node['Relation Name'] === 'workflow_instances' && !/Index|Bitmap/.test(node['Node Type']),
      );
      expect(scans).toEqual([]);
      expect(plan['Shared Hit Blocks'] + plan['Shared Read Blocks']).toBeLessThanOrEqual(blocksMax);
    },
    30_000,
  );
});

test('pages follow one another without a gap, and a time is a bound', async () => {
  const filter = {
    states: ['failed'],
    workflow: null,
    key: null,
    since: null,
    before: highest,
    limit: 30,
  } as const;
  const first = await listInstances(database.operations, filter);
  const second = await listInstances(database.operations, { ...filter, before: first.at(-1)?.id ?? 0 });
  const both = await listInstances(database.operations, { ...filter, limit: 60 });
  expect([...first, ...second].map(({ id }) => id)).toEqual(both.map(({ id }) => id));
  const middle = both[40];
  const since = await listInstances(database.operations, {
    ...filter,
    limit: 60,
    since: middle?.startedAt ?? null,
  });
  expect(since.map(({ id }) => id)).toEqual(both.slice(0, 41).map(({ id }) => id));
  const none = await listInstances(database.operations, { ...filter, since: '2999-01-01T00:00:00Z' });
  expect(none).toEqual([]);
  const ofKey = await listInstances(database.operations, { ...filter, states, key: 'order 77' });
  expect(ofKey.map(({ id, version }) => `${id} v${version}`)).toEqual(['500077 v1', '77 v1']);
  await expect(listInstances(database.operations, { ...filter, workflow: 'v' })).rejects.toThrow('w');
}, 60_000);

test('an empty table has no pages', async () => {
  const empty = await createTestDatabase({ migrated: true });
  const other = createDatabase({ url: empty.url, applicationName: 'no workflows' });
  expect(
    await listInstances(other.operations, {
      states,
      workflow: null,
      key: null,
      since: '2001-01-01T00:00:00Z',
      before: highest,
      limit: 5,
    }),
  ).toEqual([]);
  expect(await run(other.operations, standing['count_instances'] as NamedQuery, [[], 10])).toEqual([]);
  await other.stop();
  await empty.drop();
});
