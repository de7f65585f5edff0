import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { defineHandler, defineProjection } from '../consumers/index.ts';
import { defineEvent } from '../contracts/index.ts';
import { systemClock, uuidv8 } from '../foundation/index.ts';
import { createDatabase, type Database } from '../postgres/index.ts';
import { everyRole } from './authority/actor.ts';
import { countLog, type LogCount } from './freeze/count-log.ts';
import {
  type Actor,
  abortReplay,
  approveReplay,
  estimateReplay,
  listAudit,
  listReplays,
  pauseReplay,
  planReplay,
  type Replay,
  type ReplayCode,
  readReplay,
  rejectReplay,
  reportReplay,
  requestReplay,
  resumeReplay,
  verifyAudit,
} from './index.ts';
import {
  advanceReplay,
  advanceState,
  beginReplay,
  finishReplay,
  nextSelected,
  whatChanged,
} from './run-port.ts';

const Paid = defineEvent({
  type: 'shop.order.paid.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), pence: z.int(), email: z.string().optional() }),
  sensitivity: { email: 'personal' },
});
const Refunded = defineEvent({
  type: 'shop.order.refunded.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string() }),
});
const mailing = defineHandler({
  name: 'mailing',
  on: [Paid, Refunded],
  onReplay: 'reuse',
  lanes: 1,
  handle: async (event, { effect }) => {
    if (Paid.is(event) && event.data.pence === 13) throw new TypeError('unlucky');
    await effect('mail', async () => null);
  },
});
const silent = defineHandler({ name: 'silent', on: Paid, lanes: 1, handle: async () => {} });
const orders = defineProjection({
  name: 'orders',
  on: Paid,
  primaryKey: 'orderId',
  columns: { orderId: 'text', pence: 'int8' },
  evolve: (_row, event) => ({ pence: event.data.pence }),
});
const code: ReplayCode = {
  codeVersion: '1.2.3',
  definitions: [mailing, silent, orders],
  contracts: [Paid, Refunded],
};

const person = (name: string): Actor => ({ name, via: 'cli', roles: everyRole, account: `${name}@desk` });
const [ada, bob, carol, dan] = [person('ada'), person('bob'), person('carol'), person('dan')];

let server: TestDatabase;
let database: Database;
let raw: pg.Client;

beforeAll(async () => {
  server = await createTestDatabase({ migrated: true });
  database = createDatabase({ url: server.url, applicationName: 'replay test' });
  raw = new pg.Client({ connectionString: server.url });
  await raw.connect();
  await raw.query(`
    insert into factline.events (id, type, source, key, key_hash, data, meta, time, recorded_at)
      select gen_random_uuid(), 'shop.order.paid.v1', 'shop', 'orderId=A' || n % 7, n % 7,
             jsonb_build_object('orderId', 'A' || n % 7, 'pence', n), '{"correlationId": "c"}', now(), now() - (1000 - n) * interval '1 minute'
        from generate_series(1, 40) n;
    insert into factline.events (id, type, source, key, key_hash, data, meta, time)
      values (gen_random_uuid(), 'shop.order.refunded.v1', 'shop', 'orderId=A1', 1, '{"orderId": "A1"}', '{"correlationId": "c"}', now());
    insert into factline.consumers (app, class, name, types, lanes, start_position)
      values ('shop', 'operational', 'mailing', '{shop.order.paid.v1,shop.order.refunded.v1}', 1, 2),
             ('shop', 'operational', 'silent', '{shop.order.paid.v1}', 1, 0),
             ('shop', 'projection', 'orders', '{shop.order.paid.v1}', 1, 0);
    insert into factline.lanes (consumer_id, lane, generation) values (1, 0, 1), (2, 0, 1), (3, 0, 1);
    insert into factline.checkpoints (consumer_id, lane, position, dispatch_limit) values (1, 0, 38, 38), (2, 0, 41, 41), (3, 0, 41, 41);
    insert into factline.inbox (consumer_id, key_hash, position) values (1, 4, 40);
    insert into factline.parked (consumer_id, key, key_hash, position, state, reason)
      values (1, 'orderId=A3', 3, 10, 'quarantined', 'permanent'), (1, 'orderId=A3', 3, 17, 'waiting', 'behind');
    insert into factline.parked_events (consumer_id, position, fingerprint) values (1, 10, 'abc123');
    insert into factline.effects (consumer_id, event_id, name, idempotency_key, state, token, done_at)
      select 1, id, 'mail', id::text, 'done', 1, now() from factline.events where position between 3 and 8`);
});
afterAll(async () => {
  await raw.end();
  await database.stop();
  await server.drop();
});
beforeEach(async () => {
  await raw.query(
    `create or replace function factline.clock() returns timestamptz language sql volatile as 'select clock_timestamp()'`,
  );
  await raw.query(
    "update factline.replays set state = 'aborted', paused_kind = null where state in ('canary', 'running', 'paused', 'verifying')",
  );
});

const manifest = (over: Record<string, unknown> = {}): Record<string, unknown> => ({
  title: 'Mails that were lost',
  reason: 'The provider dropped every mail on Monday.',
  consumer: 'mailing',
  selection: { source: 'log', from: 1, to: 41 },
  ...over,
});

const plan = (over: Record<string, unknown> = {}, actor = ada): Promise<number> =>
  planReplay(database.operations, { actor, manifest: manifest(over), code });

const estimate = (id: number, over: Partial<Parameters<typeof estimateReplay>[1]> = {}): Promise<Replay> =>
  estimateReplay(database, {
    actor: ada,
    id,
    code,
    source: 'shop',
    withoutSample: true,
    clock: systemClock,
    signal: new AbortController().signal,
    ...over,
  });

const digestOf = async (id: number): Promise<string> =>
  (await readReplay(database.operations, id)).frozen?.digest ?? '';

const approve = async (id: number, actor: Actor, over: object = {}): Promise<Replay> =>
  approveReplay(database.operations, { actor, id, digest: await digestOf(id), ...over });

const requested = async (over: Record<string, unknown> = {}): Promise<number> => {
  const id = await plan(over);
  await estimate(id);
  await requestReplay(database.operations, { actor: ada, id });
  return id;
};

const approved = async (over: Record<string, unknown> = {}): Promise<number> => {
  const id = await requested(over);
  await approve(id, bob);
  return id;
};

const refusal = (working: Promise<unknown>): Promise<unknown> =>
  working.then(
    () => 'nothing was refused',
    (error: { code?: string; message: string; remedy?: string }) => ({
      code: error.code,
      message: error.message,
      remedy: error.remedy,
    }),
  );

describe('planning', () => {
  it('writes a draft down, on record with its reason', async () => {
    const id = await plan();
    const replay = await readReplay(database.operations, id);
    expect(replay).toMatchObject({
      state: 'draft',
      revision: 1,
      mode: 'redeliver',
      order: 'per-key-after-live',
      plannedBy: 'ada',
      codeVersion: '1.2.3',
    });
    const [row] = await listAudit(database.operations, { target: `replay ${id}`, limit: 1 });
    expect(row).toMatchObject({
      act: 'replay.plan',
      actor: 'ada',
      reason: 'The provider dropped every mail on Monday.',
    });
  });

  it.each([
    ['without an end', { selection: { source: 'log', from: 1 } }, 'REPLAY_UNBOUNDED', '--to'],
    ['beyond the log', { selection: { source: 'log', to: 9_999 } }, 'REPLAY_MANIFEST_INVALID', 'at most 41'],
    [
      'until tomorrow',
      { selection: { source: 'log', until: '2999-01-01T00:00:00Z' } },
      'REPLAY_MANIFEST_INVALID',
      'that has passed',
    ],
    [
      'of a type that it does not read',
      { selection: { source: 'log', to: 41, types: ['shop.cart.filled.v1'] } },
      'REPLAY_MANIFEST_INVALID',
      'shop.order.refunded.v1',
    ],
    ['of a consumer that is not there', { consumer: 'nobody' }, 'CONSUMER_UNKNOWN', 'mailing'],
    [
      'of a handler that says nothing about replays',
      { consumer: 'silent' },
      'REPLAY_MODE_REFUSED',
      "onReplay: 'skip'",
    ],
    [
      'with effects that the handler does not allow',
      { effects: { policy: 'execute', max: 3 }, rollback: 'call them' },
      'REPLAY_MODE_REFUSED',
      "onReplay: 'execute'",
    ],
    [
      'of a part of a projection',
      { consumer: 'orders', selection: { source: 'log', from: 5, to: 41 } },
      'REPLAY_MODE_REFUSED',
      '--to head',
    ],
    [
      'by a field that one type lacks',
      { selection: { source: 'log', to: 41, where: { field: 'pence', is: 'less', value: 3 } } },
      'REPLAY_FIELD_REFUSED',
      '--type',
    ],
    [
      'by a sensitive field',
      {
        selection: {
          source: 'log',
          to: 41,
          types: [Paid.type],
          where: { field: 'email', is: 'equal', value: 'a@b.c' },
        },
      },
      'REPLAY_FIELD_REFUSED',
      '--key',
    ],
    ['without a reason', { reason: 'because' }, 'REPLAY_MANIFEST_INVALID', '15 to'],
    ['with a field that nobody knows', { effect: 'skip' }, 'REPLAY_MANIFEST_INVALID', 'effect'],
    [
      'of a projection at a rate',
      { consumer: 'orders', rate: { ceiling: 10 } },
      'REPLAY_MODE_REFUSED',
      '--rate',
    ],
  ])('%s is refused, with what to do', async (_name, over, expected, text) => {
    const found = (await refusal(plan(over))) as { code: string; message: string; remedy: string };
    expect(found.code).toBe(expected);
    expect(`${found.message} ${found.remedy}`).toContain(text);
  });

  it('of a consumer that the code does not declare any more is refused', async () => {
    const without = { ...code, definitions: [orders] };
    const planning = planReplay(database.operations, { actor: ada, manifest: manifest(), code: without });
    await expect(planning).rejects.toMatchObject({ code: 'CONSUMER_UNKNOWN' });
  });
});

describe('estimating', () => {
  it('freezes event by event, and tells what can’t be replayed and why', async () => {
    const replay = await estimate(await plan());
    expect(replay).toMatchObject({ state: 'estimated', frozen: { ceiling: 41, selected: 37, excluded: 4 } });
    expect(replay.estimate?.profile).toMatchObject({
      events: 37,
      beforeStart: 2,
      keys: { count: 7, exact: true },
      excludedBecause: { 'in quarantine': 1, parked: 1, 'not handled yet': 2 },
    });
    const rows = await nextSelected(database.operations, replay, { after: 0, limit: 100 });
    expect(rows).toHaveLength(37);
    expect(rows.map(({ position }) => position)).toEqual(expect.arrayContaining([1, 40]));
    for (const gone of [10, 17, 39, 41]) expect(rows.map(({ position }) => position)).not.toContain(gone);
  });

  it.each([
    ['keys', { keys: ['orderId=A1', 'orderId=A2'] }, 12],
    ['types', { types: [Paid.type] }, 37],
    [
      'a predicate',
      {
        types: [Paid.type],
        where: {
          all: [
            { field: 'pence', is: 'at-least', value: 20 },
            { not: { field: 'pence', is: 'in', values: [21, 22] } },
          ],
        },
      },
      18,
    ],
    ['positions', { from: 5, to: 9 }, 5],
  ])('selects by %s', async (_name, over, events) => {
    const id = await plan({ selection: { source: 'log', to: 41, ...over } });
    expect((await estimate(id)).frozen?.selected).toBe(events);
  });

  it('selects by time, though no index leads by it', async () => {
    const { rows } = await raw.query(
      'select to_char(recorded_at at time zone \'UTC\', \'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\') as at from factline.events where position in (5, 9) order by position',
    );
    const id = await plan({ selection: { source: 'log', since: rows[0]?.at, until: rows[1]?.at } });
    const replay = await estimate(id);
    expect(replay.frozen).toMatchObject({ selected: 4 });
    expect(
      (await nextSelected(database.operations, replay, { after: 0, limit: 9 })).map(
        ({ position }) => position,
      ),
    ).toEqual([5, 6, 7, 8]);
  });

  it('selects by ids', async () => {
    const { rows } = await raw.query('select id from factline.events where position in (3, 4)');
    const byIds = await estimate(await plan({ selection: { source: 'log', ids: rows.map(({ id }) => id) } }));
    expect(byIds.frozen?.selected).toBe(2);
  });

  it('knows what happened outside and what would be reused, and says what can’t be taken back', async () => {
    const replay = await estimate(await plan({ effects: { policy: 'reuse' } }));
    expect(replay.estimate?.blastRadius).toMatchObject({
      consumers: { direct: 'mailing', derived: [] },
      effects: [
        { name: 'mail', policy: 'reuse', text: '6 recorded results are reused; 31 events have none' },
      ],
      irreversible: expect.stringContaining('stays written'),
      promises: [{ consumer: 'mailing', handledWithinMs: 60_000 }],
      durationSeconds: { atCeiling: 1 },
    });
  });

  it('predicts what is published from what this consumer published, and nobody else', async () => {
    const published = (position: number, id: string): Promise<unknown> =>
      raw.query(
        `insert into factline.events (id, type, source, key, key_hash, data, meta, time)
         select $2, 'shop.receipt.sent.v1', 'shop', key, key_hash, '{}', jsonb_build_object('causationId', id), now() from factline.events where position = $1`,
        [position, id],
      );
    for (const position of [3, 4]) {
      const { rows } = await raw.query('select id from factline.events where position = $1', [position]);
      await published(position, uuidv8([1, rows[0]?.id, 0]));
      await published(position, uuidv8([2, rows[0]?.id, 0]));
    }
    const { fanOut } = (await estimate(await plan())).estimate ?? {};
    expect(fanOut?.observed).toBe(38);
    expect(fanOut?.derived).toMatchObject([
      { type: 'shop.receipt.sent.v1', predicted: { likely: 2 }, perEventHigh: 1 },
    ]);
  });

  it('tries a sample with the current code, and nothing of it stays', async () => {
    const replay = await estimate(await plan(), { withoutSample: false });
    expect(replay.estimate?.sample).toMatchObject({
      events: 37,
      outcomes: { error: 1, 'effect-attempted': 30, 'no-op': 6, 'would-change': 0 },
      errors: [{ message: 'unlucky', events: 1 }],
      effects: { mail: 30 },
    });
    expect(replay.estimate?.blastRadius.warnings.join()).toContain('1 of 37 sampled events failed');
    const { rows } = await raw.query(
      'select (select count(*)::int from factline.effects) as effects, (select count(*)::int from factline.inbox) as inbox',
    );
    expect(rows).toEqual([{ effects: 6, inbox: 1 }]);
  });

  it.each([
    ['nothing', { types: [Paid.type], where: { field: 'pence', is: 'less', value: 0 } }, 'nothing matches'],
    ['only what is parked', { from: 10, to: 10 }, '1 in quarantine'],
  ])('a selection that matches %s is refused, and a draft is left', async (_name, over, text) => {
    const id = await plan({ selection: { source: 'log', to: 41, ...over } });
    await expect(estimate(id)).rejects.toThrow(text);
    expect(await readReplay(database.operations, id)).toMatchObject({ state: 'draft', frozen: null });
  });

  it('of a projection counts the whole log, and needs nobody else', async () => {
    const id = await plan({ consumer: 'orders' });
    const replay = await estimate(id);
    expect(replay).toMatchObject({
      mode: 'blue-green',
      frozen: { selected: 40, ceiling: 41 },
      estimate: { sample: null },
    });
    expect((await requestReplay(database.operations, { actor: ada, id })).state).toBe('approved');
  });

  it('never ends where an open transaction may still add events', async () => {
    const publish = `insert into factline.events (id, type, source, key, key_hash, data, meta, time)
      values (gen_random_uuid(), 'shop.order.paid.v1', 'shop', 'orderId=Z', 9, '{"orderId": "Z", "pence": 1}', '{"correlationId": "c"}', now()) returning position`;
    const late = new pg.Client({ connectionString: server.url });
    await late.connect();
    await late.query('begin');
    const [open] = (await late.query(publish)).rows;
    const [later] = (await raw.query(publish)).rows;
    const [openAt, laterAt] = [Number(open.position), Number(later.position)];
    const id = await plan({ consumer: 'orders', selection: { source: 'log', to: laterAt } });
    await expect(estimate(id)).rejects.toThrow(`may still add events up to position ${laterAt}`);
    await late.query('commit');
    await late.end();
    const replay = await estimate(id);
    expect(replay.frozen?.ceiling).toBe(laterAt);
    expect(laterAt).toBeGreaterThan(openAt);
  });

  it('twice at once leaves one frozen selection', async () => {
    const id = await plan();
    const both = await Promise.allSettled([estimate(id), estimate(id)]);
    expect(both.some(({ status }) => status === 'fulfilled')).toBe(true);
    for (const each of both)
      if (each.status === 'rejected')
        expect(each.reason).toMatchObject({ code: expect.stringMatching(/REPLAY_(CHANGED|STEP_REFUSED)/) });
    const { freeze, state } = await readReplay(database.operations, id);
    expect(state).toBe('estimated');
    const { rows } = await raw.query(
      'select distinct freeze_number from factline.replay_selection where replay_id = $1',
      [id],
    );
    expect(rows).toEqual([{ freeze_number: freeze }]);
  });

  it('with other code than it was planned with is refused', async () => {
    const deployed = { ...code, codeVersion: '1.2.4' };
    await expect(estimate(await plan(), { code: deployed })).rejects.toThrow('this is 1.2.4');
  });

  it('says early that other code is running than it is planned for', async () => {
    await raw.query(`insert into factline.processes (app, incarnation, host, pid, code_version, direct_session, declared)
                     values ('shop', gen_random_uuid(), 'h', 1, '1.2.4', true, '{"1": {}}')`);
    const { estimate: made } = await estimate(await plan());
    await raw.query('delete from factline.processes');
    expect(made?.blastRadius.warnings).toContain(
      'the code 1.2.4 is running, and this is planned for 1.2.3: it cannot begin before that runs everywhere',
    );
  });
});

describe('approving', () => {
  it('takes somebody else; then it may begin', async () => {
    const id = await requested();
    expect(await readReplay(database.operations, id)).toMatchObject({
      state: 'pending_approval',
      requestedBy: 'ada',
      approvals: { required: 1, given: [] },
    });
    expect(await approve(id, bob)).toMatchObject({
      state: 'approved',
      approvals: { given: [{ approver: 'bob' }] },
    });
    expect(await beginReplay(database.operations, { actor: ada, id })).toMatchObject({ state: 'canary' });
  });

  it.each(['ada', 'ADA', ' ada '])(
    'by the requester (as %j) is refused by the database, and on record',
    async (name) => {
      const id = await requested();
      await expect(approve(id, person(name))).rejects.toMatchObject({ code: 'DUTIES_NOT_SEPARATE' });
      const [row] = await listAudit(database.operations, { target: `replay ${id}`, denied: true, limit: 1 });
      expect(row).toMatchObject({
        actor: name,
        decision: 'denied',
        details: { denied: 'DUTIES_NOT_SEPARATE' },
      });
      expect((await readReplay(database.operations, id)).state).toBe('pending_approval');
    },
  );

  it('by whoever planned the revision is refused as well, though another asked', async () => {
    const id = await plan({}, ada);
    await estimate(id);
    await requestReplay(database.operations, { actor: bob, id });
    await expect(approve(id, ada)).rejects.toThrow('ada planned it');
    await expect(approve(id, bob)).rejects.toThrow('bob requested it');
    await expect(approve(id, person('BOB '))).rejects.toThrow('requested it');
    expect((await approve(id, carol)).state).toBe('approved');
  });

  it('is refused by plain SQL too: as the requester, under another’s request, or for another digest', async () => {
    const id = await requested();
    const digest = await digestOf(id);
    const approval = (approver: string, requestedBy: string, of = digest): Promise<unknown> =>
      raw.query(
        'insert into factline.replay_approvals (replay_id, revision, digest, approver, requested_by, planned_by) values ($1, 1, $2, $3, $4, $4)',
        [id, of, approver, requestedBy],
      );
    await expect(approval('ada', 'nobody')).rejects.toThrow('replay_approvals_not_by');
    await expect(approval('bob', 'ada', 'other')).rejects.toThrow('changed');
    await expect(
      raw.query("update factline.replays set state = 'approved' where id = $1", [id]),
    ).rejects.toThrow('approvals are missing');
    await expect(
      raw.query("update factline.replays set state = 'running' where id = $1", [id]),
    ).rejects.toThrow('not approved');
    await expect(
      raw.query(
        "insert into factline.replays (app, consumer, consumer_id, class, mode, effects, code_version, planned_by, state, digest, expires_at) values ('a', 'c', 1, 'operational', 'redeliver', 'skip', '1', 'eve', 'running', 'x', now())",
      ),
    ).rejects.toThrow('begins as a draft');
  });

  it('of executed effects takes two', async () => {
    const executing = defineHandler({
      name: 'mailing',
      on: [Paid, Refunded],
      onReplay: 'execute',
      lanes: 1,
      handle: async () => {},
    });
    const bold = { ...code, definitions: [executing] };
    const over = { effects: { policy: 'execute', max: 40 }, rollback: 'Write to the customers.' };
    const id = await planReplay(database.operations, { actor: ada, manifest: manifest(over), code: bold });
    await estimate(id, { code: bold });
    await requestReplay(database.operations, { actor: ada, id });
    expect(await approve(id, bob)).toMatchObject({ state: 'pending_approval', approvals: { required: 2 } });
    await expect(approve(id, bob)).rejects.toMatchObject({ code: 'REPLAY_APPROVED_ALREADY' });
    await expect(beginReplay(database.operations, { actor: ada, id })).rejects.toMatchObject({
      code: 'REPLAY_STEP_REFUSED',
    });
    expect(await approve(id, carol)).toMatchObject({ state: 'approved' });
  });

  it('by several at once gives each approval once, and is approved once', async () => {
    const id = await requested();
    const all = await Promise.allSettled([
      approve(id, bob),
      approve(id, carol),
      approve(id, dan),
      approve(id, bob),
    ]);
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const acts = await listAudit(database.operations, {
      target: `replay ${id}`,
      act: 'replay.approve',
      limit: 9,
    });
    expect(acts).toHaveLength(1);
    expect((await readReplay(database.operations, id)).state).toBe('approved');
  });

  it('is void when the replay is edited or estimated again', async () => {
    const id = await approved();
    await planReplay(database.operations, {
      actor: ada,
      manifest: manifest({ title: 'Another' }),
      code,
      revise: id,
    });
    expect(await readReplay(database.operations, id)).toMatchObject({
      state: 'draft',
      revision: 2,
      frozen: null,
      estimate: null,
      approvals: { given: [] },
    });
    await expect(beginReplay(database.operations, { actor: ada, id })).rejects.toMatchObject({
      code: 'REPLAY_STEP_REFUSED',
    });
    const again = await approved();
    const before = await digestOf(again);
    await estimate(again);
    expect(await digestOf(again)).not.toBe(before);
    expect(await readReplay(database.operations, again)).toMatchObject({
      state: 'estimated',
      approvals: { given: [] },
    });
  });

  it('is for what was looked at: another digest is refused', async () => {
    const id = await requested();
    for (const digest of ['', 'abc', '0123456789abcdef']) {
      await expect(approve(id, bob, { digest })).rejects.toMatchObject({ code: 'REPLAY_CHANGED' });
    }
  });

  it('alone, in an emergency, takes a reason and is seen everywhere', async () => {
    const id = await requested();
    await expect(approve(id, ada, { breakGlass: true, reason: 'now!' })).rejects.toThrow('--reason');
    const reason = 'Customers wait at the till, nobody else is up.';
    expect(await approve(id, ada, { breakGlass: true, reason })).toMatchObject({
      state: 'approved',
      breakGlass: true,
    });
    const [row] = await listAudit(database.operations, { target: `replay ${id}`, limit: 1 });
    expect(row).toMatchObject({ act: 'replay.break-glass', actor: 'ada', reason });
    expect((await listReplays(database.operations, { all: false, limit: 1 }))[0]).toMatchObject({
      id,
      breakGlass: true,
    });
  });

  it('can be refused for good', async () => {
    const id = await requested();
    expect(
      (await rejectReplay(database.operations, { actor: bob, id, reason: 'not on a Friday' })).state,
    ).toBe('rejected');
    await expect(approve(id, carol)).rejects.toMatchObject({ code: 'REPLAY_STEP_REFUSED' });
  });
});

describe('a replay that was approved', () => {
  const clockJumps = (hours: number): Promise<unknown> =>
    raw.query(
      `create or replace function factline.clock() returns timestamptz language sql volatile as 'select clock_timestamp() + interval ''${hours} hours'''`,
    );

  it('expires a day after its selection was frozen, by the database’s clock', async () => {
    const id = await approved();
    await clockJumps(-3);
    expect((await readReplay(database.operations, id)).frozen?.expired).toBe(false);
    await clockJumps(25);
    await expect(beginReplay(database.operations, { actor: ada, id })).rejects.toThrow('has expired');
    expect((await readReplay(database.operations, id)).state).toBe('expired');
  });

  it('that waits for approval expires as well, in the database too', async () => {
    const id = await requested();
    const digest = await digestOf(id);
    await clockJumps(25);
    const approval =
      "insert into factline.replay_approvals (replay_id, revision, digest, approver, requested_by, planned_by) values ($1, 1, $2, 'bob', '', '')";
    await expect(raw.query(approval, [id, digest])).rejects.toThrow('waits for no approval');
    await expect(approve(id, bob)).rejects.toThrow('has expired');
  });

  it('does not begin when its manifest was edited in the database', async () => {
    const id = await approved();
    await raw.query('alter table factline.replay_revisions disable trigger all');
    await raw.query(
      `update factline.replay_revisions set manifest = jsonb_set(manifest, '{rate,ceiling}', '9999') where replay_id = $1`,
      [id],
    );
    await raw.query('alter table factline.replay_revisions enable trigger all');
    await expect(beginReplay(database.operations, { actor: ada, id })).rejects.toThrow(
      'its manifest was changed',
    );
    await expect(raw.query('update factline.replay_revisions set revision = 7')).rejects.toThrow(
      'never changed',
    );
  });

  it.each([
    ['lost an event', 'delete from factline.replay_selection where replay_id = $1 and position = 5'],
    [
      'was given an event',
      'insert into factline.replay_selection (replay_id, freeze_number, position, key_hash) select $1, max(freeze_number), 999, 1 from factline.replay_selection where replay_id = $1',
    ],
    [
      'regained what was excluded',
      'update factline.replay_selection set excluded = null where replay_id = $1 and position = 10',
    ],
  ])('does not begin when its selection %s', async (_name, text) => {
    const id = await approved();
    await raw.query(text, [id]);
    await expect(beginReplay(database.operations, { actor: ada, id })).rejects.toThrow(
      'its selection was changed',
    );
  });

  it('does not begin when other code runs than was approved, nor after a restore', async () => {
    const id = await approved();
    await raw.query(`insert into factline.processes (app, incarnation, host, pid, code_version, direct_session, declared)
                     values ('shop', gen_random_uuid(), 'h', 1, '1.2.4', true, '{"1": {}}')`);
    await expect(beginReplay(database.operations, { actor: ada, id })).rejects.toThrow('1.2.4 is running');
    await raw.query('delete from factline.processes');
    const { rows } = await raw.query('select log_epoch from factline.log_meta');
    await raw.query('update factline.log_meta set log_epoch = gen_random_uuid()');
    await expect(beginReplay(database.operations, { actor: ada, id })).rejects.toThrow('restored');
    await raw.query('update factline.log_meta set log_epoch = $1', [rows[0]?.log_epoch]);
    expect((await beginReplay(database.operations, { actor: ada, id })).state).toBe('canary');
  });

  it('does not begin for a consumer that was retired', async () => {
    const id = await approved();
    await raw.query("update factline.consumers set state = 'retired' where name = 'mailing'");
    await expect(beginReplay(database.operations, { actor: ada, id })).rejects.toMatchObject({
      code: 'CONSUMER_UNKNOWN',
    });
    await raw.query("update factline.consumers set state = 'live' where name = 'mailing'");
  });

  it('does not begin beside another one of its consumer; both at once: one does', async () => {
    const ids = [await approved(), await approved()];
    const both = await Promise.allSettled(
      ids.map((id) => beginReplay(database.operations, { actor: ada, id })),
    );
    expect(both.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const lost = both.find((each) => each.status === 'rejected');
    expect(lost?.reason).toMatchObject({
      code: 'REPLAY_CONSUMER_BUSY',
      message: expect.stringMatching(/mailing is under way: \d+/),
    });
  });

  it('never gains what arrives later: that is shown beside it', async () => {
    const id = await approved({ selection: { source: 'log', to: 41, keys: ['orderId=A1'] } });
    await raw.query(`insert into factline.events (id, type, source, key, key_hash, data, meta, time)
      values (gen_random_uuid(), 'shop.order.paid.v1', 'shop', 'orderId=A1', 1, '{"orderId": "A1", "pence": 5}', '{"correlationId": "c"}', now()),
             (gen_random_uuid(), 'shop.order.paid.v1', 'shop', 'orderId=A2', 2, '{"orderId": "A2", "pence": 5}', '{"correlationId": "c"}', now())`);
    const replay = await beginReplay(database.operations, { actor: ada, id });
    expect(await nextSelected(database.operations, replay, { after: 0, limit: 99 })).toHaveLength(
      replay.frozen?.selected ?? 0,
    );
    expect((await reportReplay(database.operations, id)).arrivedSince).toEqual({ count: 1, exact: true });
  });

  it('is paused, goes on, and ends where it is; the record tells everything', async () => {
    const id = await approved();
    await beginReplay(database.operations, { actor: ada, id });
    const pool = database.operations;
    expect(await advanceReplay(pool, { id, from: 0, to: 9, released: 9 })).toBe(true);
    expect(await pauseReplay(pool, { actor: bob, id, reason: 'peak hour' })).toMatchObject({
      state: 'paused',
      paused: { kind: 'person', by: 'bob', reason: 'peak hour' },
    });
    expect(await advanceReplay(pool, { id, from: 9, to: 20, released: 10 })).toBe(false);
    expect((await resumeReplay(pool, { actor: bob, id })).state).toBe('canary');
    expect(await advanceReplay(pool, { id, from: 0, to: 20, released: 10 })).toBe(false);
    expect(await advanceReplay(pool, { id, from: 9, to: 41, released: 28 })).toBe(true);
    await advanceState(pool, { id, step: 'verify', reason: 'everything was handed over' });
    await finishReplay(pool, { id, outcome: { handled: 37 }, failures: false });
    expect(await readReplay(pool, id)).toMatchObject({
      state: 'done',
      run: { cursor: 41, released: 37 },
      outcome: { handled: 37 },
    });
    await expect(abortReplay(pool, { actor: ada, id })).rejects.toMatchObject({
      code: 'REPLAY_STEP_REFUSED',
    });
    await expect(
      raw.query("update factline.replays set state = 'running' where id = $1", [id]),
    ).rejects.toThrow('stays so');
    const { timeline } = await reportReplay(pool, id);
    expect(timeline.map(({ act }) => act.slice('replay.'.length))).toEqual([
      'plan',
      'estimate',
      'estimate',
      'request',
      'approve',
      'run',
      'pause',
      'resume',
      'advance',
      'advance',
    ]);
    expect((await verifyAudit(pool)).intact).toBe(true);
  });

  it('can be aborted from wherever it is', async () => {
    const ids = [await plan(), await requested(), await approved()];
    for (const id of ids)
      expect((await abortReplay(database.operations, { actor: ada, id })).state).toBe('aborted');
  });
});

/** The whole log. */
const wholeSelection = {
  source: 'log',
  from: 1,
  since: null,
  until: null,
  types: null,
  keys: null,
  where: null,
  ids: null,
} as const;

describe('a selection of very many events', () => {
  beforeAll(() =>
    raw.query(`insert into factline.events (id, type, source, key, key_hash, data, meta, time)
      select gen_random_uuid(), 'shop.order.paid.v1', 'shop', 'orderId=B' || n, n, '{"orderId": "B", "pence": 1}', '{"correlationId": "c"}', now()
        from generate_series(1, 100050) n;
      update factline.checkpoints set position = (select max(position) from factline.events)`),
  );
  const head = async (): Promise<number> =>
    Number((await raw.query('select max(position) as head from factline.events')).rows[0]?.head);

  it('is refused for a handler, and nothing of it is left', async () => {
    const id = await plan({ selection: { source: 'log', to: await head() } });
    await expect(estimate(id)).rejects.toThrow('more than 100,000 events match');
    expect((await readReplay(database.operations, id)).state).toBe('draft');
    expect(
      (await raw.query('select from factline.replay_selection where replay_id = $1', [id])).rowCount,
    ).toBe(0);
  });

  it('is counted for a read model, type by type', async () => {
    const replay = await estimate(
      await plan({ consumer: 'orders', selection: { source: 'log', to: await head() } }),
    );
    expect(replay.frozen?.selected).toBeGreaterThan(100_000);
    expect(replay.estimate?.blastRadius).toMatchObject({
      irreversible: null,
      durationSeconds: null,
      eventsWithin: null,
    });
  });

  /** The estimate of a read model by a sample, where everything is more than may be counted. */
  const sampled = async (over: Partial<Parameters<typeof estimateReplay>[1]> = {}): Promise<Replay> =>
    estimate(await plan({ consumer: 'orders', selection: { source: 'log', to: await head() } }), {
      sampledAbove: 10_000,
      ...over,
    });

  it('is counted for a read model up to a quarter of a million positions, and estimated above', async () => {
    const counted = await estimate(
      await plan({ consumer: 'orders', selection: { source: 'log', to: await head() } }),
    );
    const truth = counted.frozen?.selected ?? 0;
    const [paid] = counted.estimate?.profile.types ?? [];
    expect(counted.frozen?.selectedWithin).toBeNull();
    expect(paid).toMatchObject({ events: truth, eventsWithin: null, bytesWithin: null });
    const { frozen, estimate: made } = await sampled();
    const { low = 0, high = 0 } = frozen?.selectedWithin ?? {};
    expect([low <= truth, truth <= high, high <= (frozen?.ceiling ?? 0)]).toEqual([true, true, true]);
    expect(made?.blastRadius).toMatchObject({ events: frozen?.selected, eventsWithin: { low, high } });
    expect(made?.profile.types).toEqual([
      expect.objectContaining({ type: 'shop.order.paid.v1', eventsWithin: { low, high } }),
    ]);
    const { bytesWithin } = made?.profile.types[0] ?? {};
    expect(bytesWithin?.low).toBeLessThanOrEqual(paid?.bytes ?? 0);
    expect(bytesWithin?.high).toBeGreaterThanOrEqual(paid?.bytes ?? 0);
    expect(frozen?.ceiling).toBe(counted.frozen?.ceiling);
  });

  it('once estimated is approved as that, and the interval is part of it', async () => {
    const { id } = await sampled();
    await requestReplay(database.operations, { actor: ada, id });
    const report = await reportReplay(database.operations, id);
    expect(report.counts.selectedWithin).toEqual(report.replay.frozen?.selectedWithin);
    expect((await listReplays(database.operations, { all: true, limit: 1 }))[0]?.selectedWithin).toEqual(
      report.replay.frozen?.selectedWithin,
    );
    await expect(
      raw.query('update factline.replays set selected_high = selected_high + 1 where id = $1', [id]),
    ).rejects.toThrow('what is asked for or approved does not change');
    await raw.query('alter table factline.replays disable trigger replays_estimates_are_guarded');
    await raw.query('update factline.replays set selected_high = selected_high + 1 where id = $1', [id]);
    await raw.query('alter table factline.replays enable trigger replays_estimates_are_guarded');
    expect(await whatChanged(database.operations, await readReplay(database.operations, id))).toBe(
      'its selection was changed in the database',
    );
    expect((await abortReplay(database.operations, { actor: ada, id })).state).toBe('aborted');
  });

  it('asks for another person as soon as it may be more than ten million', async () => {
    const { id } = await sampled();
    await raw.query('update factline.replays set selected_high = 10000001 where id = $1', [id]);
    expect((await readReplay(database.operations, id)).approvals.required).toBe(1);
    await raw.query('update factline.replays set selected_high = 10000000 where id = $1', [id]);
    expect((await readReplay(database.operations, id)).approvals.required).toBe(0);
  });

  it('far too large for a handler is refused by the sample, with what it is about', async () => {
    await raw.query(`insert into factline.events (id, type, source, key, key_hash, data, meta, time)
      select gen_random_uuid(), 'shop.order.refunded.v1', 'shop', 'orderId=C' || n, n, '{"orderId": "C"}', '{"correlationId": "c"}', now()
        from generate_series(1, 30000) n;
      update factline.checkpoints set position = (select max(position) from factline.events)`);
    const larger = await plan({ selection: { source: 'log', to: await head() } });
    await expect(estimate(larger, { sampledAbove: 90_000 })).rejects.toThrow(
      /about 1[23]\d,\d{3} events match \(1\d\d,\d{3} to 1\d\d,\d{3}\)/,
    );
    const refunds = await plan({
      selection: { source: 'log', to: await head(), types: ['shop.order.refunded.v1'] },
    });
    expect((await estimate(refunds, { sampledAbove: 90_000 })).frozen).toMatchObject({
      selected: 30_001,
      selectedWithin: null,
    });
  });

  it('that chance has found nothing of is counted, so that nothing and little are told apart', async () => {
    await raw.query(`insert into factline.events (id, type, source, key, key_hash, data, meta, time)
      values (gen_random_uuid(), 'shop.order.seen.v1', 'shop', 'orderId=A1', 1, '{"orderId": "A1"}', '{"correlationId": "c"}', now())`);
    const selection = { ...wholeSelection, to: await head() };
    const options = { clock: systemClock, signal: new AbortController().signal, sampledAbove: 10_000 };
    const count = (types: readonly string[]): Promise<LogCount> =>
      countLog(database.operations, { ...options, selection, types, ceiling: selection.to });
    expect(await count(['shop.order.never.v1'])).toMatchObject({ sampled: false, events: { likely: 0 } });
    expect((await count(['shop.order.seen.v1'])).events.high).toBeGreaterThanOrEqual(1);
  });

  it('within its bound takes two other people', async () => {
    const id = await requested({ selection: { source: 'log', from: 50, to: 2_000 } });
    expect(await readReplay(database.operations, id)).toMatchObject({ approvals: { required: 2 } });
  });
});
