import { execFile } from 'node:child_process';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProject, type Project, type Ran, runWords } from '../../test/command-line.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { createDatabase, type Database } from '../postgres/index.ts';

// The gate with a database beside it: what is really in the log, and what consumers make of it.

let testDatabase: TestDatabase;
let empty: TestDatabase;
let database: Database;
let project: Project;

const sql = async (text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> =>
  (await database.transactions.query(text, values)).rows;

const publish = async (type: string, data: object, source = 'shop'): Promise<number> => {
  const [row] = await sql(
    `insert into factline.events (id, type, source, key, key_hash, data, meta, time)
     values (gen_random_uuid(), $1, $2, 'orderId=A1', 7, $3, '{"subject":"A1","correlationId":"c"}', now()) returning position`,
    [type, source, JSON.stringify(data)],
  );
  return Number(row?.['position']);
};

/** Version 1 of the schema is what the log was written under; the others are what a developer tries. */
const app = (placed: string, handle = 'async () => {}'): string =>
  `import { createFactline, defineEvent, defineHandler, defineUpcaster } from 'factline'
   import { z } from 'zod'
   const placed = defineEvent({ type: 'shop.order.placed.v1', key: 'orderId', owner: 'orders', schema: z.object({ orderId: z.string(), ${placed} }) })
   const next = defineEvent({ type: 'shop.order.placed.v2', key: 'orderId', owner: 'orders', schema: z.object({ orderId: z.string(), pounds: z.number() }) })
   const cancelled = defineEvent({ type: 'shop.order.cancelled.v1', key: 'orderId', owner: 'orders', schema: z.object({ orderId: z.string() }) })
   const payment = defineHandler({ name: 'payment', owner: 'payments', on: placed, handle: ${handle} })
   const ledger = defineHandler({ name: 'ledger', on: [next], handle: async () => {} })
   export const app = createFactline({ name: 'shop', consumers: [payment, ledger], contracts: [cancelled],
     upcasters: [defineUpcaster(placed, next, ({ orderId, pence }) => ({ orderId, pounds: pence / 100 }))] })`;

const run = (words: string, url: string | null = testDatabase.url): Promise<Ran> =>
  runWords(`contracts ${words}`, {
    environment: url === null ? {} : { DATABASE_URL: url },
    directory: project.directory,
  });

let refused: number;

beforeAll(async () => {
  testDatabase = await createTestDatabase({ migrated: true });
  empty = await createTestDatabase({ migrated: true });
  database = createDatabase({ url: testDatabase.url, applicationName: 'test' });
  project = createProject('cli-evidence');
  project.write('factline.config.ts', app('pence: z.int()'));
  // What a comparison of schemas cannot see: a check that is a function.
  const even = "pence: z.int().refine((pence) => pence % 2 === 0, 'is odd')";
  project.write('even.ts', app(even));
  project.write(
    'charging.ts',
    app(
      'pence: z.int()',
      `async ({ data }, { effect, transaction }) => {
         if (data.pence === 3) throw new TypeError('three pence')
         if (data.pence > 10) await effect('charge', async () => 1)
         await transaction(async (tx) => { await tx.query("insert into charge values ($1)", [data.pence]) })
       }`,
    ),
  );
  project.write(
    'leaving.ts',
    app(
      'pence: z.int()',
      `async (_event, { transaction }) => transaction(async (tx) => {
         await tx.query('insert into charge values (1)')
         process.exit(0)
       })`,
    ),
  );
  await sql('create table charge (pence int)');
  await run('accept');
  for (const pence of [2, 4, 12]) await publish('shop.order.placed.v1', { orderId: 'A1', pence });
  refused = await publish('shop.order.placed.v1', { orderId: 'A1', pence: 3 });
  await publish('shop.order.placed.v1', { orderId: 'A1', pence: 6, note: 'from the till' }, 'till');
  const parked = await publish('shop.order.placed.v1', { orderId: 'A1', pence: 'five' }, 'till');
  await publish('shop.order.placed.v2', { orderId: 'A1', pounds: 1 });
  await sql(
    `insert into factline.consumers (app, class, name, types, lanes, start_position)
     values ('shop', 'operational', 'payment', '{shop.order.placed.v1}', 1, 0),
            ('shop', 'operational', 'ledger', '{shop.order.placed.v1,shop.order.placed.v2}', 1, 0)`,
  );
  await sql(
    `insert into factline.checkpoints (consumer_id, lane, position, dispatch_limit) values (1, 0, $1, $1), (2, 0, $1 + 100, $1 + 100)`,
    [parked - 1],
  );
  await sql(
    `insert into factline.parked (consumer_id, key, key_hash, position, state, reason) values (1, 'orderId=A1', 7, $1, 'quarantined', 'schema')`,
    [parked],
  );
  await sql(
    `insert into factline.parked_events (consumer_id, position, failure_class) values (1, $1, 'schema')`,
    [parked],
  );
}, 60_000);

afterAll(async () => {
  project.remove();
  await database.stop();
  await testDatabase.drop();
  await empty.drop();
});

describe('check --against-log', { timeout: 60_000 }, () => {
  it('finds what the new code would refuse, by who wrote it, and what has failed already', async () => {
    const fine = await run('check --against-log');
    expect(fine.out).toContain('the whole log, 7 positions; 7 events, 1 refused');
    expect(fine.out).toContain('parked-event-refused at /pence');
    expect(fine).toMatchObject({ code: 0, out: expect.not.stringContaining('log-event-refused') });
    const { code, out } = await run('check --against-log --app even.ts');
    expect(code).toBe(1);
    expect(out).toContain('log-event-refused at /pence');
    expect(out).toContain('is odd');
    expect(out.replaceAll(/\s+/g, ' ')).toMatch(
      new RegExp(
        `1 of 4 that shop wrote .* with \\{orderId, pence\\}: position ${refused} \\([0-9a-f-]{36}\\)`,
      ),
    );
    expect(out).toContain('parked-event-refused at /pence');
    expect(out).toContain('none of: shop.order.cancelled.v1');
    expect(out).toContain('payment');
  });

  it('gives the same as data, and as annotations', async () => {
    const json = JSON.parse((await run('check --against-log --app even.ts --format json')).out);
    expect(json).toMatchObject({
      ok: false,
      log: {
        span: { after: 0 },
        contracts: [
          { contract: 'shop.order.placed.v1', checked: 6 },
          { contract: 'shop.order.placed.v2', checked: 7 },
        ],
      },
    });
    expect(json.log.contracts[0].versions).toContainEqual(
      expect.objectContaining({
        source: 'till',
        members: ['note', 'orderId', 'pence'],
        checked: 1,
        refused: 0,
      }),
    );
    const { out } = await run('check --against-log --app even.ts --format github');
    expect(out).toMatch(
      /^::error file=contracts\.lock\.json,line=\d+,title=shop\.order\.placed\.v1%3A log-event-refused at \/pence::/m,
    );
  });

  it('takes as many as it is told', async () => {
    const json = JSON.parse((await run('check --against-log --sample 1 --json')).out);
    expect(json.log.contracts[0].versions.map((each: { checked: number }) => each.checked)).toEqual([
      1, 1, 1,
    ]);
  });

  it('says so when the log is empty', async () => {
    expect(await run('check --against-log', empty.url)).toMatchObject({
      code: 0,
      out: expect.stringContaining('the log is empty; no event of these contracts'),
    });
  });

  it('looks at nothing more than it did without it', async () => {
    expect(await run('check', null)).toMatchObject({ code: 0 });
  });
});

describe('check --run', { timeout: 60_000 }, () => {
  it('lets the consumer handle them, and nothing stays', async () => {
    const before = await sql(
      'select (select count(*) from charge) as charges, (select count(*) from factline.events) as events, (select count(*) from factline.effects) as effects',
    );
    const { code, out } = await run('check --run payment --app charging.ts');
    expect(code).toBe(1);
    expect(out).toContain(
      'payment handled 6 events: 3 would change something, 1 as far as an effect, 2 would be',
    );
    expect(out).toContain('effects: charge (1)');
    expect(out).toContain('rows: public.charge 3 inserted');
    expect(out).toContain('dry-run-failed');
    expect(out.replaceAll(/\s+/g, ' ')).toContain('TypeError: three pence (fingerprint');
    expect(out).toContain('parked-event-fails');
    const json = JSON.parse((await run('check --run payment --app charging.ts --json')).out);
    expect(json).toMatchObject({
      ok: false,
      dryRun: { consumer: 'payment', events: 6, outcomes: { error: 2 } },
    });
    expect(json).not.toHaveProperty('log');
    expect(
      await sql(
        'select (select count(*) from charge) as charges, (select count(*) from factline.events) as events, (select count(*) from factline.effects) as effects',
      ),
    ).toEqual(before);
  });

  it('of a consumer that reads old events through an upcaster gives it those, too', async () => {
    const json = JSON.parse((await run('check --run ledger --json')).out);
    expect(json.dryRun).toMatchObject({ events: 7, outcomes: { 'no-op': 6, error: 1 } });
  });

  it('does not pass because the handler ended the process with 0', async () => {
    const main = path.resolve('src/cli/main.ts');
    const words = [
      '--conditions=factline-source',
      main,
      'contracts',
      'check',
      '--run',
      'payment',
      '--app',
      'leaving.ts',
    ];
    const options = { cwd: project.directory, env: { ...process.env, DATABASE_URL: testDatabase.url } };
    const ended = await new Promise<{ code: unknown; err: string }>((resolve) => {
      execFile(process.execPath, words, options, (error, _out, err) =>
        resolve({ code: error?.code ?? 0, err }),
      );
    });
    expect(ended).toEqual({
      code: 1,
      err: expect.stringContaining('payment ended the process in the middle of the dry run'),
    });
    expect(await sql('select * from charge')).toEqual([]);
  });
});

describe('an exception', { timeout: 60_000 }, () => {
  it("is the owner's word, as for any other finding", async () => {
    const lock = path.join(project.directory, 'waived.lock.json');
    await run(`accept --app even.ts --lock ${lock}`);
    const words = `accept shop.order.placed.v1 --app even.ts --lock ${lock} --waive log-event-refused --path /pence`;
    const waived = await run(`${words} --by orders/ada --reason "till is mended" --until 2099-12-31`);
    expect(waived).toMatchObject({ code: 0 });
    expect(await run(`check --against-log --app even.ts --lock ${lock}`)).toMatchObject({
      code: 0,
      out: expect.stringContaining('waived    by orders/ada until 2099-12-31: till is mended'),
    });
    // Without a look into the log nobody knows whether it is needed: it stays.
    expect(await run(`accept --app even.ts --lock ${lock}`)).toMatchObject({ code: 0 });
    expect(await run(`check --against-log --app even.ts --lock ${lock}`)).toMatchObject({ code: 0 });
  });
});

describe('what is asked wrongly', () => {
  it.each([
    ['check --run nobody', 'No consumer is called nobody; known are: payment, ledger'],
    ['check --against-log --sample 0', 'a whole number from 1 to 10000'],
    ['check --run payment --sample many', 'a whole number from 1 to 10000'],
    ['check --sample 10', '--against-log or --run beside it'],
    ['diff --against-log', '--against-log'],
  ])('`%s` is told so, with exit code 2', async (words, message) => {
    const { code, err } = await run(words);
    expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining(message) });
  });

  it('without a database it says where one is looked for', async () => {
    expect((await run('check --against-log', null)).err).toContain('DATABASE_URL');
    expect((await run('check --against-log', 'postgres://nobody@127.0.0.1:1/none')).code).toBe(3);
  });
});

describe('readiness --live', () => {
  it('counts what consumers have handled of either version, and what waits', async () => {
    const json = JSON.parse((await run('readiness shop.order.placed.v2 --live --json')).out);
    const handledBy = (name: string) =>
      json.consumers.find(({ consumer }: { consumer: string }) => consumer === name).handled;
    expect(handledBy('ledger')).toEqual({ old: 6, new: 1, waiting: 0 });
    expect(handledBy('payment')).toEqual({ old: 5, new: 0, waiting: 1 });
    const { out } = await run('readiness shop.order.placed.v2 --live');
    expect(out).toMatch(/HANDLED/);
    expect(out).toContain('5 old, 0 new; 1 wait');
    const declared = JSON.parse((await run('readiness shop.order.placed.v2 --json', null)).out);
    expect(declared.consumers[0].handled).toBeNull();
  });
});
