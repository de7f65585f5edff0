import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createProject, type Project, type Ran, runWords } from '../../test/command-line.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { type Clock, systemClock } from '../foundation/index.ts';
import { examine, type Finding } from '../operations/index.ts';
import { createDatabase } from '../postgres/index.ts';

let database: TestDatabase;
let project: Project;
let client: pg.Client;

beforeAll(() => {
  project = createProject('shop');
});
afterAll(() => project.remove());
beforeEach(async () => {
  database = await createTestDatabase({ migrated: true });
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
});
afterEach(async () => {
  await client.end();
  await database.drop();
});

const run = (words: string): Promise<Ran> =>
  runWords(words, { environment: { DATABASE_URL: database.url }, directory: project.directory });

const findings = async (words = ''): Promise<readonly Finding[]> =>
  JSON.parse((await run(`doctor --json ${words}`)).out).findings;

/** What the command says about one thing. */
const finding = async (check: string, words = ''): Promise<Finding | undefined> =>
  (await findings(words)).findLast((each) => each.check === check && each.status !== 'skipped');

let apps = 0;
const appWith = (options: string): string => {
  apps += 1; // Node reads a file of one name once.
  const text = `import { createFactline, defineEvent, defineHandler } from 'factline'
    import { z } from 'zod'
    const on = defineEvent({ type: 'shop.order.placed.v1', key: 'orderId', schema: z.object({ orderId: z.string() }) })
    const handle = async () => {}
    export const app = createFactline({ name: 'shop', database: '${database.url}', ${options} })`;
  return `--app ${project.write(`app-${apps}.ts`, text)}`;
};

const stored = `insert into factline.consumers (app, class, name, types, lanes, start_position)
  values ('shop', 'operational', 'payment', '{shop.order.placed.v1}', 1, 0)`;
const dead = `with gone as (
    insert into factline.processes (app, incarnation, host, pid, code_version, direct_session, beaten_at)
    values ('shop', gen_random_uuid(), 'web-3', 4711, '1', true, now() - interval '2 minutes') returning id)
  insert into factline.lanes (consumer_id, lane, generation, owner) select 1, 0, 1, id from gone`;
// It has just beaten, however long this takes.
const pooled = `insert into factline.processes (app, incarnation, host, pid, code_version, direct_session, beaten_at)
  values ('shop', gen_random_uuid(), 'web-3', 4711, '1', false, now() + interval '1 hour')`;
const forgotten = `insert into factline.requests (consumer_id, verb, actor, requested_at)
  values (1, 'pause', 'ada', now() - interval '5 minutes')`;

interface Planted {
  readonly what: string;
  readonly plant: string;
  readonly check: string;
  readonly status: Finding['status'];
  readonly told: RegExp;
  readonly remedy: RegExp;
}

describe('the doctor', { timeout: 60_000 }, () => {
  it('finds nothing that fails in a sound database, and each finding says whether something is to be done', async () => {
    const ran = await run('doctor --json');
    expect(ran.code).toBe(0);
    const all: readonly Finding[] = JSON.parse(ran.out).findings;
    expect(all.filter(({ status }) => status === 'fail')).toEqual([]);
    for (const { status, remedy } of all) expect(remedy === null).toBe(status === 'ok');
    const checks = ['server', 'migrations', 'log', 'grants', 'partitions', 'durability', 'idle transactions'];
    checks.push('connections', 'clock', 'session', 'consumers', 'processes', 'progress', 'lanes', 'tail');
    expect(all.map(({ check }) => check)).toEqual(expect.arrayContaining([...checks, 'requests', 'vacuum']));
  });

  it('names the migrations that are missing, and looks at nothing else', async () => {
    await client.query('drop schema factline cascade');
    const ran = await run('doctor');
    expect(ran.code).toBe(1);
    expect(ran.out).toMatch(/✗ migrations +missing: 0001_first, [\s\S]*→ Run: npx factline migrate/);
    expect(ran.out).toContain('1 ok, 0 warnings, 1 failed');
  });

  it.each<Planted>([
    {
      what: 'partitions that run out',
      plant: 'drop table factline.events_p2, factline.events_p3, factline.events_p4',
      check: 'partitions',
      status: 'warn',
      told: /only \d partitions? of the log/,
      remedy: /create_partitions_ahead/,
    },
    {
      what: 'a DEFAULT partition',
      plant: 'create table factline.others partition of factline.events default',
      check: 'log',
      status: 'fail',
      told: /DEFAULT partition/,
      remedy: /./,
    },
    {
      what: 'publishers that do not wait for the disk',
      plant:
        'do $$ begin execute format($f$alter database %I set synchronous_commit = off$f$, current_database()); end $$',
      check: 'log',
      status: 'warn',
      told: /synchronous_commit is off/,
      remedy: /operations\.md/,
    },
    {
      what: 'room for one process only',
      plant:
        'do $$ begin execute format($f$alter database %I connection limit 60$f$, current_database()); end $$',
      check: 'connections',
      status: 'warn',
      told: /up to 50 connections; 60 are allowed.*no room for a second/,
      remedy: /pools/,
    },
    {
      what: 'a pool that is larger than the server allows',
      plant:
        'do $$ begin execute format($f$alter database %I connection limit 49$f$, current_database()); end $$',
      check: 'connections',
      status: 'fail',
      told: /up to 50 connections; 49 are allowed/,
      remedy: /Lower `pools`/,
    },
    {
      what: 'a clock that a test has moved',
      plant: `create or replace function factline.clock() returns timestamptz language sql as
       $$ select clock_timestamp() + interval '1 hour' $$`,
      check: 'clock',
      status: 'warn',
      told: /factline\.clock\(\) is ahead of the server by 1 h/,
      remedy: /fresh database/,
    },
    {
      what: 'lanes of a process that is gone',
      plant: `${stored}; ${dead}`,
      check: 'lanes',
      status: 'warn',
      told: /4711 on web-3 is gone.*still owns 1 lane/,
      remedy: /Start the app/,
    },
    {
      what: 'processes behind a pooler',
      plant: pooled,
      check: 'processes',
      status: 'warn',
      told: /1 process without a direct session/,
      remedy: /past the pooler/,
    },
    {
      what: 'wishes that nobody carries out',
      plant: `${stored}; ${forgotten}`,
      check: 'requests',
      status: 'warn',
      told: /1 request open, the oldest for 5 min/,
      remedy: /start the app/,
    },
  ])('tells of $what', async ({ plant, check, status, told, remedy }) => {
    const found = async () => (await findings()).filter(({ message }) => told.test(message));
    expect(await found()).toEqual([]);
    await client.query(plant);
    expect(await found()).toMatchObject([{ check, status, remedy: expect.stringMatching(remedy) }]);
  });

  it('stops warning of publishers that sit idle in a transaction when the server ends them', async () => {
    expect(await finding('idle transactions')).toMatchObject({ status: 'warn' });
    await client.query(
      `do $$ begin execute format('alter database %I set idle_in_transaction_session_timeout = ''60s''', current_database()); end $$`,
    );
    expect(await finding('idle transactions')).toMatchObject({ status: 'ok' });
  });

  it('counts the pools that the app declares', async () => {
    const small = appWith(
      'consumers: [], pools: { transactions: 2, handlers: 2, readers: 1, operations: 2 }',
    );
    expect((await finding('connections', small))?.message).toContain('up to 8 connections');
  });

  it('tells of a clock of this machine that is wrong', async () => {
    const wrong: Clock = { ...systemClock, wall: () => new Date(systemClock.wall().getTime() + 60_000) };
    const looking = createDatabase({ url: database.url, applicationName: 'test' });
    try {
      const told = await examine({ database: looking, clock: wrong });
      expect(told.find(({ check }) => check === 'clock')).toMatchObject({
        status: 'warn',
        message: expect.stringMatching(/differ by \d+ .*will look wrong/),
      });
    } finally {
      await looking.stop();
    }
  });

  it('names a consumer that nobody declares, until its new name says where it comes from', async () => {
    await client.query(stored);
    const renamed = "defineHandler({ name: 'billing', on, handle";
    const [silent, told] = [
      appWith(`consumers: [${renamed} })]`),
      appWith(`consumers: [${renamed}, formerly: ['payment'] })]`),
    ];
    const ran = await run(`doctor ${silent}`);
    expect(ran.code).toBe(1);
    expect(ran.out.replace(/\s+/g, ' ')).toMatch(/payment \(build 1\) is stored.*formerly: \['payment'\]/);
    expect(await finding('consumers', told)).toMatchObject({ status: 'ok' });
  });

  it('names the transaction that holds up the log for ten seconds, and how to end it', async () => {
    await client.query("begin; select nextval('factline.events_position_seq')");
    const pid = (await client.query('select pg_backend_pid() as pid')).rows[0].pid;
    await expect
      .poll(() => finding('tail'), { interval: 1_000, timeout: 50_000 })
      .toMatchObject({
        status: 'warn',
        message: expect.stringMatching(new RegExp(`process ${pid} .* has held up the log for \\d+`)),
        remedy: expect.stringContaining(`pg_terminate_backend(${pid})`),
      });
    await client.query('rollback');
    expect(await finding('tail')).toMatchObject({ status: 'ok' });
  });
});
