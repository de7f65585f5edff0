import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts';
import { createDatabase, type Database, loadQueries, type NamedQuery } from '../../postgres/index.ts';

/** So many sleep, and wait, while a few are due: what runs all the time must read only these few. */
const sleeping = 100_000;
/** Events in the log, of which the router has yet to read fifty. */
const logged = 20_000;

let testDatabase: TestDatabase;
let database: Database;

const loading = loadQueries<string>(new URL('./loading.sql', import.meta.url));
const routing = loadQueries<string>(new URL('./routing.sql', import.meta.url));
const starting = loadQueries<string>(new URL('./starting.sql', import.meta.url));
const flushing = loadQueries<string>(new URL('./flush.sql', import.meta.url));
const ends = loadQueries<string>(new URL('./ends.sql', import.meta.url));

interface Plan {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: readonly Plan[];
}

const nodes = (plan: Plan): readonly Plan[] => [plan, ...(plan.Plans ?? []).flatMap(nodes)];

const literal = (value: unknown): string => {
  if (value === null) return 'null';
  if (Array.isArray(value)) return `'{${value.join(',')}}'`;
  return typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : `'${String(value).replaceAll("'", "''")}'`;
};

/** Rows of the log and of the tables of workflows that a generic plan of the statement touches. */
const touched = async (query: NamedQuery, values: readonly unknown[]): Promise<number> => {
  const client = await database.operations.connect();
  try {
    await client.query('begin; set local plan_cache_mode = force_generic_plan');
    await client.query(`prepare q as ${query.text}`);
    const { rows } = await client.query(
      `explain (analyze, format json) execute q(${values.map(literal).join(', ')})`,
    );
    await client.query('rollback; deallocate q');
    const [explained] = rows[0]['QUERY PLAN'] as { Plan: Plan }[];
    return nodes((explained as { Plan: Plan }).Plan)
      .filter((node) => /^(workflow_|events)/.test(node['Relation Name'] ?? ''))
      .reduce(
        (sum, node) =>
          sum + (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'],
        0,
      );
  } finally {
    client.release();
  }
};

beforeAll(async () => {
  testDatabase = await createTestDatabase({ migrated: true });
  database = createDatabase({ url: testDatabase.url, applicationName: 'plans' });
  const sql = (text: string): Promise<unknown> => database.operations.query(text);
  await sql(`insert into factline.consumers (app, class, name, types, lanes, start_position)
    values ('shop', 'workflow', 'w', '{}', 16, 0), ('shop', 'workflow', 'w@1', '{}', 16, 0)`);
  await sql(
    `insert into factline.lanes (consumer_id, lane, generation, token) select c, lane, 1, 7 from generate_series(1, 2) c, generate_series(0, 15) lane`,
  );
  await sql(`insert into factline.workflow_instances (workflow_id, consumer_id, version, key, key_hash, state, start_position, due_at)
    select 1, 2, 1, 'k' || n, (n * 7919) % 100000, case when n <= 20 then 'running' else 'waiting' end, n,
           case when n <= 20 then factline.clock() - interval '1 minute' when n % 2 = 0 then factline.clock() + n * interval '1 minute' end
      from generate_series(1, ${sleeping}) n`);
  await sql(`insert into factline.workflow_journal (instance_id, ordinal, kind, name, state, due_at)
    select n, 0, 'wait', 'wait t 1', 'pending', factline.clock() + interval '1 day' from generate_series(1, ${sleeping}) n`);
  await sql(`insert into factline.workflow_waits (instance_id, ordinal, workflow_id, type, key, after_position)
    select n, 0, 1, 't', 'k' || n, 0 from generate_series(1, ${sleeping}) n`);
  await sql(`insert into factline.workflow_mailbox (workflow_id, type, key, position)
    select 1, 't', 'k' || n, n from generate_series(1, ${sleeping}) n`);
  await sql(`insert into factline.events (id, type, source, key, key_hash, data, meta, time)
    select gen_random_uuid(), case when n % 2 = 0 then 't' else 'u' end, 's', 'id=k' || n, n, '{}',
           jsonb_build_object('subject', 'k' || n, 'correlationId', 'c'), factline.clock()
      from generate_series(1, ${logged}) n`);
  await sql(`insert into factline.checkpoints (consumer_id, lane, position, dispatch_limit)
    select 1, lane, ${logged - 50}, ${logged} from generate_series(0, 15) lane`);
  for (const table of ['instances', 'journal', 'waits', 'mailbox'])
    await sql(`analyze factline.workflow_${table}`);
  await sql('analyze factline.events');
}, 120_000);

afterAll(async () => {
  await database.stop();
  await testDatabase.drop();
});

const fences = JSON.stringify(Array.from({ length: 16 }, (_, lane) => ({ lane, token: 7 })));
const scope = [2, fences, 16];

const place = { instance: 5, consumer: 2, lane: 3 };
const sleep = {
  undo: false,
  ordinal: 1,
  kind: 'sleep',
  name: 'sleep 1',
  state: 'pending',
  attempts: 0,
  delayMs: 5,
};
const recorded = [
  [2],
  [3],
  [7],
  2,
  JSON.stringify([{ ...place, ...sleep }]),
  JSON.stringify([{ id: 5, consumer: 2, lane: 3, state: 'waiting', due: 'rest' }]),
];

const call = [5, false, 2, 'step', 'one', 'done', 1, 1, null, null, 0];
const single = [2, 3, 7, ...call];

test.each([
  ['the result of a call', () => touched(flushing['record_call'] as NamedQuery, single)],
  ['the same in a transaction', () => touched(flushing['record_result'] as NamedQuery, single)],
  [
    'the end of an instance',
    () => touched(flushing['record_end'] as NamedQuery, [...single, 'completed', 3, '1', false]),
  ],
  ['the due ones', () => touched(loading['take_due'] as NamedQuery, [...scope, [], 20, null])],
  ['one of them', () => touched(loading['take_due'] as NamedQuery, [...scope, [], 20, [5]])],
  ['whether something is due', () => touched(loading['is_due'] as NamedQuery, [...scope, []])],
  ['what falls due in memory', () => touched(loading['fall_due'] as NamedQuery, [[1, 2, 3]])],
  [
    'what may have ended its process',
    () => touched(loading['suspects'] as NamedQuery, [...scope, [0, 1, 2]]),
  ],
  [
    'what was due by the clock before',
    () => touched(loading['wake_early'] as NamedQuery, [...scope, [0, 1, 2]]),
  ],
  ['new mail', () => touched(routing['deliver_mail'] as NamedQuery, [1, 't', 'new', 1])],
  ['whom an event wakes', () => touched(routing['wake_waiting'] as NamedQuery, [1, 't', 'k77', 5_000_000])],
  [
    'the mail of a wait',
    () =>
      touched(routing['read_mail'] as NamedQuery, [
        JSON.stringify([{ instance: 5, ordinal: 0, workflow: 1, type: 't', key: 'k5', after: 0 }]),
        1_000,
      ]),
  ],
  [
    'what the router may still bring',
    () =>
      touched(routing['on_its_way'] as NamedQuery, [
        JSON.stringify([
          { instance: 5, ordinal: 0, workflow: 1, type: 't', key: `k${logged - 10}`, after: 0 },
          { instance: 6, ordinal: 0, workflow: 1, type: 't', key: 'k6', after: 0 },
        ]),
        50_000,
      ]),
  ],
  [
    'a start in a given transaction',
    () =>
      touched(starting['start_instance'] as NamedQuery, [
        JSON.stringify([
          { workflow: 'w', executor: 'w@1', version: 1, key: 'new', keyHash: 5, held: true, cause: {} },
        ]),
      ]),
  ],
  [
    'a start',
    () => touched(starting['start_one'] as NamedQuery, ['w', 'w@1', 1, 'new one', 5, null, '{}', '1', true]),
  ],
  [
    'starts',
    () =>
      touched(starting['start_instances'] as NamedQuery, [
        JSON.stringify([
          { workflow: 'w', executor: 'w@1', version: 1, key: 'new', keyHash: 5, held: true, cause: {} },
        ]),
      ]),
  ],
  [
    'one start by an event',
    () =>
      touched(routing['start_by_event'] as NamedQuery, [
        ...[1, 3, 7, 1_000_000, 5],
        ...[2, 1, 'new', 5, null, '{}', '1', true],
      ]),
  ],
  [
    'starts by events',
    () =>
      touched(routing['start_by_events'] as NamedQuery, [
        1,
        [3],
        [7],
        JSON.stringify([
          {
            lane: 3,
            keyHash: 5,
            position: 1_000_000,
            executor: 2,
            version: 1,
            key: 'new',
            instanceHash: 5,
            held: true,
            cause: {},
          },
        ]),
      ]),
  ],
  [
    'why one was not started',
    () =>
      touched(starting['find_duplicate'] as NamedQuery, [
        JSON.stringify({ workflow: 'w', key: 'k9', startedBy: 9 }),
      ]),
  ],
  ['how it stands', () => touched(ends['read_ends'] as NamedQuery, [[1, 2]])],
  ['what is recorded', () => touched(flushing['record'] as NamedQuery, recorded)],
  [
    'what is recorded with waits and events',
    () => touched(flushing['flush'] as NamedQuery, [...recorded, '[]', '[]']),
  ],
])('%s are read without looking at the 100,000 that sleep', async (_, plan) => {
  expect(await plan()).toBeLessThan(400);
});

test('of many that are due at one time the first are read, not all', async () => {
  const sql = (text: string): Promise<unknown> => database.operations.query(text);
  await sql(`update factline.workflow_instances
    set state = 'running', due_at = factline.clock() - ((id * 7919) % ${sleeping}) * interval '1 millisecond'`);
  await sql('vacuum analyze factline.workflow_instances');
  expect(await touched(loading['take_due'] as NamedQuery, [...scope, [], 20, null])).toBeLessThan(400);
});
