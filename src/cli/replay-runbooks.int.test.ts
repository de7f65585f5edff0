import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProject, type Project, type Ran, runWords } from '../../test/command-line.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import type { Factline } from '../app/index.ts';

/* "When something is wrong" of docs/replay.md is walked through: a replay gets into the state, and the commands that stand there are run. */

const shop = `
import { createFactline, defineEvent, defineHandler } from 'factline'
import { z } from 'zod'
export const OrderPaid = defineEvent({ type: 'shop.order.paid.v1', key: 'orderId', schema: z.object({ orderId: z.string(), mode: z.string() }) })
globalThis.replayShop = { gate: Promise.resolve(), fails: true }
const mailing = defineHandler({
  name: 'mailing', on: [OrderPaid], startAt: 'beginning', onReplay: 'reuse', slo: { handledWithin: '1s' },
  retry: { unclassified: { attempts: 1 } },
  handle: async ({ data }, { replay }) => {
    if (replay === null) { if (data.mode === 'slow') await globalThis.replayShop.gate; return }
    if (data.mode === 'refund' && globalThis.replayShop.fails) throw new TypeError('only in the replay')
  },
})
export const app = createFactline({ name: 'replay-runbooks', codeVersion: '1.0.0', database: process.env.REPLAY_RUNBOOKS_URL, consumers: [mailing], handleSignals: false })
`;

let project: Project;
let database: TestDatabase;
let configuration: { app: Factline; OrderPaid: (data: object) => never };

beforeAll(async () => {
  database = await createTestDatabase({ migrated: true });
  process.env['REPLAY_RUNBOOKS_URL'] = database.url;
  project = createProject('replay-runbooks');
  project.write('factline.config.ts', shop);
  configuration = await import(path.join(project.directory, 'factline.config.ts'));
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
const begun = async (options = ''): Promise<number> => {
  const plan = 'replay plan mailing --to 20 --effects reuse --rate 50 --canary 2';
  const { id } = JSON.parse(
    (await run(`${plan} ${options} --reason "the provider lost mails on Monday" --json`)).out,
  );
  await run(`replay estimate ${id} --no-sample`);
  await run(`replay request ${id}`);
  const { frozen } = JSON.parse((await run(`replay show ${id} --json`)).out);
  await run(`replay approve ${id} --digest ${frozen.digest.slice(0, 12)} --by bob`);
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
    await follow(abort, first);
    expect(await state(first)).toBe('aborted');

    const second = await begun('--failure-rate 1 --same-failure 4');
    await expect.poll(() => state(second), { timeout: 20_000 }).toBe('paused');
    await follow(resume, second);
    await expect.poll(() => state(second), { timeout: 20_000 }).toBe('done_with_failures');
  }, 90_000);

  it('it stands still: the live consumer is what is looked at, and the replay can be paused meanwhile', async () => {
    const shared = (globalThis as unknown as { replayShop: { gate: Promise<void>; fails: boolean } })
      .replayShop;
    const { promise, resolve } = Promise.withResolvers<void>();
    shared.gate = promise;
    shared.fails = false;
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
});
