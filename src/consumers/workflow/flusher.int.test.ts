import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts';
import { createTelemetry, systemClock } from '../../foundation/index.ts';
import { createDatabase, type Database } from '../../postgres/index.ts';
import type { FlushJob, InstanceChange } from './flush-job.ts';
import { Flusher } from './flusher.ts';
import type { JournalEntry } from './journal.ts';

let testDatabase: TestDatabase;
let database: Database;
let flusher: Flusher;

const query = async (sql: string): Promise<unknown[]> => (await database.operations.query(sql)).rows;

beforeAll(async () => {
  testDatabase = await createTestDatabase({ migrated: true });
  database = createDatabase({ url: testDatabase.url, applicationName: 'flusher' });
  const tail = { wake: () => {} };
  flusher = new Flusher({ database, clock: systemClock, telemetry: createTelemetry(), tail });
  await query(`insert into factline.consumers (app, class, name, types, lanes, start_position)
    values ('shop', 'workflow', 'w', '{}', 16, 0), ('shop', 'workflow', 'w@1', '{}', 16, 0)`);
  await query(
    `insert into factline.lanes (consumer_id, lane, generation, token) select 2, lane, 1, 7 from generate_series(0, 15) lane`,
  );
  await query(`insert into factline.workflow_instances (workflow_id, consumer_id, version, key, key_hash, state, start_position, due_at)
    select 1, 2, 1, 'k' || n, n, 'running', 0, factline.clock() from generate_series(1, 20) n`);
});

afterAll(async () => {
  await database.stop();
  await testDatabase.drop();
});

const entry: JournalEntry = {
  undo: false,
  ordinal: 0,
  kind: 'step',
  name: 'one',
  state: 'done',
  attempts: 1,
  completion: 1,
  value: 1,
  error: null,
};

const job = (
  id: number,
  {
    token = 7,
    text = '1',
    change = null,
  }: { token?: number; text?: string; change?: InstanceChange | null } = {},
): FlushJob => ({
  id,
  workflowId: 1,
  consumerId: 2,
  lane: id % 16,
  token,
  rows: [{ entry, valueText: text }],
  change,
  waits: [],
  drafts: [],
});

const recorded = (ids: string): Promise<unknown[]> =>
  query(
    `select instance_id::integer as id from factline.workflow_journal where instance_id in (${ids}) order by 1`,
  );

test('what cannot be recorded holds up nothing that is recorded with it', async () => {
  await flusher.submit(job(1), () => false);
  const ended: InstanceChange = { state: 'completed', held: false, due: 'never' };
  const jobs = [
    job(1, { change: ended }),
    job(2, { token: 6, change: ended }),
    job(3, { text: '"\\u0000"' }),
    job(4, { change: ended }),
    job(5, { change: { state: 'waiting', due: 'now' } }),
  ];
  const results = await Promise.all(jobs.map((each) => flusher.submit(each, () => false)));
  expect(results).toMatchObject([
    { kind: 'stale' },
    { kind: 'lost' },
    { kind: 'refused' },
    { kind: 'recorded', dueMs: null },
    { kind: 'recorded', dueMs: 0 },
  ]);
  expect(await recorded('1, 2, 3, 4, 5')).toEqual([{ id: 1 }, { id: 4 }, { id: 5 }]);
  expect(
    await query(`select id::integer, state from factline.workflow_instances where id <= 5 order by id`),
  ).toEqual([
    { id: 1, state: 'running' },
    { id: 2, state: 'running' },
    { id: 3, state: 'running' },
    { id: 4, state: 'completed' },
    { id: 5, state: 'waiting' },
  ]);
});

test('the result of a call is recorded once, and only by the owner of its lane', async () => {
  const submit = (each: FlushJob) => flusher.submit(each, () => false);
  expect(await submit(job(6, { token: 6 }))).toEqual({ kind: 'lost' });
  expect(await recorded('6')).toEqual([]);
  expect(await submit(job(6))).toEqual({ kind: 'recorded', dueMs: null });
  expect(await submit(job(6))).toEqual({ kind: 'stale' });
});

test('what is recorded alone looks as what is recorded with others does', async () => {
  await query(
    `update factline.workflow_instances set held = true, deaths = 2, kills = '["p"]' where id between 9 and 12`,
  );
  await query(`insert into factline.workflow_instances (workflow_id, consumer_id, version, key, key_hash, state, start_position)
    select 1, 2, 1, 'k' || n, n, 'queued', 0 from generate_series(9, 12) n`);
  const changes: readonly InstanceChange[] = [
    { state: 'completed', held: false, due: 'never', resultText: '{"a":[1,null]}', calls: 1, progress: true },
    { state: 'cancelled', held: false, due: 'never', resultText: null, calls: 1 },
  ];
  const submit = (each: FlushJob) => flusher.submit(each, () => false);
  const [alone = [], together = []] = [
    [9, 11],
    [10, 12],
  ].map((ids) => ids.map((id, index) => job(id, { text: 'null', change: changes[index] ?? null })));
  for (const each of alone) {
    expect(await submit({ ...each, token: 6 })).toEqual({ kind: 'lost' });
    expect(await submit(each)).toEqual({ kind: 'recorded', dueMs: null });
    expect(await submit(each)).toEqual({ kind: 'stale' });
  }
  await Promise.all(together.map(submit));
  const looks = (ids: string) =>
    query(`select i.state, i.held, i.due_at, i.result, i.result is null as none, i.calls, i.deaths, i.kills, i.stuck, i.ended_at is null as lives,
      to_jsonb(j) - '{instance_id,began_at,ended_at}'::text[] as entry, j.ended_at >= j.began_at as took,
      (select q.due_at is not null from factline.workflow_instances q where q.key = i.key and q.state = 'queued') as next
      from factline.workflow_instances i join factline.workflow_journal j on j.instance_id = i.id where i.id in (${ids}) order by i.id`);
  const [first, second] = await looks('9, 11');
  expect(await looks('10, 12')).toEqual([first, second]);
  expect(first).toMatchObject({
    state: 'completed',
    held: false,
    calls: 1,
    deaths: 0,
    next: true,
    took: true,
  });
  expect(second).toMatchObject({ state: 'cancelled', none: true, deaths: 2, lives: false });
});

test('nothing is published with what is not recorded', async () => {
  const wait = { ordinal: 1, type: 't', key: 'k', after: 0, open: true };
  await flusher.submit(job(7), () => false);
  const again: FlushJob = { ...job(7), waits: [wait] };
  expect(await flusher.submit(again, () => false)).toEqual({ kind: 'stale' });
  expect(await query('select from factline.workflow_waits')).toEqual([]);
  expect(await flusher.submit({ ...job(8), waits: [wait] }, () => false)).toMatchObject({ kind: 'recorded' });
  expect(await query('select instance_id::integer as id from factline.workflow_waits')).toEqual([{ id: 8 }]);
});
