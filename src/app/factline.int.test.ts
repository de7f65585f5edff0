import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { defineHandler, defineProjection } from '../consumers/index.ts';
import { defineEvent } from '../contracts/index.ts';
import { PermanentError } from '../foundation/index.ts';
import { createFactline, type Factline, type FactlineOptions } from './index.ts';

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
  evolve: (_row, event) => ({ pence: event.data.pence }),
});

let database: TestDatabase;
let apps: Factline[] = [];
const create = (options: Partial<FactlineOptions> = {}): Factline => {
  const app = createFactline({
    name: 'shop',
    database: database.url,
    consumers: [orders],
    handleSignals: false,
    ...options,
  });
  apps.push(app);
  return app;
};
const order = (orderId: string, pence = 1) => OrderPlaced({ orderId, pence });

beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(async () => {
  await Promise.all(apps.map((app) => app.stop()));
  apps = [];
  await database.drop();
});

describe('an app', () => {
  it('migrates an empty database at its first use, and reads what it has just published', async () => {
    const app = create();
    await app.start();
    const { token } = await app.publish([order('A1', 4200), order('A2', 1)]);
    expect(await app.read(orders, { orderId: 'A1' }, { token })).toEqual({ orderId: 'A1', pence: 4200 });
    expect(await app.read(orders, { orderId: 'A3' }, { token })).toBeNull();
  });

  it('lets another process, which only reads, see it with the token', async () => {
    const [writer, reader] = [create(), create()];
    await writer.start();
    const { token } = await writer.publish(order('A1', 7));
    expect(await reader.read(orders, { orderId: 'A1' }, { token })).toEqual({ orderId: 'A1', pence: 7 });
  });

  it('publishes without being started, and its consumers miss nothing of that later', async () => {
    const seen: string[] = [];
    const watch = defineHandler({
      name: 'watch',
      on: OrderPlaced,
      handle: async ({ data }) => void seen.push(data.orderId),
    });
    const app = create({ consumers: [watch] });
    await app.publish(order('before the start'));
    await app.start();
    await app.publish(order('after'));
    await app.catchUp({ within: '10s' });
    expect(seen.sort()).toEqual(['after', 'before the start']);
  });

  it('starts and stops as often as one likes, and shares a start that is under way', async () => {
    const app = create();
    await Promise.all([app.start(), app.start()]);
    await app.start();
    await Promise.all([app.stop(), app.stop()]);
    await app.stop();
    await app.start();
    const { token } = await app.publish(order('A1'));
    expect(await app.read(orders, { orderId: 'A1' }, { token })).toMatchObject({ orderId: 'A1' });
  });

  it('can be started again after a start that failed', async () => {
    const url = new URL(database.url);
    const client = new pg.Client(database.url);
    await client.connect();
    await client.query(`alter database ${database.name} connection limit 0`);
    await client.query("create role limited login password 'x'");
    url.username = 'limited';
    url.password = 'x';
    const app = create({ database: url.href });
    await expect(app.start()).rejects.toThrow();
    await client.query(`alter database ${database.name} connection limit -1`);
    await client.query('grant all on schema public to limited; ');
    await client.query(`grant create on database ${database.name} to limited`);
    await app.start();
    await app.stop();
    await client.query('drop owned by limited; drop role limited');
    await client.end();
  });

  it('catches up and goes: what is left is counted, what it did too', async () => {
    const picky = defineHandler({
      name: 'picky',
      on: OrderPlaced,
      handle: async ({ data }) => {
        if (data.pence === 0) throw new PermanentError('the amount is zero');
      },
    });
    const app = create({ consumers: [picky] });
    await app.publish([order('A1'), order('A2'), order('A3', 0)]);
    expect(await app.catchUp({ within: '10s' })).toEqual({ handled: 2, remaining: 0 });
    expect(await app.catchUp({ within: '10s' })).toEqual({ handled: 0, remaining: 0 });
    const [verdict] = await app.status();
    expect(verdict).toMatchObject({ consumer: 'picky', quarantined: { keys: 1 } });
  });

  it('rolls back what a transaction wrote and published, and keeps what a savepoint kept', async () => {
    const app = create();
    await app.start();
    await expect(
      app.transaction(async (tx) => {
        tx.publish(order('never'));
        throw new RangeError('no');
      }),
    ).rejects.toThrow(RangeError);
    const { token, value } = await app.transaction(async (tx) => {
      await tx.savepoint(async (inner) => inner.publish(order('kept')));
      await tx
        .savepoint(async (inner) => {
          inner.publish(order('undone'));
          throw new RangeError('no');
        })
        .catch(() => {});
      return 'value';
    });
    expect(value).toBe('value');
    expect(await app.read(orders, { orderId: 'kept' }, { token })).not.toBeNull();
    expect(await app.read(orders, { orderId: 'undone' }, { token })).toBeNull();
    expect(await app.read(orders, { orderId: 'never' }, { token })).toBeNull();
  });

  it('says which migrations are missing when it may not apply them', async () => {
    const app = create({ migrations: 'check' });
    await expect(app.publish(order('A1'))).rejects.toMatchObject({
      code: 'MIGRATION_PENDING',
      remedy: expect.stringContaining('factline migrate'),
    });
  });

  it('refuses a token of another log, and one that is none', async () => {
    const app = create();
    await expect(app.read(orders, { orderId: 'A1' }, { token: 'junk' })).rejects.toMatchObject({
      code: 'TOKEN_INVALID',
    });
    const foreign = `f1.${'0'.repeat(32)}.1`;
    await expect(app.read(orders, { orderId: 'A1' }, { token: foreign })).rejects.toMatchObject({
      code: 'LOG_EPOCH_MISMATCH',
    });
  });

  it('counts what it publishes and handles in its metrics', async () => {
    const app = create();
    await app.start();
    const { token } = await app.publish([order('A1'), order('A2')]);
    await app.read(orders, { orderId: 'A2' }, { token });
    expect(app.metrics()).toContain('factline_events_published_total{type="shop.order.placed.v1"} 2');
    expect(app.metrics()).toMatch(/factline_events_handled_total\{consumer="orders"\} 2/);
  });
});

describe('a read-only database', () => {
  it('is refused with a clear error', async () => {
    const url = new URL(database.url);
    url.searchParams.set('options', '-c default_transaction_read_only=on');
    await expect(create({ database: url.href }).start()).rejects.toMatchObject({
      code: 'DATABASE_READ_ONLY',
    });
  });
});

describe('SIGTERM', () => {
  it('drains: what was begun is finished and the process ends by the signal', async () => {
    const script = fileURLToPath(new URL('../../test/app/drained-process.ts', import.meta.url));
    const child = spawn(
      process.execPath,
      ['--conditions=factline-source', '--no-warnings', script, database.url],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    let output = '';
    for await (const data of child.stdout) {
      output += String(data);
      if (output.includes('handling') && !child.killed) child.kill('SIGTERM');
    }
    const [, signal] =
      child.exitCode === null && child.signalCode === null
        ? await once(child, 'exit')
        : [child.exitCode, child.signalCode];
    expect(signal).toBe('SIGTERM');
    expect(output).toContain('finished');
    const client = new pg.Client(database.url);
    await client.connect();
    const { rows } = await client.query('select count(*)::int as handled from factline.inbox');
    await client.end();
    expect(rows).toEqual([{ handled: 1 }]);
  });
});
