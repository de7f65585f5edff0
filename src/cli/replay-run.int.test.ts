import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createProject, type Project, type Ran, runWords } from '../../test/command-line.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import type { Factline } from '../app/index.ts';

const shop = `
import { createFactline, defineEvent, defineHandler } from 'factline'
import { z } from 'zod'
export const OrderPaid = defineEvent({ type: 'shop.order.paid.v1', key: 'orderId', schema: z.object({ orderId: z.string(), pence: z.int() }) })
const ReceiptSent = defineEvent({ type: 'shop.receipt.sent.v1', key: 'orderId', schema: z.object({ orderId: z.string() }) })
const mailing = defineHandler({ name: 'mailing', on: [OrderPaid], startAt: 'beginning', onReplay: 'reuse',
  handle: async (event, { effect, transaction, replay }) => {
    await effect('mail', async () => ({ sent: true }))
    if (replay !== null && event.data.pence === 7) throw new TypeError('only in the replay')
    await transaction(async (tx) => { tx.publish(ReceiptSent({ orderId: event.data.orderId })) })
  }, retry: { unclassified: { attempts: 1 } } })
export const app = createFactline({ name: 'replay-run-shop', codeVersion: '1.0.0', database: process.env.REPLAY_RUN_URL, consumers: [mailing], handleSignals: false })
`;

let project: Project;
let database: TestDatabase;
let app: Factline;

beforeAll(async () => {
  database = await createTestDatabase({ migrated: true });
  process.env['REPLAY_RUN_URL'] = database.url;
  project = createProject('replay-run-shop');
  project.write('factline.config.ts', shop);
  const configuration = await import(path.join(project.directory, 'factline.config.ts'));
  app = configuration.app;
  await app.publish(
    Array.from({ length: 20 }, (_, n) => configuration.OrderPaid({ orderId: `A${n}`, pence: n })),
  );
  await app.start();
  while ((await app.catchUp({ within: '20s' })).remaining > 0);
});
afterAll(async () => {
  await app.stop();
  project.remove();
  await database.drop();
});

const run = (words: string): Promise<Ran> =>
  runWords(words, { directory: project.directory, environment: {} });

it('a running app carries a replay out that was begun on the command line, and what it came to is reported', async () => {
  const plan = 'replay plan mailing --to head --effects reuse --rate 200 --canary 2 --failure-rate 1';
  await run(`${plan} --reason "the provider lost mails on Monday" --by ada`);
  const estimated = await run('replay estimate 1 --by ada');
  expect(estimated.out).toContain('1 of 20 sampled events failed');
  await run('replay request 1 --by ada');
  const { frozen } = JSON.parse((await run('replay show 1 --json')).out);
  const approved = await run(`replay approve 1 --digest ${frozen.digest.slice(0, 12)} --by bob`);
  expect(approved.out).toContain('next  factline replay run 1');
  const begun = await run('replay run 1 --by ada --reason "the fix is out"');
  expect(begun).toMatchObject({ code: 0, err: '' });
  expect(begun.out).toContain('next  factline replay watch 1');
  const watched = await run('replay watch 1 --every 200ms --json');
  expect(watched.code).toBe(1);
  const moments = watched.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(moments.at(-1)).toMatchObject({
    state: 'done_with_failures',
    selected: 20,
    handled: 19,
    failed: 1,
    ceiling: 200,
  });
  const plain = await run('replay watch 1');
  expect(plain.out).toContain('19 of 20, 1 failed, 0 under way');
  const report = await run('replay report 1');
  for (const text of [
    '19 of 20',
    '1 in quarantine',
    'mail: 20 reused',
    'nothing; 19 dropped',
    'the fix is out',
    'new failure',
  ])
    expect(report.out).toContain(text);
  const { replay, comparison, runSeconds, estimatedSeconds } = JSON.parse(
    (await run('replay report 1 --json')).out,
  );
  expect([runSeconds, estimatedSeconds]).toEqual([expect.any(Number), 1]);
  const within = true;
  expect(comparison).toEqual([
    expect.objectContaining({
      what: 'handled',
      estimated: { likely: 19, low: 19, high: 19 },
      actual: 19,
      within,
    }),
    expect.objectContaining({ what: 'failed', actual: 1, within }),
    expect.objectContaining({
      what: 'effect mail',
      estimated: { likely: 0, low: 0, high: 0 },
      actual: 0,
      within,
    }),
    expect.objectContaining({ what: 'published', actual: 0, within }),
  ]);
  expect(replay.outcome).toMatchObject({
    selected: 20,
    handled: 19,
    failed: 1,
    suppressed: 19,
    published: 0,
  });
  const parked = await run('quarantine list');
  expect(parked.out).not.toContain('mailing');
  expect(await run('replay run 1 --by ada')).toMatchObject({ code: 1 });

  // What is published is compared as well, and one less than was estimated is said so.
  await run(`${plan} --publish --reason "receipts were lost on Monday" --by ada`);
  await run('replay estimate 2 --no-sample --by ada');
  await run('replay request 2 --by ada');
  const second = JSON.parse((await run('replay show 2 --json')).out);
  await run(`replay approve 2 --digest ${second.frozen.digest.slice(0, 12)} --by bob`);
  await run('replay run 2 --by ada');
  await run('replay watch 2 --every 200ms');
  const { out } = await run('replay report 2');
  expect(out).toContain('published: 20, actual 19 – outside of the estimate');
}, 60_000);
