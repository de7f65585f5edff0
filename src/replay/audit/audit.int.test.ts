import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts';
import { FactlineError } from '../../foundation/index.ts';
import { createDatabase, type Database } from '../../postgres/index.ts';
import { type Actor, everyRole } from '../authority/actor.ts';
import { perform, permit } from '../authority/perform.ts';
import { actorWithRoles, storeRoles } from '../authority/roles.ts';
import { type AuditEntry, appendAudit, auditHash, listAudit } from './audit.ts';
import { verifyAudit } from './verify.ts';

let server: TestDatabase;
let database: Database;
let raw: pg.Client;

beforeAll(async () => {
  server = await createTestDatabase({ migrated: true });
  database = createDatabase({ url: server.url, applicationName: 'audit test' });
  raw = new pg.Client({ connectionString: server.url });
  await raw.connect();
});
afterAll(async () => {
  await raw.end();
  await database.stop();
  await server.drop();
});

const untriggered = (text: string): Promise<unknown> =>
  raw.query(
    `alter table factline.audit disable trigger all; ${text}; alter table factline.audit enable trigger all`,
  );

beforeEach(async () => {
  await untriggered(`truncate factline.audit, factline.roles, factline.stream_heads;
    update factline.audit_head set number = 0, hash = repeat('0', 64); set time zone 'UTC'`);
});

const entry = (target: string, over: Partial<AuditEntry> = {}): AuditEntry => ({
  actor: 'ada',
  account: 'ada@desk',
  via: 'cli',
  act: 'consumer.pause',
  decision: 'done',
  target,
  reason: null,
  details: {},
  ...over,
});

const append = async (count: number): Promise<void> => {
  for (let n = 1; n <= count; n += 1) await appendAudit(database.operations, entry(`consumer c${n}`));
};

const problems = async (): Promise<string[]> =>
  (await verifyAudit(database.operations)).problems.map(({ number, problem }) => `${number} ${problem}`);

describe('the record', () => {
  it('is a chain without gaps, whatever is in the texts', async () => {
    await append(1);
    const details = { text: 'a\u0000b\ud800', number: 1e21, small: 1e-7, nested: { b: [1.5, null], a: 'ä' } };
    await appendAudit(database.operations, entry('quarantine 7', { reason: 'x\u0000\udfff', details }));
    await raw.query("set time zone 'Asia/Kathmandu'");
    expect(await verifyAudit(raw)).toMatchObject({ intact: true, rows: 2, head: { number: 2 } });
    const [latest] = await listAudit(database.operations, { limit: 1 });
    expect(latest).toMatchObject({
      number: 2,
      reason: 'x\ufffd\ufffd',
      details: { number: 1e21, small: 1e-7 },
    });
  });

  it('refuses to be changed, removed or emptied', async () => {
    await append(2);
    for (const text of [
      "update factline.audit set actor = 'eve'",
      'delete from factline.audit',
      'truncate factline.audit',
    ]) {
      await expect(raw.query(text)).rejects.toThrow('never changed or removed');
    }
    expect(await problems()).toEqual([]);
  });

  it('is one chain when many processes append at once, and some of them roll back', async () => {
    const connections = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const client = new pg.Client({ connectionString: server.url });
        await client.connect();
        return client;
      }),
    );
    await Promise.all(
      connections.map(async (client, index) => {
        for (let n = 0; n < 10; n += 1) {
          await client.query('begin');
          await appendAudit(client, entry(`c${index}.${n}`));
          await client.query(n % 5 === 4 ? 'rollback' : 'commit');
        }
      }),
    );
    await Promise.all(connections.map((client) => client.end()));
    expect(await verifyAudit(database.operations)).toMatchObject({
      intact: true,
      rows: 64,
      head: { number: 64 },
    });
  });

  it('is looked through by act, kind, target, person and denials, page by page', async () => {
    await append(3);
    await appendAudit(
      database.operations,
      entry('replay 7', { act: 'replay.approve', actor: 'bob', decision: 'denied' }),
    );
    const targets = async (filter: Partial<Parameters<typeof listAudit>[1]>): Promise<string[]> =>
      (await listAudit(database.operations, { limit: 10, ...filter })).map(({ target }) => target);
    expect(await targets({ act: 'replay' })).toEqual(['replay 7']);
    expect(await targets({ act: 'replay.run' })).toEqual([]);
    expect(await targets({ actor: 'bob' })).toEqual(['replay 7']);
    expect(await targets({ denied: true })).toEqual(['replay 7']);
    expect(await targets({ target: 'consumer c2' })).toEqual(['consumer c2']);
    expect(await targets({ before: 3, limit: 1 })).toEqual(['consumer c2']);
  });
});

describe('verification finds', () => {
  beforeEach(() => append(5));

  it.each([
    ['a changed row', "update factline.audit set reason = 'meant well' where number = 3", ['3 changed']],
    ['a removed row', 'delete from factline.audit where number = 3', ['3 missing']],
    ['removed rows', 'delete from factline.audit where number in (2, 3)', ['3 missing']],
    ['rows cut off at the end', 'delete from factline.audit where number > 3', ['5 missing']],
    ['an emptied record', 'delete from factline.audit', ['5 missing']],
    [
      'the end cut off, and the head put back',
      'delete from factline.audit where number > 3; update factline.audit_head set number = 3',
      ['3 head'],
    ],
    [
      'a row inserted behind the end',
      `insert into factline.audit select 6, at, 'eve', account, via, act, decision, target, reason, details, hash, hash from factline.audit where number = 5`,
      ['6 changed', '6 added'],
    ],
  ])('%s', async (_name, text, expected) => {
    /* As somebody who owns the tables and knows what a trigger is. */
    await untriggered(text);
    expect(await problems()).toEqual(expected);
  });

  it('a row whose hash was made anew, because the next is not chained to it', async () => {
    const [third] = await listAudit(database.operations, { limit: 1, before: 4 });
    if (third === undefined) throw new Error('no third row');
    const forged = { ...third, actor: 'eve' };
    await raw.query('alter table factline.audit disable trigger all');
    await raw.query('update factline.audit set actor = $1, hash = $2 where number = 3', [
      'eve',
      auditHash(forged),
    ]);
    expect(await problems()).toEqual(['4 unchained']);
  });

  it('a chain that was forged as a whole, by the head that was noted elsewhere', async () => {
    const { head } = await verifyAudit(database.operations);
    /* As somebody who owns the tables and knows what a trigger is. */
    await untriggered(
      "delete from factline.audit; update factline.audit_head set number = 0, hash = repeat('0', 64)",
    );
    expect((await verifyAudit(database.operations, head)).problems).toMatchObject([
      { number: 5, problem: 'noted' },
    ]);
    await append(6);
    expect(await problems()).toEqual([]);
    expect((await verifyAudit(database.operations, head)).problems).toMatchObject([
      { number: 5, problem: 'noted' },
    ]);
  });
});

describe('an act', () => {
  const ada: Actor = { name: 'ada', via: 'cli', roles: everyRole, account: 'root@desk' };
  const eve: Actor = { name: 'eve', via: 'cli', roles: new Set(['viewer']) };
  const pausing = { act: 'consumer.pause', target: 'consumer payment', reason: 'maintenance' } as const;

  it('and its record commit together', async () => {
    const number = await perform(
      database.operations,
      { actor: ada, ...pausing, details: (n: number) => ({ n }) },
      async (client) => {
        await client.query("insert into factline.stream_heads (stream, version) values ('made', 1)");
        return 42;
      },
    );
    expect(number).toBe(42);
    const [row] = await listAudit(database.operations, { limit: 1 });
    expect(row).toMatchObject({
      actor: 'ada',
      account: 'root@desk',
      decision: 'done',
      target: 'consumer payment',
      reason: 'maintenance',
      details: { n: 42 },
    });
  });

  it('that fails leaves neither work nor record', async () => {
    const failing = perform(database.operations, { actor: ada, ...pausing }, async (client) => {
      await client.query("insert into factline.stream_heads (stream, version) values ('made', 1)");
      throw new FactlineError('STOPPED');
    });
    await expect(failing).rejects.toThrow(FactlineError);
    expect((await raw.query('select from factline.stream_heads')).rowCount).toBe(0);
    expect(await listAudit(database.operations, { limit: 10 })).toEqual([]);
  });

  it('that is denied is not done, and the attempt is on record', async () => {
    let done = false;
    const denied = perform(database.operations, { actor: eve, ...pausing }, async () => {
      done = true;
    });
    await expect(denied).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(
      permit(database.operations, { actor: eve, act: 'audit.read', target: 'audit' }),
    ).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(done).toBe(false);
    expect(await listAudit(database.operations, { limit: 10 })).toMatchObject([
      { actor: 'eve', act: 'audit.read', decision: 'denied' },
      {
        actor: 'eve',
        act: 'consumer.pause',
        decision: 'denied',
        reason: 'maintenance',
        details: { denied: 'FORBIDDEN' },
      },
    ]);
  });
});

describe('roles', () => {
  const rolesOf = async (name: string): Promise<string[]> =>
    [...(await actorWithRoles(database.operations, { name, via: 'cli' })).roles].sort();

  it('are everybody’s until some are declared; then a stranger may only look', async () => {
    expect(await rolesOf('eve')).toHaveLength(everyRole.size);
    await storeRoles(database.operations, 'shop', { ada: ['operator'], '*': ['responder'] });
    expect(await rolesOf('ada')).toEqual(['operator', 'responder', 'viewer']);
    expect(await rolesOf('eve')).toEqual(['responder', 'viewer']);
    expect(await rolesOf('__proto__')).toEqual(['responder', 'viewer']);
    await storeRoles(database.operations, 'shop', { ada: ['operator'] });
    expect(await rolesOf('eve')).toEqual(['viewer']);
  });

  const waitsForUs = 'select from pg_stat_activity where pg_backend_pid() = any (pg_blocking_pids(pid))';

  it('may be stored by another process that starts at the same moment', async () => {
    await raw.query(
      "begin; insert into factline.roles (app, name, roles) values ('shop', 'ada', '{operator}')",
    );
    const storing = storeRoles(database.operations, 'shop', { ada: ['operator'], bob: ['approver'] });
    await expect.poll(async () => (await raw.query(waitsForUs)).rowCount).toBeGreaterThan(0);
    await raw.query('commit');
    await storing;
    expect(await rolesOf('bob')).toEqual(['approver', 'viewer']);
  });

  it('stay when a rolled-back deploy declares none, and every change is on record once', async () => {
    await storeRoles(database.operations, 'shop', { ada: ['operator', 'approver'] });
    await storeRoles(database.operations, 'shop', undefined);
    await storeRoles(database.operations, 'shop', { ada: ['approver', 'operator'] });
    expect(await rolesOf('eve')).toEqual(['viewer']);
    const changes = await listAudit(database.operations, { act: 'roles.change', limit: 10 });
    expect(changes).toMatchObject([
      {
        actor: 'shop',
        via: 'engine',
        details: { roles: [{ name: 'ada', roles: ['approver', 'operator'] }] },
      },
    ]);
  });
});
