import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ChargeCard, Charged, charging, requesting } from '../../../test/app/charging.ts';
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts';
import type { Factline } from '../index.ts';

/* Requester and handler in processes of their own, killed. */

let database: TestDatabase;
let apps: Factline[] = [];
let child: ChildProcess | undefined;

beforeEach(async () => {
  database = await createTestDatabase({ migrated: true });
});
afterEach(async () => {
  child?.kill('SIGKILL');
  await Promise.all(apps.map((app) => app.stop()));
  apps = [];
  await database.drop();
});

const start = async (app: Factline): Promise<Factline> => {
  apps.push(app);
  await app.start();
  return app;
};

/** Lines of a new process, until the test has seen enough. */
const run = (role: 'requester' | 'handler'): AsyncIterator<string> => {
  const script = fileURLToPath(new URL('../../../test/app/charging-process.ts', import.meta.url));
  const program = ['--conditions=factline-source', '--no-warnings', script, role, database.url];
  child = spawn(process.execPath, program, { stdio: ['ignore', 'pipe', 'inherit'] });
  const { stdout } = child;
  if (stdout === null) throw new Error('no output');
  return stdout.setEncoding('utf8')[Symbol.asyncIterator]();
};
const next = async (lines: AsyncIterator<string>): Promise<string> =>
  String((await lines.next()).value).trim();
const kill = async (): Promise<void> => {
  child?.kill('SIGKILL');
  if (child?.signalCode === null) await once(child, 'exit');
};

const charged = async (): Promise<unknown[]> => {
  const client = new pg.Client(database.url);
  await client.connect();
  const { rows } = await client.query(
    `select meta ->> 'causationId' as causation from factline.events where type = $1`,
    [Charged.type],
  );
  await client.end();
  return rows;
};

it('a requester that is killed loses its waiting and not the command', { timeout: 60_000 }, async () => {
  const sent = await next(run('requester'));
  await kill();
  const payments = await start(charging(database.url, async () => {}));
  await payments.catchUp({ within: '20s' });
  expect(await charged()).toEqual([{ causation: sent.replace('sent ', '') }]);
});

it('a handler that is killed before it commits has not answered; who takes over does, once', {
  timeout: 90_000,
}, async () => {
  const shop = await start(requesting(database.url));
  const lines = run('handler');
  expect(await next(lines)).toBe('ready');
  const request = await shop.request(ChargeCard, { orderId: 'A1' });
  expect(await next(lines)).toBe('handling');
  await kill();
  await start(charging(database.url, async () => {}));
  expect(await request.reply()).toMatchObject({ causationId: request.id });
  expect(await charged()).toEqual([{ causation: request.id }]);
});
