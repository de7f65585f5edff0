import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from './database.ts';

/* The oldest Node that package.json's `engines` allows runs the source as it stands: no syntax and no API of a newer one. */

const root = fileURLToPath(new URL('..', import.meta.url));
/** Not among the packages: two of them would quarrel over the name `node` in node_modules/.bin. */
const prefix = path.join(root, '.factline/node-22.18.0');
const node22Package = `node-${process.platform}-${process.arch}`;
const node22 = path.join(prefix, `node_modules/${node22Package}/bin/node`);

/** Once, then it is there also offline. */
const install = (): boolean => {
  if (existsSync(node22)) return true;
  mkdirSync(prefix, { recursive: true });
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const parameters = [
    'install',
    '--no-save',
    '--ignore-scripts',
    '--prefix',
    prefix,
    `${node22Package}@22.18.0`,
  ];
  const { status } = spawnSync(npm, parameters, { cwd: prefix, stdio: 'ignore', timeout: 120_000 });
  return status === 0 && existsSync(node22);
};

// Without `await using`, which Node 22 does not have.
const program = `
import { createFactline, defineEvent, defineHandler, defineProjection } from 'factline'
import { z } from 'zod'
const OrderPlaced = defineEvent({ type: 'shop.order.placed.v1', key: 'orderId', schema: z.object({ orderId: z.string(), pence: z.int() }) })
const orders = defineProjection({ name: 'orders', on: OrderPlaced, primaryKey: 'orderId',
  columns: { orderId: 'text', pence: 'int8' }, evolve: (_row, event) => ({ pence: event.data.pence }) })
const handled = Promise.withResolvers()
const mail = defineHandler({ name: 'mail', on: OrderPlaced, handle: async (event, { effect, transaction }) => {
  await effect('send', async () => 'sent')
  await transaction(async (tx) => { await tx.query('select 1') })
  handled.resolve(event.data.orderId)
} })
const app = createFactline({ name: 'shop', database: process.env.DATABASE_URL, consumers: [orders, mail] })
await app.start()
const { token } = await app.publish(OrderPlaced({ orderId: 'A1', pence: 4200 }))
console.log(JSON.stringify([process.versions.node, await app.read(orders, { orderId: 'A1' }, { token }), await handled.promise]))
await app.stop()
`;

const run = (parameters: readonly string[], environment: NodeJS.ProcessEnv): Promise<string> =>
  new Promise((resolve, reject) => {
    const options = {
      cwd: root,
      env: { ...process.env, NODE_NO_WARNINGS: '1', ...environment },
      timeout: 60_000,
    };
    execFile(node22, ['--conditions=factline-source', ...parameters], options, (error, output, errors) =>
      error === null ? resolve(output) : reject(new Error(`${error.message}\n${errors}`)),
    );
  });

describe.skipIf(!install())('on Node 22.18, where npm can fetch it', () => {
  let database: TestDatabase;
  let folder: string;
  beforeAll(async () => {
    database = await createTestDatabase();
    folder = mkdtempSync(path.join(tmpdir(), 'factline-node-22-'));
    symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true });
    await database.drop();
  });

  test('a program publishes, projects, handles and reads', { timeout: 60_000 }, async () => {
    const file = path.join(folder, 'program.mjs');
    const here = path.join(root, 'src/index.ts');
    writeFileSync(file, program.replace("'factline'", JSON.stringify(here)));
    expect(JSON.parse(await run([file], { DATABASE_URL: database.url }))).toEqual([
      '22.18.0',
      { orderId: 'A1', pence: 4200 },
      'A1',
    ]);
  });

  test('the command line runs', { timeout: 60_000 }, async () => {
    const output = await run(['src/cli/main.ts', 'status', '--json'], { DATABASE_URL: database.url });
    expect(JSON.parse(output)).toMatchObject({ consumers: expect.any(Array) });
  });
});
