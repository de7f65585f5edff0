import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  createProject,
  type Project,
  type Ran,
  runWords,
  type Surroundings,
} from '../../test/command-line.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';

let database: TestDatabase;
let empty: string;
let project: Project;

const run = (words: string, surroundings: Partial<Surroundings> = {}): Promise<Ran> =>
  runWords(words, { environment: { DATABASE_URL: database.url }, directory: empty, ...surroundings });

const sql = async (text: string, values: unknown[] = []): Promise<pg.QueryResult> => {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    return await client.query(text, values);
  } finally {
    await client.end();
  }
};

const config = (name: string, text: string): string => project.write(name, text);

const publish = async (key: string): Promise<void> => {
  await sql(
    `insert into factline.events (id, type, source, key, key_hash, data, meta, time)
     values (gen_random_uuid(), 'shop.order.placed.v1', 'shop', $1, 7, '{"pence": 42}', '{"correlationId": "c"}', now())`,
    [key],
  );
};

beforeAll(async () => {
  database = await createTestDatabase({ migrated: true });
  empty = mkdtempSync(path.join(os.tmpdir(), 'factline-cli-empty-'));
  project = createProject('cli-shop');
  for (const key of ['orderId=A1', 'orderId=A2', 'orderId=A1']) await publish(key);
  await sql(`insert into factline.consumers (app, class, name, types, lanes, start_position)
             values ('shop', 'operational', 'payment', '{shop.order.placed.v1}', 1, 0)`);
  await sql(`insert into factline.contract_terms (app, type, owner, key, code_version)
    values ('shop', 'shop.order.placed.v1', 'checkout', '{orderId}', '1')`);
  await sql('insert into factline.lanes (consumer_id, lane, generation) values (1, 0, 1)');
  await sql(
    'insert into factline.checkpoints (consumer_id, lane, position, dispatch_limit) values (1, 0, 2, 2)',
  );
  await sql(`insert into factline.parked (consumer_id, key, key_hash, position, state, reason)
             values (1, 'orderId=A2', 7, 2, 'quarantined', 'permanent'), (1, 'orderId=A2', 7, 3, 'waiting', 'behind')`);
  await sql(`insert into factline.parked_events (consumer_id, position, attempts, failure_class, error_code, error_message, error_stack, event_type)
             values (1, 2, 3, 'permanent', 'PERMANENT_FAILURE', 'the amount is zero', 'Error: x' || chr(10) || '    at pay (pay.ts:1:2)', 'shop.order.placed.v1')`);
});

afterAll(async () => {
  rmSync(empty, { recursive: true, force: true });
  project.remove();
  await database.drop();
});

describe('what is typed wrong', () => {
  it.each([
    ['statsu', 'Did you mean "status"?'],
    ['status --jsn', 'Did you mean "--json"?'],
    ['quarantine show', 'needs ID'],
    ['quarantine show seven', 'expected a number'],
    ['quarantine list --limit 0', 'from 1 to 10000'],
    ['quarantine discard 1', 'needs a reason and a name'],
    ['quarantine resolve 1', 'exactly one of --happened and --did-not-happen'],
    ['quarantine resolve 1 --happened --result {', 'expected JSON'],
    ['consumers accept payment', 'run it again with --yes'],
    ['consumers pause paymnt', 'known are: payment'],
    ['consumers pause payment', 'option --reason is not valid: expected why it is paused'],
    ['consumers accept paymnt', 'known are: payment'],
    ['status --consumer paymnt --check', 'known are: payment'],
    ['quarantine groups --consumer paymnt', 'known are: payment'],
    ['quarantine list --group 99', 'no group 99'],
    ['replay list --consumer paymnt', 'known are: payment'],
    ['projection rebuild payment', 'expected a projection'],
    ['events show nonsense', 'a position or an event id'],
    ['quarantine show 99', 'no parked event with the number 99'],
    ['--frobnicate', 'no option --frobnicate'],
    ['quarantine', 'quarantine retry'],
  ])('%s ends with 2 and says what to do', async (words, text) => {
    const { code, err, out } = await run(words);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(text);
  });

  it('is told as JSON on standard error with --json', async () => {
    const { err } = await run('quarantine show 99 --json');
    expect(JSON.parse(err).error).toMatchObject({
      code: 'QUARANTINE_NOT_FOUND',
      remedy: expect.stringContaining('quarantine list'),
    });
  });
});

describe('a configuration that is missing or wrong', () => {
  it.each(['start', 'dev', 'status --app nowhere.ts'])(
    '%s says which file it looked for, exit code 2',
    async (words) => {
      const ran = await run(words);
      expect(ran.code).toBe(2);
      expect(ran.err.replace(/\s+/g, ' ')).toMatch(/(factline\.config|nowhere)\.ts does not exist/);
    },
  );

  it.each([
    ['nothing.ts', 'export const other = 1', 'neither app nor default'],
    ['stranger.ts', 'export default { start() {} }', 'was not made by createFactline'],
    ['double.ts', 'export default { publish() {}, transaction() {} }', 'another copy of factline'],
    ['broken.ts', 'throw new TypeError("no secret was set")', 'no secret was set'],
    ['syntax.ts', 'export const = 1', 'cannot be used'],
    ['missing.ts', "export * from './gone.ts'", 'gone.ts'],
    ['enums.ts', 'enum A { B }; export default A', 'enum'],
  ])('%s is refused with its reason', async (name, text, reason) => {
    const ran = await run(`start --app ${config(name, text)}`, { directory: project.directory });
    expect(ran.code).toBe(2);
    expect(ran.err.replace(/\s+/g, ' ')).toContain(reason);
    expect(ran.err).toContain('next  ');
  });

  it('is not asked for by commands that only need the database', async () => {
    expect((await run('status')).code).toBe(0);
    expect((await run(`status --database ${database.url}`, { environment: {} })).code).toBe(0);
  });
});

describe('a database that cannot be used', () => {
  const changed = (changes: Partial<Pick<URL, 'port' | 'password' | 'pathname'>>): Partial<Surroundings> => {
    const url = Object.assign(new URL(database.url), changes);
    return { environment: { DATABASE_URL: url.href } };
  };

  it('is missing: exit code 3 and what to set', async () => {
    const ran = await run('status', { environment: {} });
    expect(ran.code).toBe(3);
    expect(ran.err).toContain('DATABASE_URL');
  });

  it('is down: exit code 3, and the address without the password', async () => {
    const ran = await run('status', changed({ port: '1' }));
    expect(ran.code).toBe(3);
    expect(ran.err).toContain('127.0.0.1:1/');
    expect(ran.err).not.toContain(new URL(database.url).password);
  });

  it('refuses the password: exit code 3, and the user', async () => {
    const ran = await run('status', changed({ password: 'wrong' }));
    expect(ran.code).toBe(3);
    expect(ran.err).toContain('refused the user postgres');
  });

  it('does not exist: exit code 3', async () => {
    const ran = await run('status', changed({ pathname: '/nowhere' }));
    expect(ran.code).toBe(3);
    expect(ran.err).toContain('nowhere');
  });

  it('is no URL: exit code 2', async () => {
    expect((await run('status --database localhost')).code).toBe(2);
  });

  it('is read-only: exit code 3', async () => {
    const readOnly = await createTestDatabase({ migrated: true });
    try {
      const client = new pg.Client({ connectionString: readOnly.url });
      await client.connect();
      await client.query(`alter database ${readOnly.name} set default_transaction_read_only = on`);
      await client.end();
      for (const words of ['status', 'migrate', 'doctor']) {
        const ran = await run(words, { environment: { DATABASE_URL: readOnly.url } });
        expect([words, ran.code]).toEqual([words, words === 'doctor' ? 1 : 3]);
        expect(ran.err + ran.out).toContain('read-only');
      }
    } finally {
      await readOnly.drop();
    }
  });

  it('has no schema yet: exit code 4 and the command; migrate makes it, once', async () => {
    const fresh = await createTestDatabase();
    const surroundings = { environment: { DATABASE_URL: fresh.url } };
    try {
      const before = await run('status', surroundings);
      expect(before.code).toBe(4);
      expect(before.err).toContain('npx factline migrate');
      expect((await run('doctor', surroundings)).code).toBe(1);
      expect((await run('migrate', surroundings)).out).toContain('0001_first …');
      expect((await run('migrate', surroundings)).out).toContain('nothing to do');
      expect(JSON.parse((await run('migrate --json', surroundings)).out)).toEqual({
        applied: [],
        registered: [],
        consumers: null,
      });
      expect((await run('status', surroundings)).out).toContain('No consumer is registered');
    } finally {
      await fresh.drop();
    }
  });
});

describe('looking at the database without a running app', () => {
  it('status: STALLED is told by --check, and JSON has documented fields', async () => {
    await sql("update factline.consumers set registered_at = registered_at - interval '1 hour'");
    await sql("update factline.checkpoints set moved_at = moved_at - interval '1 hour'");
    const ran = await run('status --check --json');
    expect(ran.code).toBe(1);
    const [payment] = JSON.parse(ran.out).consumers;
    expect(payment).toMatchObject({
      consumer: 'payment',
      class: 'operational',
      verdict: 'STALLED',
      quarantined: { keys: 1, waiting: 1 },
    });
    expect((await run('status')).out).toContain('no process works it');
  });

  it('quarantine list and show', async () => {
    const { out } = await run('quarantine list');
    expect(out).toContain('the amount is zero');
    expect(out).toContain('factline quarantine show 1');
    expect(JSON.parse((await run('quarantine list --all --json --limit 1')).out)).toMatchObject({
      events: [{ id: 1, waiting: 1 }],
      next: 1,
    });
    expect(JSON.parse((await run('quarantine list --all --json --after 1')).out)).toMatchObject({
      events: [{ id: 2, state: 'waiting' }],
      next: null,
    });
    const shown = (await run('quarantine show 1')).out;
    for (const text of [
      'orderId=A2',
      'PERMANENT_FAILURE: the amount is zero',
      'at pay (pay.ts:1:2)',
      '1 later event',
      '"pence": 42',
    ]) {
      expect(shown).toContain(text);
    }
  });

  it('events tail, by type and key, as lines and as one JSON document per line', async () => {
    expect((await run('events tail')).out.split('\n')).toHaveLength(3);
    const lines = (await run('events tail --key orderId=A1 --json')).out
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ position }) => position)).toEqual([1, 3]);
    expect((await run('events tail -n 1')).out).toContain('#3 ');
    expect((await run('events tail --type shop.nothing.done.v1')).err).toContain('No event matches');
  });

  it('events tail --follow shows new events until it is told to end', async () => {
    const controller = new AbortController();
    const lines: string[] = [];
    const following = run('events tail -f -n 0 --json', {
      signal: controller.signal,
      onLine: (line) => void lines.push(line),
    });
    // Where it begins is not told: the first event may have been there before.
    await expect
      .poll(() => publish('orderId=B1').then(() => lines), { interval: 100, timeout: 15_000 })
      .not.toEqual([]);
    controller.abort();
    expect((await following).code).toBe(0);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ key: 'orderId=B1' });
  });

  it('events show, by position and by id, with what every consumer has done', async () => {
    const { out } = await run('events show 2 --json');
    const { event, deliveries } = JSON.parse(out);
    expect(deliveries).toEqual([
      {
        ...{ consumer: 'payment', class: 'operational', build: 1, read: true },
        ...{ state: 'quarantined', parkedId: 1, reason: 'the amount is zero' },
      },
    ]);
    expect((await run(`events show ${event.id}`)).out).toContain('quarantine show 1');
    expect(JSON.parse((await run('events show 1 --json')).out).deliveries[0].state).toBe('handled');
  });

  it('events show, of a command what answers it, and of the reply the command', async () => {
    const [command, reply] = [randomUUID(), randomUUID()];
    for (const [id, type, meta] of [
      [command, 'payments.card.charge.v1', { correlationId: command }],
      [reply, 'payments.card.charged.v1', { correlationId: command, causationId: command }],
    ])
      await sql(
        `insert into factline.events (id, type, source, key, key_hash, data, meta, time)
         values ($1, $2, 'shop', 'orderId=A1', 7, '{}', $3, now())`,
        [id, type, meta],
      );
    const asked = JSON.parse((await run(`events show ${command} --json`)).out);
    expect(asked).toMatchObject({ cause: null, ledTo: [{ id: reply, type: 'payments.card.charged.v1' }] });
    const answered = await run(`events show ${asked.ledTo[0].position}`);
    expect(answered.out).toMatch(
      new RegExp(`caused by +#${asked.event.position} payments.card.charge.v1 by shop`),
    );
    expect((await run(`events show ${command}`)).out).toMatch(/led to +#\d+ payments\.card\.charged\.v1/);
  });

  it('a request that nobody answers ends with 6, stays open, and says so', async () => {
    const ran = await run('quarantine retry 1 --within 100ms --by ada');
    expect(ran.code).toBe(6);
    expect(ran.err).toContain('Start the app');
    expect((await run('quarantine discard 1 --reason "a test" --by ada --no-wait')).out).toContain(
      'asked for as request',
    );
    const { rows } = await sql(
      'select verb, actor, reason, state, parked_id::integer from factline.requests order by id',
    );
    expect(rows).toEqual([
      { verb: 'retry', actor: 'ada', reason: null, state: 'open', parked_id: 1 },
      { verb: 'discard', actor: 'ada', reason: 'a test', state: 'open', parked_id: 1 },
    ]);
  });
});

describe('Ctrl-C while a process is waited for', () => {
  it('ends the waiting only, says so, and asks for nothing more', async () => {
    await sql("delete from factline.requests where verb = 'retry'");
    const person = new AbortController();
    const running = run('quarantine retry 1 1', { signal: person.signal });
    const open = "select verb from factline.requests where verb = 'retry' and state = 'open'";
    await vi.waitUntil(async () => (await sql(open)).rowCount === 1, { timeout: 30_000 });
    person.abort();
    const { code, out, err } = await running;
    expect([code, err]).toEqual([130, '']);
    expect(out).toMatch(/^asked for as request \d+; the process that works the lane carries it out$/);
    expect((await sql(open)).rowCount).toBe(1);
    await sql("delete from factline.requests where verb = 'retry'");
  });
});

describe('a restored database', () => {
  it('is refused until somebody says that it is to go on; no position is given twice', async () => {
    const copy = await createTestDatabase({ migrated: true });
    const surroundings = { environment: { DATABASE_URL: copy.url } };
    const client = new pg.Client({ connectionString: copy.url });
    await client.connect();
    try {
      await client.query("update factline.log_meta set system_identifier = 'another'");
      await client.query(
        `insert into factline.consumers (app, class, name, types, lanes, start_position) values ('shop', 'operational', 'x', '{}', 1, 0)`,
      );
      await client.query(
        'insert into factline.checkpoints (consumer_id, lane, position, dispatch_limit) values (1, 0, 500, 1500)',
      );
      const doctor = await run('doctor', surroundings);
      expect(doctor.code).toBe(1);
      expect(doctor.out).toContain('npx factline restored');
      expect((await run('events tail', surroundings)).code).toBe(5);
      const before = (await client.query('select log_epoch from factline.log_meta')).rows[0];
      expect((await run('restored', surroundings)).code).toBe(2);
      const { epoch, previousEpoch, positionsFrom } = JSON.parse(
        (await run('restored --yes --json', surroundings)).out,
      );
      expect([previousEpoch, positionsFrom]).toEqual([before.log_epoch, 1500]);
      expect(epoch).not.toBe(previousEpoch);
      const { rows } =
        await client.query(`insert into factline.events (id, type, source, key, key_hash, data, meta, time)
        values (gen_random_uuid(), 'a.b.c.v1', 's', 'k', 1, '{}', '{}', now()) returning position::integer`);
      expect(rows[0].position).toBe(1501);
      expect((await run('events tail', surroundings)).code).toBe(0);
    } finally {
      await client.end();
      await copy.drop();
    }
  });
});
