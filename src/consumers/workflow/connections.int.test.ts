import { expect, test } from 'vitest';
import { z } from 'zod';
import { useApps } from '../../../test/workflow/fixtures.ts';
import { createFactline, internals } from '../../app/index.ts';
import { defineWorkflow } from './index.ts';

const launch = useApps();

test('transactions of more instances than the pool has connections wait their turn, outside of the pool and of their time limit', async () => {
  const attempts: number[] = [];
  let waitingInPool = 0;
  const saga = defineWorkflow({
    name: 'saga',
    input: z.object({ id: z.string() }),
    run: async (_, { step }) => {
      await step.transaction(
        'write',
        async (tx, { attempt }) => {
          attempts.push(attempt);
          const { database } = await internals(app).open();
          waitingInPool = Math.max(waitingInPool, database.handlers.waitingCount);
          await tx.query('select pg_sleep(0.4)');
        },
        { timeout: '3s' },
      );
    },
  });
  const kit = await launch({ consumers: [], contracts: [] });
  await using app = createFactline({
    name: 'shop',
    consumers: [saga],
    database: kit.databaseUrl,
    pools: { handlers: 2 },
    handleSignals: false,
  });
  await app.start();
  const keys = Array.from({ length: 20 }, (_, index) => `A${index}`);
  const handles = await Promise.all(keys.map((key) => app.startWorkflow(saga, { key, input: { id: key } })));
  await Promise.all(handles.map((handle) => handle.result({ within: '30s' })));
  expect(attempts).toEqual(keys.map(() => 1));
  expect(waitingInPool).toBe(0);
}, 40_000);
