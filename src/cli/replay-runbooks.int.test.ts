import { readFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProject, type Project, type Ran, runWords } from '../../test/command-line.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import type { Factline } from '../app/index.ts';

/* "When something is wrong" of docs/replay.md is walked through: a replay gets into the state, and the commands that stand there are run. */

const shop = `
import { createFactline, defineEvent, defineHandler, defineProjection } from 'factline'
import { z } from 'zod'
export const OrderPaid = defineEvent({ type: 'shop.order.paid.v1', key: 'orderId', schema: z.object({ orderId: z.string(), mode: z.string() }) })
globalThis.replayShop ??= { gate: Promise.resolve(), fails: true, codeVersion: '1.0.0' }
const orders = defineProjection({
  name: 'orders', on: [OrderPaid], primaryKey: 'orderId', columns: { orderId: 'text', mode: 'text' },
  evolve: (row, { data }) => ({ mode: data.mode }),
})
const mailing = defineHandler({
  name: 'mailing', on: [OrderPaid], startAt: 'beginning', onReplay: 'execute', slo: { handledWithin: '1s' },
  retry: { unclassified: { attempts: 1 } },
  handle: async ({ data }, { replay, effect }) => {
    if (replay === null && data.mode === 'slow') await globalThis.replayShop.gate
    if (replay !== null && data.mode === 'refund' && globalThis.replayShop.fails) throw new TypeError('only in the replay')
    await effect('mail', async ({ idempotencyKey }) => idempotencyKey)
  },
})
export const app = createFactline({ name: 'replay-runbooks', codeVersion: globalThis.replayShop.codeVersion, database: process.env.REPLAY_RUNBOOKS_URL, consumers: [mailing, orders], handleSignals: false })
`;

let project: Project;
let database: TestDatabase;
let configuration: Configuration;

interface Configuration {
  readonly app: Factline;
  readonly OrderPaid: (data: object) => never;
}
/** What the handlers look at; both copies of the app, the command line's and the running one's. */
interface Controls {
  gate: Promise<void>;
  fails: boolean;
  codeVersion: string;
}
const controls = (): Controls => (globalThis as unknown as { replayShop: Controls }).replayShop;
const load = (copy: string): Promise<Configuration> =>
  import(`${path.join(project.directory, 'factline.config.ts')}?${copy}`);

beforeAll(async () => {
  database = await createTestDatabase({ migrated: true });
  process.env['REPLAY_RUNBOOKS_URL'] = database.url;
  project = createProject('replay-runbooks');
  project.write('factline.config.ts', shop);
  configuration = await load('running');
  const { app } = configuration;
  await app.publish(Array.from({ length: 20 }, (_, n) => paid(`A${n}`, n % 4 === 0 ? 'refund' : 'fine')));
  await app.start();
  while ((await app.catchUp({ within: '20s' })).remaining > 0);
}, 60_000);
afterAll(async () => {
  await configuration.app.stop();
  project.remove();
  await database.drop();
});

const paid = (orderId: string, mode: string): never => configuration.OrderPaid({ orderId, mode });
const run = (words: string): Promise<Ran> =>
  runWords(words, { directory: project.directory, environment: { FACTLINE_ACTOR: 'ada' } });
const state = async (id: number): Promise<string> =>
  JSON.parse((await run(`replay show ${id} --json`)).out).state;

/** A replay of the twenty orders that has begun. */
const begun = async (
  options = '',
  plan = 'replay plan mailing --to 20 --rate 50 --canary 2',
): Promise<number> => {
  const planned = await run(`${plan} ${options} --reason "the provider lost mails on Monday" --json`);
  expect(planned).toMatchObject({ code: 0 });
  const { id } = JSON.parse(planned.out);
  await run(`replay estimate ${id} --no-sample`);
  await run(`replay request ${id}`);
  const { frozen } = JSON.parse((await run(`replay show ${id} --json`)).out);
  // A read model needs nobody else, executed effects need two.
  for (const approver of ['bob', 'carol'])
    await run(`replay approve ${id} --digest ${frozen.digest.slice(0, 12)} --by ${approver}`);
  expect(await run(`replay run ${id} --reason "the fix is out"`)).toMatchObject({ code: 0 });
  return id;
};

const page = readFileSync(new URL('../../docs/replay.md', import.meta.url), 'utf8');
/** The commands below a paragraph of the section. */
const commandsOf = (beginning: string): readonly string[] => {
  const section = page.split('## When something is wrong')[1]?.split(/^## /m)[0] ?? '';
  const paragraph = section.split(/^(?=\*\*)/m).find((each) => each.startsWith(`**${beginning}**`)) ?? '';
  return [...paragraph.matchAll(/^```sh\n([\s\S]*?)^```/gm)]
    .flatMap(([, text = '']) => text.trim().split('\n'))
    .map((line) => line.replace(/^factline /, ''));
};
const query = async (text: string, values: readonly unknown[] = []): Promise<Record<string, unknown>[]> => {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  return client
    .query(text, [...values])
    .then(({ rows }) => rows)
    .finally(() => client.end());
};
/** Runs one of them, for this replay instead of the page's number 7. */
const follow = async (command: string, id: number): Promise<string> => {
  const ran = await run(command.replace(/ 7\b/, ` ${id}`));
  expect({ command, ...ran }).toMatchObject({ code: 0 });
  return ran.out;
};

describe('when something is wrong with a replay', () => {
  it('a guard paused it: report says what failed, then abort ends it, or resume accepts the failures', async () => {
    const [report = '', abort = '', resume = '', ...others] = commandsOf('A guard paused it');
    expect(others).toEqual([]);
    const first = await begun('--same-failure 1');
    await expect.poll(() => state(first), { timeout: 20_000 }).toBe('paused');
    const said = await follow(report, first);
    expect(said).toContain('new failure');
    // It has not ended: its estimate is neither right nor wrong yet.
    expect(said).not.toContain('estimated');
    await follow(abort, first);
    expect(await state(first)).toBe('aborted');

    const second = await begun('--failure-rate 1 --same-failure 4');
    await expect.poll(() => state(second), { timeout: 20_000 }).toBe('paused');
    await follow(resume, second);
    await expect.poll(() => state(second), { timeout: 20_000 }).toBe('done_with_failures');
  }, 90_000);

  it('it stands still: the live consumer is what is looked at, and the replay can be paused meanwhile', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    controls().gate = promise;
    controls().fails = false;
    try {
      const id = await begun('--failure-rate 1');
      await configuration.app.publish([paid('slow', 'slow')]);
      const [status = '', pause = '', ...others] = commandsOf('It stands still');
      expect(others).toEqual([]);
      await expect.poll(() => follow(status, id), { timeout: 20_000 }).toContain('LATE');
      if (['canary', 'running'].includes(await state(id))) {
        await follow(pause, id);
        expect(await state(id)).toBe('paused');
        resolve();
        expect(await run(`replay resume ${id} --reason "the burst is over"`)).toMatchObject({ code: 0 });
      }
      resolve();
      await expect.poll(() => state(id), { timeout: 20_000 }).toBe('done');
    } finally {
      resolve();
    }
  }, 90_000);

  it('other code runs: it is paused, goes on after the roll-back, or is planned again', async () => {
    const [show = '', resume = '', abort = '', ...others] = commandsOf('Other code runs');
    expect(others).toEqual([]);
    controls().fails = false;
    const id = await begun('--rate 2');
    controls().codeVersion = '2.0.0';
    const { app: deployed } = await load('deployed');
    await deployed.start();
    try {
      await expect.poll(() => state(id), { timeout: 20_000 }).toBe('paused');
      expect(await follow(show, id)).toContain('it was approved for the code 1.0.0, and 2.0.0 is running');
      await follow(resume, id);
      await expect.poll(() => state(id), { timeout: 20_000 }).toBe('paused');
    } finally {
      controls().codeVersion = '1.0.0';
      await deployed.stop();
    }
    await follow(resume, id);
    expect(['canary', 'running']).toContain(await state(id));
    await follow(abort, id);
    expect(await state(id)).toBe('aborted');
  }, 90_000);

  it('rows differ: they are compared, and accepted, or the build is dropped', async () => {
    const [compare = '', accept = '', abort = '', ...others] = commandsOf('Rows differ');
    expect(others).toEqual([]);
    const differing = async (): Promise<number> => {
      await query(`update orders set mode = 'by hand' where "orderId" = 'A1'`);
      const id = await begun('', 'replay plan orders --to head');
      await expect.poll(() => state(id), { timeout: 30_000 }).toBe('paused');
      return id;
    };
    const dropped = await differing();
    const compared = await run(compare);
    expect(compared.code).toBe(1);
    expect(compared.out).toContain('A1');
    await follow(abort, dropped);
    expect(await state(dropped)).toBe('aborted');
    const building = `select from factline.consumers where name = 'orders' and state = 'building'`;
    await expect.poll(async () => (await query(building)).length, { timeout: 30_000 }).toBe(0);
    const accepted = await differing();
    await follow(accept, accepted);
    await expect.poll(() => state(accepted), { timeout: 30_000 }).toBe('done');
    expect((await query(`select mode from orders where "orderId" = 'A1'`))[0]).toEqual({ mode: 'fine' });
  }, 120_000);

  it('it failed: report counts what is missing, and another replay begins where it says', async () => {
    const [report = '', plan = '', ...others] = commandsOf('It failed');
    expect(others).toEqual([]);
    const id = await begun('--canary 5 --rate 4');
    await expect.poll(() => state(id), { timeout: 20_000 }).toBe('running');
    await query('delete from factline.inbox where replay_id = $1 and position = 3', [id]);
    await expect.poll(() => state(id), { timeout: 30_000 }).toBe('failed');
    expect(await follow(report, id)).toContain(
      '1 events are neither handled nor failed; the first is at position 3',
    );
    expect(await follow(plan, id)).toMatch(/draft/);
  }, 90_000);

  it('harm was done: abort ends it, and what happened can be found', async () => {
    const commands = commandsOf('Harm was done');
    expect(commands).toHaveLength(3);
    const id = await begun('--effects execute --effects-max 20 --rate 2 --rollback "write to the customers"');
    const executed = async (): Promise<number> =>
      (await query(`select from factline.effects where replay_id = $1 and disposition = 'executed'`, [id]))
        .length;
    await expect.poll(executed, { timeout: 20_000 }).toBeGreaterThan(0);
    let said = '';
    for (const command of commands) said += await follow(command, id);
    expect(await state(id)).toBe('aborted');
    expect(said).toMatch(/mail: \d+ executed/);
    expect(said).toContain('write to the customers');
  }, 90_000);
});
