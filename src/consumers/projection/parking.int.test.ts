import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts';
import {
  createProjectionProcess,
  type ProjectionProcess,
  type ProjectionProcessOptions,
} from '../../../test/projection/projection-process.ts';
import { defineEvent } from '../../contracts/index.ts';
import { TransientError } from '../../foundation/index.ts';
import { defineProjection } from './definition.ts';
import { defineSqlProjection } from './sql-definition.ts';

const Moved = defineEvent({
  type: 'shop.money.moved.v1',
  key: 'transferId',
  schema: z.object({ transferId: z.string(), from: z.string(), to: z.string(), pence: z.int() }),
});

/** What `evolve` does with a transfer, by its id: changed by the tests while everything runs. */
let behaviour = new Map<string, () => void>();

const accounts = defineProjection({
  name: 'accounts',
  on: [Moved],
  primaryKey: 'account',
  columns: { account: 'text', pence: 'int8', seen: 'text' },
  rows: ({ data }) =>
    data.from === data.to ? { account: data.from } : [{ account: data.from }, { account: data.to }],
  evolve: (row, { data }, { account }) => {
    behaviour.get(data.transferId)?.();
    const change = data.from === data.to ? 0 : account === data.from ? -data.pence : data.pence;
    return { pence: (row?.pence ?? 0) + change, seen: `${row?.seen ?? ''}${data.transferId} ` };
  },
});

const accountsBySql = defineSqlProjection({
  name: 'accounts_sql',
  on: [Moved],
  create: (sql) => sql.query(`create table ${sql.table} (account text primary key, seen text not null)`),
  rows: ({ data }) => [data.from, data.to],
  apply: async (tx, { data }) => {
    behaviour.get(data.transferId)?.();
    for (const account of new Set([data.from, data.to]))
      await tx.query(
        `insert into ${tx.table} as t values ($1, $2) on conflict (account) do update set seen = t.seen || excluded.seen`,
        [account, data.transferId === 'bad sql' ? null : `${data.transferId} `],
      );
  },
});

const moved = (transferId: string, from: string, to = from) => Moved({ transferId, from, to, pence: 1 });

let database: TestDatabase;
let processes: ProjectionProcess[] = [];

const launch = async (options: Partial<ProjectionProcessOptions> = {}): Promise<ProjectionProcess> => {
  const made = createProjectionProcess({ url: database.url, definitions: [accounts], ...options });
  processes.push(made);
  await made.start();
  return made;
};

const fail = (message: string) => () => {
  throw new Error(message);
};

const seen = async (app: ProjectionProcess, view = 'accounts'): Promise<Record<string, string>> => {
  const rows = await app.rows(`select account, seen from ${view} order by account`);
  return Object.fromEntries(rows.map((row) => [String(row['account']), String(row['seen']).trim()]));
};

const parked = (app: ProjectionProcess) =>
  app.rows('select key, state, reason from factline.parked order by position, key');

const idOf = async (app: ProjectionProcess, state = 'quarantined'): Promise<number> =>
  Number((await app.rows('select min(id) as id from factline.parked where state = $1', [state]))[0]?.['id']);

beforeEach(async () => {
  behaviour = new Map();
  database = await createTestDatabase({ migrated: true });
});

afterEach(async () => {
  await Promise.all(processes.map((each) => each.stop()));
  processes = [];
  await database.drop();
});

describe.each([
  ['the folding form', 'accounts', accounts],
  ['the SQL form', 'accounts_sql', accountsBySql],
] as const)('%s', (_, view, projection) => {
  const definitions = [projection];

  test('one bad event in a batch of a thousand costs its rows only, on record: errors were skipped silently (marten#4068)', async () => {
    behaviour.set('t500', fail('no such account'));
    const app = await launch({ definitions });
    await app.publish(...Array.from({ length: 1000 }, (_, n) => moved(`t${n}`, `a${n % 100}`)));
    await app.engine.idle();
    const rows = await seen(app, view);
    expect(Object.keys(rows)).toHaveLength(100);
    expect(rows['a1']?.split(' ')).toHaveLength(10);
    // t500 itself and what came to a0 after it.
    expect(rows['a0']).toBe('t0 t100 t200 t300 t400');
    expect(await app.rows('select state, count(*)::int from factline.parked group by 1 order by 1')).toEqual([
      // A fold fails for good at once; a statement may fail for a reason that passes.
      { state: projection.form === 'fold' ? 'quarantined' : 'retrying', count: 1 },
      { state: 'waiting', count: 4 },
    ]);
  });
});

describe('parked row keys', () => {
  test('an event of two rows parks both; later events of either wait, and drain in order after a retry', async () => {
    behaviour.set('t2', fail('account closed'));
    const app = await launch();
    await app.publish(
      moved('t1', 'A', 'B'),
      moved('t2', 'A', 'B'),
      moved('t3', 'B', 'C'),
      moved('t4', 'C'),
      moved('t5', 'D'),
      moved('t6', 'A'),
    );
    await app.engine.idle();
    expect(await seen(app)).toEqual({ A: 't1', B: 't1', D: 't5' });
    expect(await parked(app)).toEqual([
      { key: 'account=A', state: 'quarantined', reason: 'failed' },
      { key: 'account=B', state: 'quarantined', reason: 'failed' },
      { key: 'account=B', state: 'waiting', reason: 'waits behind an earlier event' },
      { key: 'account=C', state: 'waiting', reason: 'waits behind an earlier event' },
      { key: 'account=C', state: 'waiting', reason: 'waits behind an earlier event' },
      { key: 'account=A', state: 'waiting', reason: 'waits behind an earlier event' },
    ]);
    behaviour.clear();
    expect(await app.ask('accounts', 'retry', { id: await idOf(app) })).toMatchObject({ state: 'done' });
    await app.engine.idle();
    expect(await seen(app)).toEqual({ A: 't1 t2 t6', B: 't1 t2 t3', C: 't3 t4', D: 't5' });
    expect(await parked(app)).toEqual([]);
    expect(await app.rows('select * from factline.parked_events')).toEqual([]);
  });

  test('a retry that fails again stays, with its attempts and history', async () => {
    behaviour.set('t1', fail('still broken'));
    const app = await launch();
    await app.publish(moved('t1', 'A'), moved('t2', 'A'));
    await app.engine.idle();
    await app.ask('accounts', 'retry', { id: await idOf(app) });
    await app.engine.idle();
    expect(
      await app.rows(
        'select attempts, failure_class, error_message, error_stack <> $1 as stack, jsonb_array_length(history) as history, event_type, contract_version, code_version from factline.parked_events',
        [''],
      ),
    ).toEqual([
      {
        attempts: 1,
        failure_class: 'permanent',
        error_message: 'still broken',
        stack: true,
        history: 2,
        event_type: 'shop.money.moved.v1',
        contract_version: 'v1',
        code_version: '1',
      },
    ]);
    expect(await seen(app)).toEqual({});
  });

  test('what is transient is tried again by itself', async () => {
    let failures = 2;
    behaviour.set('t1', () => {
      if (failures-- > 0) throw new TransientError('not yet');
    });
    const app = await launch();
    await app.publish(moved('t1', 'A'), moved('t2', 'A'));
    while ((await app.rows('select * from accounts')).length === 0) await app.engine.idle();
    await app.engine.idle();
    expect(await seen(app)).toEqual({ A: 't1 t2' });
    expect(await parked(app)).toEqual([]);
  });

  test('a discarded event is skipped on record, and its followers go on', async () => {
    behaviour.set('t1', fail('nonsense'));
    const app = await launch();
    await app.publish(moved('t1', 'A', 'B'), moved('t2', 'A'), moved('t3', 'B'));
    await app.engine.idle();
    const id = await idOf(app);
    expect(await app.ask('accounts', 'discard', { id, actor: 'ada' })).toMatchObject({ state: 'refused' });
    expect(await app.ask('accounts', 'discard', { id, actor: 'ada', reason: 'test order' })).toMatchObject({
      state: 'done',
    });
    await app.engine.idle();
    expect(await seen(app)).toEqual({ A: 't2', B: 't3' });
    expect(await app.rows('select position::int from factline.inbox')).toEqual([{ position: 1 }]);
    expect(
      await app.rows(`select actor, reason, answer->>'by' as by from factline.requests where state = 'done'`),
    ).toEqual([{ actor: 'ada', reason: 'test order', by: 'ada' }]);
  });

  test('a payload that this code does not understand is parked under its key as a schema failure', async () => {
    const app = await launch();
    await app.rows(
      `insert into factline.events (id, type, source, key, key_hash, data, meta, time)
       values (gen_random_uuid(), 'shop.money.moved.v1', 'test', 'transferId=t1', 0, '{"transferId": "t1", "account": "A"}', '{"subject": "t1", "correlationId": "x"}', now())`,
    );
    await app.publish(moved('t1', 'A'), moved('t2', 'A'), moved('t3', 'B'));
    await app.engine.idle();
    // t1's second event has the same key, so it waits, and what touches its row behind it.
    expect(await seen(app)).toEqual({ B: 't3' });
    expect(await app.rows('select failure_class, error_code from factline.parked_events')).toEqual([
      { failure_class: 'schema', error_code: 'PAYLOAD_INVALID' },
    ]);
    expect(await parked(app)).toMatchObject([
      { key: 'transferId=t1', state: 'quarantined' },
      { key: 'account=A', state: 'waiting' },
      { key: 'transferId=t1', state: 'waiting' },
      { key: 'account=A', state: 'waiting' },
    ]);
  });

  test('what the table refuses is found by halving, and costs its row only', async () => {
    const app = await launch();
    await app.rows(`alter table factline.accounts__b1 add constraint no_x check (account <> 'x')`);
    await app.publish(
      ...Array.from({ length: 400 }, (_, n) => moved(`t${n}`, n === 137 || n === 300 ? 'x' : `a${n % 10}`)),
    );
    await app.engine.idle();
    expect(
      Object.values(await seen(app))
        .join(' ')
        .split(' '),
    ).toHaveLength(398);
    expect(
      await app.rows(
        'select p.key, p.state, e.error_code from factline.parked p left join factline.parked_events e using (consumer_id, position) order by p.position',
      ),
    ).toEqual([
      { key: 'account=x', state: 'quarantined', error_code: '23514' },
      { key: 'account=x', state: 'waiting', error_code: null },
    ]);
    await app.rows(`alter table factline.accounts__b1 drop constraint no_x`);
    await app.ask('accounts', 'retry', { id: await idOf(app) });
    await app.engine.idle();
    expect(await seen(app)).toMatchObject({ x: 't137 t300' });
  });

  test('parked rows outlive the process', async () => {
    behaviour.set('t1', fail('broken'));
    const first = await launch();
    await first.publish(moved('t1', 'A'));
    await first.engine.idle();
    await first.stop();
    processes = [];
    behaviour.clear();
    const second = await launch();
    await second.publish(moved('t2', 'A'), moved('t3', 'B'));
    await second.engine.idle();
    expect(await seen(second)).toEqual({ B: 't3' });
    await second.ask('accounts', 'retry', { id: await idOf(second) });
    await second.engine.idle();
    expect(await seen(second)).toEqual({ A: 't1 t2', B: 't3' });
  });

  test('a read with the token of a parked event says so; another row is not concerned', async () => {
    behaviour.set('t1', fail('broken'));
    const app = await launch();
    const token = await app.publish(moved('t1', 'A'), moved('t2', 'B'));
    await expect(app.read(accounts, { account: 'A' }, { token })).rejects.toMatchObject({
      code: 'READ_PARKED',
    });
    expect(await app.read(accounts, { account: 'B' }, { token })).toMatchObject({ seen: 't2 ' });
    expect(await app.read(accounts, { account: 'A' })).toBeNull();
  });
});

describe('the SQL form', () => {
  test('an error of PostgreSQL costs the event only, and is tried again before it is quarantined', async () => {
    const app = await launch({ definitions: [accountsBySql] });
    await app.publish(moved('t1', 'A'), moved('bad sql', 'B'), moved('t3', 'C'), moved('t4', 'B'));
    await app.engine.idle();
    expect(await seen(app, 'accounts_sql')).toEqual({ A: 't1', C: 't3' });
    const [row] = await app.rows('select attempts, error_code, failure_class from factline.parked_events');
    expect(row).toMatchObject({ error_code: '23502', failure_class: 'unclassified' });
  });
});
