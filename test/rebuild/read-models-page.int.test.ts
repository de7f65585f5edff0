import os from 'node:os';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { defineProjection } from '../../src/consumers/index.ts';
import { defineEvent } from '../../src/contracts/index.ts';
import { listBuilds } from '../../src/replay/index.ts';
import { runWords } from '../command-line.ts';
import { createTestDatabase, type TestDatabase } from '../database.ts';
import { readDocuments } from '../documents.ts';
import { createProjectionProcess, type ProjectionProcess } from '../projection/projection-process.ts';

/* The commands of docs/read-models.md, one after the other on a running app: what stands below each is what it prints. */

const OrderPlaced = defineEvent({
  type: 'shop.order.placed.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), pence: z.int() }),
});
const orders = defineProjection({
  name: 'orders',
  on: OrderPlaced,
  primaryKey: 'orderId',
  columns: { orderId: 'text', pence: 'int8' },
  evolve: (row, event) => ({ pence: (row?.pence ?? 0) + event.data.pence }),
});

let database: TestDatabase;
let app: ProjectionProcess;

beforeAll(async () => {
  database = await createTestDatabase({ migrated: true });
  app = createProjectionProcess({ url: database.url, definitions: [orders] });
  await app.start();
  await app.publish(
    ...Array.from({ length: 240 }, (_, n) =>
      OrderPlaced({ orderId: `A${n % 60}`, pence: n % 60 === 7 ? 127 : n }),
    ),
  );
  await app.engine.idle();
  await app.rows(`update factline.orders__b1 set pence = -1 where "orderId" = 'A7'`);
});

afterAll(async () => {
  await app.stop();
  await database.drop();
});

interface Shown {
  readonly words: string;
  readonly output: string;
}

const commandsOf = (page: string): Shown[] => {
  const document = readDocuments().find(({ file }) => file === page);
  const sessions = document?.blocks.filter(({ language }) => language === 'console') ?? [];
  return sessions.flatMap(({ text }) =>
    text
      .split(/^\$ npx factline /m)
      .slice(1)
      .map((part) => {
        const [words = '', ...lines] = part.trimEnd().split('\n');
        return { words, output: lines.join('\n') };
      }),
  );
};

/** Times are others each time. */
const comparable = (text: string): string =>
  text
    .trim()
    .replaceAll(/\d+(\.\d+)? m?s\b/g, 'TIME')
    .replaceAll(/\s+/g, ' ');

const run = async (words: string): Promise<string> => {
  const environment = { DATABASE_URL: database.url, FACTLINE_ACTOR: 'ada' };
  const ran = await runWords(words, { environment, directory: os.tmpdir(), width: 80 });
  return ran.out === '' ? ran.err : ran.out;
};

test('every command prints what stands below it', { timeout: 90_000 }, async () => {
  const shown = commandsOf('docs/read-models.md');
  expect(shown.length).toBeGreaterThan(8);
  for (const { words, output } of shown) {
    const isCancel = words.includes('--cancel');
    // A measured verdict counts the moment between: the builds are left to come to the log's end.
    if (!isCancel) await app.engine.idle();
    expect({ words, output: comparable(await run(words)) }).toEqual({ words, output: comparable(output) });
  }
  expect((await listBuilds(app.database.operations)).map(({ build, stage }) => [build, stage])).toEqual([
    [2, 'live'],
  ]);
  expect(await app.rows('select act, actor, reason from factline.audit order by number')).toEqual([
    { act: 'projection.rebuild', actor: 'ada', reason: 'totals of A7 look wrong' },
    { act: 'projection.switch', actor: 'ada', reason: 'A7 was changed by hand' },
    { act: 'projection.retire', actor: 'ada', reason: null },
    { act: 'projection.rebuild', actor: 'ada', reason: null },
    { act: 'projection.cancel', actor: 'ada', reason: null },
  ]);
});

test.each([
  ['projection switch', 'needs NAME'],
  ['projection switch ordres', 'has no build on its way; there are: none'],
  ['projection switch orders', 'has no build on its way; there are: 2 (live)'],
  ['projection switch orders --build 2', 'readers see it already'],
  ['projection switch orders --build x', 'a whole number from 1'],
  ['projection rollback orders', 'has no build to go back to'],
  ['projection retire orders --build 2', 'cannot be retired: readers see it'],
  ['projection retire orders --build 9', 'has no build 9; there are: 2 (live)'],
  ['projection compare orders', 'has no build to compare with'],
  ['projection compare orders --range 0', 'a whole number from 2'],
  ['projection rebuild orders --cancel', 'has no build on its way'],
  ['projection rebuild orders --shards 65', 'a whole number from 1 to 64'],
  ['projection rebuild orders --ceiling 0', 'a whole number from 1'],
  ['projection rebuild nothing', 'No consumer is called nothing'],
])('typed wrong: %s', async (words, reason) => {
  const ran = await runWords(words, { environment: { DATABASE_URL: database.url }, directory: os.tmpdir() });
  expect({ code: ran.code === 0 ? 0 : 'not 0', out: ran.out }).toEqual({ code: 'not 0', out: '' });
  expect(ran.err.replaceAll(/\s+/g, ' ')).toContain(reason);
});

test('once roles are declared, only who may moves a view, and a denial is on record', async () => {
  await app.rows(
    `insert into factline.roles (app, name, roles) values ('test', 'ada', '{operator}'), ('test', 'eve', '{viewer}')`,
  );
  const as = (name: string) => ({
    environment: { DATABASE_URL: database.url, FACTLINE_ACTOR: name },
    directory: os.tmpdir(),
  });
  for (const words of [
    'projection switch orders --build 2',
    'projection retire orders --build 2',
    'projection rebuild orders',
  ])
    expect((await runWords(words, as('eve'))).err).toMatch(/may not|FORBIDDEN/);
  expect((await runWords('projection list --json', as('eve'))).code).toBe(0);
  expect(
    await app.rows(
      `select distinct act from factline.audit where decision = 'denied' and actor = 'eve' order by 1`,
    ),
  ).toEqual([{ act: 'projection.rebuild' }, { act: 'projection.retire' }, { act: 'projection.switch' }]);
  expect((await listBuilds(app.database.operations)).length).toBe(1);
});
