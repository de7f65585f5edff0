import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProject, type Project, type Ran, runWords } from '../../test/command-line.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';

const shop = `
import { createFactline, defineEvent, defineHandler, defineProjection } from 'factline'
import { z } from 'zod'
export const OrderPaid = defineEvent({ type: 'shop.order.paid.v1', key: 'orderId', schema: z.object({ orderId: z.string(), pence: z.int() }) })
const ReceiptSent = defineEvent({ type: 'shop.receipt.sent.v1', key: 'orderId', schema: z.object({ orderId: z.string() }) })
const mailing = defineHandler({ name: 'mailing', on: [OrderPaid], startAt: 'beginning', onReplay: 'reuse',
  handle: async (event, { effect, transaction }) => {
    await effect('mail', async () => ({ sent: true }))
    await transaction(async (tx) => { tx.publish(ReceiptSent({ orderId: event.data.orderId })) })
  } })
const receipts = defineProjection({ name: 'receipts', on: [ReceiptSent], primaryKey: 'orderId', columns: { orderId: 'text' }, evolve: () => ({}) })
export const app = createFactline({ name: 'replay-shop', codeVersion: '1.0.0', database: process.env.REPLAY_TEST_URL, consumers: [mailing, receipts], handleSignals: false })
`;
const reason = '"the provider lost mails on Monday"';

let project: Project;
let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase({ migrated: true });
  process.env['REPLAY_TEST_URL'] = database.url;
  project = createProject('replay-shop');
  project.write('factline.config.ts', shop);
  const { app, OrderPaid } = await import(path.join(project.directory, 'factline.config.ts'));
  await app.publish(Array.from({ length: 30 }, (_, n) => OrderPaid({ orderId: `A${n % 10}`, pence: n })));
  while ((await app.catchUp({ within: '20s' })).remaining > 0);
  await app.stop();
});
afterAll(async () => {
  project.remove();
  await database.drop();
});

const run = (words: string, environment: Record<string, string> = {}): Promise<Ran> =>
  runWords(words, { directory: project.directory, environment });

/** The first look of `replay watch`, which goes on until the replay ends. */
const lookAt = async (id: number): Promise<unknown> => {
  const looking = new AbortController();
  const watched = await runWords(`replay watch ${id} --json`, {
    directory: project.directory,
    environment: {},
    signal: looking.signal,
    onLine: () => looking.abort(),
  });
  return JSON.parse(watched.out);
};

const json = async (words: string): Promise<Record<string, never>> =>
  JSON.parse((await run(`${words} --json`)).out);

describe('factline replay', () => {
  it('goes from a plan to an approval by somebody else, and everything is on record', async () => {
    const planned = await run(
      `replay plan mailing --to head --where pence>=10 --effects reuse --reason ${reason} --by ada`,
    );
    expect(planned).toMatchObject({ code: 0, err: '' });
    expect(planned.out).toContain('next  factline replay estimate 1');

    const estimated = await run('replay estimate 1 --by ada');
    expect(estimated).toMatchObject({ code: 0, err: '' });
    for (const text of [
      '20 of 10 keys',
      'mail: 20 recorded results are reused; 0 events have none',
      'shop.receipt.sent.v1: none (it would be about 20',
      '20 tried: 20 no-op',
      'next  factline replay request 1',
    ])
      expect(estimated.out).toContain(text);
    for (const line of estimated.out.split('\n')) expect(line.length, line).toBeLessThanOrEqual(100);

    expect((await run('replay request 1 --by ada')).out).toContain('Approvals: 0 of 1');
    const early = (await run('replay run 1 --by ada')).err.replace(/\s+/g, ' ');
    expect(early).toContain('is pending approval: run is not possible now');
    expect(early).toContain('Possible now: plan --revise, estimate, approve, reject, abort');
    const { frozen } = (await json('replay show 1')) as unknown as { frozen: { digest: string } };
    const asked = await run('replay approve 1 --by bob');
    expect(asked.code).toBe(2);
    expect(asked.err.replace(/\s+/g, ' ')).toContain(
      'approve that mailing handles 20 events again, effects: reuse',
    );
    expect(asked.err).toContain(frozen.digest.slice(0, 12));
    const digest = `--digest ${frozen.digest.slice(0, 12)}`;
    expect(await lookAt(1)).toMatchObject({
      state: 'pending_approval',
      waitingFor: { step: 'approval', approvals: { required: 1, given: [] }, notBy: ['ada'], expired: false },
      next: `factline replay approve 1 ${digest}`,
    });
    const short = await run(`replay approve 1 --digest ${frozen.digest.slice(0, 7)} --by bob`);
    expect([short.code, short.err.replace(/\s+/g, ' ')]).toEqual([
      2,
      expect.stringContaining('at least 8 characters of it'),
    ]);
    const own = await run(`replay approve 1 ${digest}`, { FACTLINE_ACTOR: 'Ada' });
    expect(own).toMatchObject({ code: 1, err: expect.stringContaining('Ada planned it') });
    expect((await run(`replay approve 1 ${digest} --by bob`)).out).toContain('Approvals: 1 of 1');

    expect((await run('replay list')).out).toMatch(/1 +Replay of mailing +mailing +approved +20/);
    expect((await run('replay pause 1 --by bob')).err).toContain('is approved: pause is not possible now');
    await run('replay run 1 --by ada');
    expect(await lookAt(1)).toMatchObject({ state: 'canary', waitingFor: null, unworked: true, next: null });
    expect((await run('replay abort 1 --by bob')).err).toContain('--reason');
    expect((await run('replay abort 1 --by bob --reason "the provider found them"')).out).toContain(
      'aborted',
    );
    expect((await run('replay list')).out).toBe('No replay.');
    const report = await run('replay report 1');
    for (const text of ['On record', 'replay.approve DENIED', 'the provider found them'])
      expect(report.out).toContain(text);
    const audit = await run('audit list --target "replay 1" --denied --json');
    expect(JSON.parse(audit.out)).toMatchObject({
      rows: [{ actor: 'Ada', act: 'replay.approve', account: expect.stringContaining('@') }],
      next: null,
    });
    expect(await run('audit verify')).toMatchObject({
      code: 0,
      out: expect.stringContaining('each chained to the one before'),
    });
  });

  it.each([
    [`mailing --reason ${reason}`, 'has no end'],
    [`mailing --to head --reason short`, 'text of 15 to'],
    [
      `mailing --to head --effects execute --effects-max 5 --rollback none --reason ${reason}`,
      "onReplay: 'execute'",
    ],
    [`mailing --to head --effects execute --effects-max 5 --reason ${reason}`, 'it is missing'],
    [`mailing --to 99999 --reason ${reason}`, 'where the log ends'],
    [`mailing --to head --where pence --reason ${reason}`, 'pence>=1000'],
    [`mailing --to head --where sender=1 --reason ${reason}`, 'does not declare the field'],
    [`mailing --to head --rate fast --reason ${reason}`, 'a number'],
    [`mailing --to head --canary 10,5 --reason ${reason}`, 'growing numbers'],
    [`nobody --to head --reason ${reason}`, 'known are'],
    ['--manifest gone.json', 'a file with JSON'],
    ['', 'needs CONSUMER'],
  ])('plan %s ends with 2 and says what to do', async (words, text) => {
    const ran = await run(`replay plan ${words}`);
    expect([ran.code, ran.out]).toEqual([2, '']);
    expect(ran.err.replace(/\s+/g, ' ')).toContain(text);
  });

  it('takes a manifest, and another revision of it', async () => {
    project.write(
      'replay.json',
      JSON.stringify({
        title: 'From a file',
        reason: 'it was reviewed in a pull request',
        consumer: 'mailing',
        selection: { source: 'log', to: 5 },
      }),
    );
    const first = await json('replay plan --manifest replay.json');
    expect(first).toMatchObject({
      revision: 1,
      state: 'draft',
      manifest: { title: 'From a file', canary: [1, 10, 100] },
    });
    await run(`replay estimate ${first['id']} --no-sample`);
    expect(await json(`replay plan --manifest replay.json --revise ${first['id']}`)).toMatchObject({
      revision: 2,
      state: 'draft',
      frozen: null,
    });
    expect((await run('replay show 999')).err).toContain('no replay 999');
    expect((await run('replay show x')).err).toContain('a number from `replay list`');
  });

  it('rebuilds need nobody else; they are frozen as a whole', async () => {
    const { id } = await json(`replay plan receipts --to head --reason ${reason}`);
    expect((await run(`replay estimate ${id}`)).out).toContain('none: a rebuild is compared');
    expect((await run(`replay request ${id}`)).out).toContain('approved');
  });
});

describe('a replay in the shadow', () => {
  it('is planned, needs nobody else, is run by the command with the code at hand, and says what differs', async () => {
    const plan = `replay plan mailing --to head --shadow --rate 1000 --reason ${reason} --by ada --json`;
    const { id } = JSON.parse((await run(plan)).out) as { id: number };
    await run(`replay estimate ${id} --no-sample --by ada`);
    expect((await run(`replay request ${id} --by ada`)).out).toContain('Approvals: 0 of 0');
    const ran = await run(`replay run ${id} --by ada`);
    expect(ran).toMatchObject({ code: 0, out: expect.stringContaining('done') });
    const report = await run(`replay report ${id}`);
    expect(report.out).toContain('30 of 30 came to what is recorded, 0 to something else');
  }, 60_000);
});

describe('factline backfill', () => {
  it('shows what a file comes to, and enters exactly what was shown', async () => {
    const line = (orderId: string): string =>
      JSON.stringify({
        type: 'shop.order.paid.v1',
        data: { orderId, pence: 1 },
        time: '2019-01-31T09:00:00Z',
      });
    project.write('past.jsonl', `${line('P1')}\n${line('P2')}\n`);
    const shown = await run('backfill past.jsonl');
    for (const text of [
      '2 past facts, nothing was written',
      'mailing skips them',
      'at most 200/s',
      'facts stay in the log',
    ])
      expect(shown.out).toContain(text);
    const { digest } = (await json('backfill past.jsonl')) as unknown as { digest: string };
    expect(shown.out).toContain(`--digest ${digest.slice(0, 12)}`);
    for (const [words, said] of [
      ['backfill past.jsonl --digest 0123456789 --reason x', 'the digest of this file'],
      [`backfill past.jsonl --digest ${digest.slice(0, 12)}`, '--reason'],
      ['backfill missing.jsonl', 'a file that is there'],
    ] as const)
      expect((await run(words)).err, words).toContain(said);
    const entered = await run(
      `backfill past.jsonl --digest ${digest.slice(0, 12)} --reason history --by ada`,
    );
    expect(entered).toMatchObject({ code: 0, out: '✓ 2 facts are in the log' });
    expect((await run('backfill past.jsonl')).err).toContain('are in the log since');
    const { rows } = (await json('audit list')) as { rows?: { act: string; details: object }[] };
    expect(rows?.find(({ act }) => act === 'log.backfill')?.details).toMatchObject({
      lines: 2,
      name: 'past.jsonl',
    });
    expect((await run('events tail -n 1 --json')).out).toContain('2019-01-31T09:00:00');
  }, 60_000);
});

describe('roles', () => {
  it('bind every command on the database once the app has declared them', async () => {
    const declared = shop.replace(
      'handleSignals',
      "roles: { ada: ['responder'], bob: ['approver'], eve: ['auditor'] }, handleSignals",
    );
    project.write('factline.config.ts', declared);
    project.write('roles.ts', declared);
    expect(await run('migrate --app roles.ts')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/roles stored: whoever is not among .* may only look/) as string,
    });
    const url = `--database ${database.url}`;
    expect((await run(`audit list ${url}`, { FACTLINE_ACTOR: 'mallory' })).err).toContain(
      'it takes the role auditor or admin',
    );
    expect((await run(`replay approve 1 --digest 12345678 ${url}`, { FACTLINE_ACTOR: 'ada' })).err).toContain(
      '✗',
    );
    expect(
      (await run(`consumers pause mailing --reason tea --no-wait ${url}`, { FACTLINE_ACTOR: 'bob' })).err,
    ).toContain('bob may not do consumer.pause');
    expect(
      (await run(`consumers pause mailing --reason tea --no-wait ${url}`, { FACTLINE_ACTOR: 'ada' })).code,
    ).toBe(0);
    const denied = await run(`audit list --denied --json ${url}`, { FACTLINE_ACTOR: 'eve' });
    expect(
      JSON.parse(denied.out).rows.map(({ actor, act }: { actor: string; act: string }) => `${actor} ${act}`),
    ).toEqual(expect.arrayContaining(['mallory audit.read', 'bob consumer.pause']));
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    const { rows } = await client.query(
      "select count(*)::int as requests from factline.requests where verb = 'pause'",
    );
    await client.query('alter table factline.audit disable trigger all');
    await client.query("update factline.audit set reason = 'forged' where number = 2");
    await client.end();
    expect(rows).toEqual([{ requests: 1 }]);
    expect(await run(`audit verify ${url}`, { FACTLINE_ACTOR: 'eve' })).toMatchObject({
      code: 1,
      out: '✗ row 2 was changed: its hash does not fit what it says',
    });
  });
});
