import { execFile } from 'node:child_process';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createProject, type Project } from '../../test/command-line.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';

let database: TestDatabase;
let project: Project;

const type = 'shop.order.placed.v1';

const app = (field: string): string =>
  `import { createFactline, defineEvent } from 'factline'
   import { z } from 'zod'
   const placed = defineEvent({ type: '${type}', key: 'orderId', owner: 'orders', schema: z.object({ orderId: z.string(), ${field} }) })
   export const app = createFactline({ name: 'shop', consumers: [], contracts: [placed] })`;

const run = (...words: readonly string[]): Promise<{ code: number; out: string; err: string }> =>
  new Promise((resolve) => {
    const command = ['--conditions=factline-source', path.resolve('src/cli/main.ts'), 'contracts', ...words];
    const { NO_COLOR, FORCE_COLOR, ...environment } = process.env;
    const options = { cwd: project.directory, env: { ...environment, DATABASE_URL: database.url } };
    execFile(process.execPath, command, options, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });

beforeAll(async () => {
  database = await createTestDatabase({ migrated: true });
  project = createProject('cli-live');
  project.write('factline.config.ts', app('pence: z.int()'));
  project.write('changed.ts', app('pence: z.string()'));
  await run('accept');
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  const code = {
    consumers: { 'crm-mail': { class: 'operational', types: [type], reads: { [type]: ['pence'] } } },
    contracts: { [type]: null },
  };
  for (const version of ['2.1', '2.1', '2.2'])
    await client.query(
      `insert into factline.processes (app, incarnation, host, pid, code_version, direct_session, code, beaten_at)
       values ('crm', gen_random_uuid(), 'h', 1, $1, false, $2, factline.clock() + interval '1 hour')`,
      [version, JSON.stringify(code)],
    );
  await client.query(
    `insert into factline.events (id, type, source, key, key_hash, data, meta, time)
     values (gen_random_uuid(), $1, 'shop', 'k', 7, jsonb_build_object('orderId', repeat('x', 20000)), '{}', now())`,
    [type],
  );
  await client.end();
});
afterAll(async () => {
  project.remove();
  await database.drop();
});

it('--live names the consumers of other apps that run, by release', { timeout: 60_000 }, async () => {
  const alone = await run('check', '--app', 'changed.ts');
  expect(alone.out).toContain('no consumer of this app');
  const { code, out, err } = await run('check', '--app', 'changed.ts', '--live');
  expect([code, err]).toEqual([1, '']);
  expect(out.replaceAll(/\s+/g, ' ')).toContain(
    'crm-mail operational crm reads pence; of another app; live: 2 processes of 2.1, 1 process of 2.2',
  );
});

it('a contract that another app is seen to consume cannot go', { timeout: 60_000 }, async () => {
  project.write(
    'gone.ts',
    "import { createFactline } from 'factline'\nexport const app = createFactline({ name: 'shop', consumers: [] })",
  );
  expect((await run('check', '--app', 'gone.ts')).out).toContain('nobody consumes it');
  expect((await run('check', '--app', 'gone.ts', '--live')).out).toContain('crm-mail is known to consume it');
});

it('the catalogue and readiness show what runs', { timeout: 60_000 }, async () => {
  const [catalogue, readiness] = await Promise.all([
    run('catalog', '--json', '--database', database.url),
    run('readiness', type, '--json', '--live'),
  ]);
  expect(JSON.parse(catalogue.out).events[0].consumers).toMatchObject([
    { name: 'crm-mail', owner: 'crm', reads: ['pence'] },
  ]);
  expect(JSON.parse(readiness.out).consumers).toMatchObject([
    { consumer: 'crm-mail', live: [{ codeVersion: '2.1', processes: 2 }, { codeVersion: '2.2' }] },
  ]);
});

it('lint measures payloads', { timeout: 60_000 }, async () => {
  expect((await run('lint', '--rule', 'fat-event')).out).not.toContain('fat-event');
  expect((await run('lint', '--rule', 'fat-event', '--live')).out).toContain('larger than 19 KiB');
});
