import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createProject, type Project, type Ran, runWords } from '../../test/command-line.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { commandName } from './command.ts';
import { commands } from './commands/index.ts';

/* Every command that changes something is given by somebody who may only look. */

const shop = `
import { createFactline, defineEvent, defineHandler, defineProjection, PermanentError } from 'factline'
import { z } from 'zod'
export const OrderPaid = defineEvent({ type: 'shop.order.paid.v1', key: 'orderId', schema: z.object({ orderId: z.string(), note: z.string() }), editable: ['note'] })
const mailing = defineHandler({ name: 'mailing', on: [OrderPaid], startAt: 'beginning', onReplay: 'reuse', repairs: { other: async () => {} },
  handle: async ({ data }) => { if (data.note === 'bad') throw new PermanentError('bad') } })
const orders = defineProjection({ name: 'orders', on: [OrderPaid], primaryKey: 'orderId', columns: { orderId: 'text' }, evolve: () => ({}) })
const copies = defineProjection({ name: 'copies', on: [OrderPaid], primaryKey: 'orderId', columns: { orderId: 'text' }, evolve: () => ({}) })
export const app = createFactline({ name: 'authority', codeVersion: '1', database: process.env.AUTHORITY_TEST_URL, consumers: [mailing, orders, copies],
  roles: { ada: ['operator', 'steward', 'admin'], bob: ['approver'] }, handleSignals: false })
`;

let project: Project;
let database: TestDatabase;
let client: pg.Client;
const run = (words: string, actor: string): Promise<Ran> =>
  runWords(words, { directory: project.directory, environment: { FACTLINE_ACTOR: actor } });

const digestOf = async (id: number): Promise<string> =>
  JSON.parse((await run(`replay show ${id} --json`, 'ada')).out).frozen.digest;

beforeAll(async () => {
  database = await createTestDatabase({ migrated: true });
  process.env['AUTHORITY_TEST_URL'] = database.url;
  project = createProject('authority');
  project.write('factline.config.ts', shop);
  project.write(
    'facts.jsonl',
    '{"type":"shop.order.paid.v1","data":{"orderId":"B1","note":"x"},"time":"2019-01-31T09:00:00Z"}\n',
  );
  const { app, OrderPaid } = await import(path.join(project.directory, 'factline.config.ts'));
  await app.publish(['bad', 'bad', 'fine'].map((note, n) => OrderPaid({ orderId: `A${n}`, note })));
  await app.start();
  while ((await app.catchUp({ within: '20s' })).remaining > 0);
  // A build to go back to, and one on its way.
  for (const words of [
    'quarantine discard 2 --reason "a test" --by ada',
    'projection rebuild orders --follow',
    'projection rebuild orders --no-switch',
  ])
    expect(await run(words, 'ada'), words).toMatchObject({ code: 0 });
  await app.stop();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  for (const words of [
    ...[1, 2].flatMap((id) => [
      'replay plan mailing --from 3 --to 3 --reason "only to have one here"',
      `replay estimate ${id} --no-sample`,
      `replay request ${id}`,
    ]),
    'quarantine release --group 1 --no-wait',
  ])
    expect(await run(words, 'ada'), words).toMatchObject({ code: 0 });
  expect(await run(`replay approve 2 --digest ${await digestOf(2)}`, 'bob')).toMatchObject({ code: 0 });
});
afterAll(async () => {
  await client.end();
  project.remove();
  await database.drop();
});

/** Everything in Factline's tables, but for the record and what processes write of themselves. */
const contents = async (): Promise<Record<string, string>> => {
  const { rows: tables } = await client.query(
    `select c.relname as name from pg_class c where c.relnamespace = 'factline'::regnamespace and c.relkind in ('r', 'p')
       and not c.relispartition and c.relname <> all (array['audit', 'audit_head', 'processes', 'session_locks']) order by 1`,
  );
  const found: Record<string, string> = {};
  for (const { name } of tables) {
    const { rows } = await client.query(
      `select coalesce(md5(string_agg(t::text, ',' order by t::text)), '') as digest from factline.${pg.escapeIdentifier(name)} t`,
    );
    found[name] = rows[0].digest;
  }
  return found;
};

/** With what each act is about at hand: only the right is missing. */
const changing: Readonly<Record<string, string>> = {
  'quarantine release': '--group 1',
  'quarantine stop': '1',
  'quarantine retry': '1',
  'quarantine edit': `1 --patch [{"op":"replace","path":"/note","value":"good"}] --reason x`,
  'quarantine redirect': '1 --to other --reason x',
  'quarantine discard': '1 --reason x --by vic',
  'quarantine restore': '2',
  'quarantine resolve': '1 --did-not-happen',
  'quarantine assign': '1 vic',
  'quarantine note': '1 x',
  'quarantine snooze': '1',
  'projection rebuild': 'copies',
  'projection switch': 'orders',
  'projection rollback': 'orders',
  'projection retire': 'orders',
  'consumers pause': 'mailing --reason x',
  'consumers resume': 'mailing',
  'consumers accept': 'mailing --reason x --yes',
  'replay plan': 'mailing --to head --reason "because I want to see it"',
  'replay estimate': '1',
  'replay request': '1',
  'replay approve': '1 --digest DIGEST',
  'replay reject': '1 --reason x',
  'replay run': '2',
  'replay pause': '1 --reason x',
  'replay resume': '1 --reason x',
  'replay abort': '1 --reason x',
  'audit list': '',
  'audit verify': '',
  backfill: 'facts.jsonl --digest FACTS --reason "history"',
  restored: '--yes',
};
/** Looks only; or is the app's own process, or works on files of the repository alone. Workflows: workflow.int.test.ts. */
const others =
  /^(?:alerts|contracts|workflow|events tail|projection (?:list|compare)|replay (?:list|show|report|watch))|quarantine (?:groups|list|releases)$|^(?:dev|start|migrate|status|doctor)$/;

it('is refused, and on record as denied, and nothing is changed', async () => {
  const named = commands.map(commandName).filter((name) => !others.test(name));
  // `show` with --reveal shows what is hidden.
  expect([...Object.keys(changing), 'events show', 'quarantine show'].sort()).toEqual(named.sort());
  const { digest } = JSON.parse((await run('backfill facts.jsonl --json', 'ada')).out);
  const lines = Object.entries(changing).map(([name, rest]) => `${name} ${rest}`);
  const before = await contents();
  const allowed: string[] = [];
  for (const line of [
    ...lines,
    'events show 1 --reveal',
    'quarantine show 1 --reveal',
    'projection rebuild orders --cancel',
  ]) {
    const words = line.replace('DIGEST', await digestOf(1)).replace('FACTS', digest);
    const denied = async (): Promise<number | null> =>
      (await client.query(`select from factline.audit where actor = 'vic' and decision = 'denied'`)).rowCount;
    const known = Number(await denied());
    const { code, err } = await run(words, 'vic');
    if (code !== 1 || !err.includes('vic may not do') || (await denied()) !== known + 1)
      allowed.push(`${words}: ${code} ${err}`);
  }
  expect(allowed).toEqual([]);
  expect(await contents()).toEqual(before);
}, 60_000);
