import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { eventually, rows, useApps } from '../../../test/workflow/fixtures.ts';
import { fromPg } from '../../postgres/index.ts';
import { defineWorkflow } from './index.ts';

const launch = useApps();
const input = z.object({ id: z.string() });
const begin = { key: 'A', input: { id: 'A' } };
const greet = defineWorkflow({
  name: 'greet',
  input,
  run: async ({ id }, { step }) => step('greet', async () => `hello ${id}`),
});

describe('a start in a given transaction', () => {
  test('of the app lives when that has committed, and was never when it was rolled back', async () => {
    const kit = await launch({ consumers: [greet], contracts: [] });
    await rows(kit, 'create table orders (id text)');
    const start = (key: string, fails: boolean) =>
      kit.app.transaction(async (tx) => {
        await tx.query('insert into orders values ($1)', [key]);
        const handle = await kit.app.startWorkflow(greet, { key, input: { id: key } }, { tx });
        if (fails) throw new Error('rolled back');
        return handle;
      });
    await expect(start('never', true)).rejects.toThrow('rolled back');
    const { value: handle } = await start('A', false);
    expect(await handle.result({ within: '10s' })).toBe('hello A');
    expect(await rows(kit, 'select id from orders')).toEqual([{ id: 'A' }]);
    expect(await rows(kit, 'select key, state from factline.workflow_instances')).toEqual([
      { key: 'A', state: 'completed' },
    ]);
  });

  test('of another library is seen by nobody before the commit; its owner is told after it, not inside', async () => {
    const kit = await launch({ consumers: [greet], contracts: [] });
    const client = new pg.Client({ connectionString: kit.databaseUrl });
    const listener = new pg.Client({ connectionString: kit.databaseUrl });
    const tellers: number[] = [];
    listener.on('notification', ({ processId }) => tellers.push(processId));
    await Promise.all([client.connect(), listener.connect()]);
    try {
      await listener.query('listen factline_requests');
      await client.query('begin');
      const handle = await kit.app.startWorkflow(greet, begin, { tx: fromPg(client) });
      await expect(handle.status()).rejects.toMatchObject({ code: 'WORKFLOW_INSTANCE_UNKNOWN' });
      const { rows: pids } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
      await client.query('commit');
      expect(await handle.result({ within: '10s' })).toBe('hello A');
      await listener.query('select 1');
      expect(tellers).not.toContain(pids[0]?.pid);
      await client.query('begin');
      const undone = await kit.app.startWorkflow(greet, { ...begin, key: 'B' }, { tx: fromPg(client) });
      await client.query('rollback');
      await expect(undone.status()).rejects.toMatchObject({ code: 'WORKFLOW_INSTANCE_UNKNOWN' });
      await expect(undone.result({ within: '1s' })).rejects.toMatchObject({ code: 'WAIT_TIMED_OUT' });
    } finally {
      await Promise.all([client.end(), listener.end()]);
    }
  });

  test('has its input, also where that is null', async () => {
    const say = defineWorkflow({
      name: 'say',
      input: z.string().nullable(),
      run: async (given, { step }) => step('say', async () => `it is ${given}`),
    });
    const kit = await launch({ consumers: [say], contracts: [] });
    const { value: handle } = await kit.app.transaction((tx) =>
      kit.app.startWorkflow(say, { key: 'A', input: null }, { tx }),
    );
    expect(await handle.result({ within: '10s' })).toBe('it is null');
  });

  test('holds up nothing but starts of the same key for as long as it lasts', async () => {
    const gate = Promise.withResolvers<void>();
    const pack = defineWorkflow({
      name: 'pack',
      input,
      run: async (_, { step }) => step('pack', () => gate.promise),
    });
    const kit = await launch({ consumers: [greet, pack], contracts: [] });
    const client = new pg.Client({ connectionString: kit.databaseUrl });
    await client.connect();
    try {
      const living = await kit.app.startWorkflow(pack, begin);
      await client.query('begin');
      await kit.app.startWorkflow(greet, begin, { tx: fromPg(client) });
      const second = kit.app.startWorkflow(pack, begin, { tx: fromPg(client) });
      await expect(second).rejects.toMatchObject({ code: 'WORKFLOW_RUNNING' });
      const same = Promise.allSettled([kit.app.startWorkflow(greet, begin)]);
      gate.resolve();
      await living.result({ within: '5s' });
      const other = await kit.app.startWorkflow(greet, { ...begin, key: 'B' });
      expect(await other.result({ within: '5s' })).toBe('hello A');
      await client.query('commit');
      await same;
      expect(
        await rows(kit, `select rejected_starts from factline.workflow_instances where id = ${living.id}`),
      ).toEqual([{ rejected_starts: 1 }]);
    } finally {
      gate.resolve();
      await client.end();
    }
  });

  test('begins after the commit without waiting for a heartbeat', async () => {
    const kit = await launch({ consumers: [greet], contracts: [] });
    const began: number[] = [];
    for (const key of ['A', 'B', 'C', 'D', 'E']) {
      const { value: handle } = await kit.app.transaction((tx) =>
        kit.app.startWorkflow(greet, { key, input: { id: key } }, { tx }),
      );
      const from = performance.now();
      await eventually(async () => (await handle.status()) === 'completed', 'it has ended');
      began.push(performance.now() - from);
    }
    // Every heartbeat comes two seconds after the one before.
    expect(began.sort((left, right) => left - right)[2]).toBeLessThan(1_000);
  });
});
