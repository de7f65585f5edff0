import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { eventually, rows, useApps } from '../../../test/workflow/fixtures.ts';
import { createFactlineWith, type Factline, systemSeams } from '../../app/index.ts';
import { type Clock, systemClock } from '../../foundation/index.ts';
import { defineWorkflow } from './index.ts';

const launch = useApps();

/** Grace periods end when the test says so, not when they are over. */
const graceMs = 5_000;
const graceClock = (): { readonly clock: Clock; readonly endGraces: () => void } => {
  const held = new Set<() => void>();
  let areOver = false;
  const timer: Clock['timer'] = (ms, run, options) => {
    if (ms !== graceMs || areOver) return systemClock.timer(ms, run, options);
    held.add(run);
    return { cancel: () => void held.delete(run) };
  };
  const endGraces = (): void => {
    areOver = true;
    for (const run of [...held]) if (held.delete(run)) run();
  };
  return { clock: { ...systemClock, timer }, endGraces };
};

describe('cancels of instances whose steps do not end when they are told to', () => {
  let begun = 0;
  let told = 0;
  const hanging = defineWorkflow({
    name: 'hanging',
    input: z.object({ id: z.string() }),
    run: async (_, { step }) => {
      await step('hang', async ({ signal }) => {
        begun += 1;
        signal.addEventListener('abort', () => {
          told += 1;
        });
        await new Promise(() => {});
      });
    },
  });

  const run = async (
    keys: readonly string[],
    work: (app: Factline, endGraces: () => void) => Promise<void>,
  ) => {
    begun = 0;
    told = 0;
    const kit = await launch({ consumers: [], contracts: [] });
    const { clock, endGraces } = graceClock();
    await using app = createFactlineWith(
      { name: 'shop', consumers: [hanging], database: kit.databaseUrl, handleSignals: false },
      { ...systemSeams, clock },
    );
    await app.start();
    for (const key of keys) await app.startWorkflow(hanging, { key, input: { id: key } });
    await eventually(async () => begun === keys.length, 'all of them hang');
    try {
      await work(app, endGraces);
    } finally {
      endGraces();
    }
    const others = `select from factline.workflow_instances where state <> 'cancelled'`;
    await eventually(async () => (await rows(kit, others)).length === 0, 'all are cancelled');
  };
  const cancelAll = async (app: Factline, keys: readonly string[]): Promise<void> => {
    const handles = await Promise.all(keys.map((key) => app.workflow(hanging, { key })));
    await Promise.all(handles.map((handle) => handle.cancel('no longer wanted')));
  };

  test('wait side by side: fifty take as long as one', { timeout: 60_000 }, async () => {
    const keys = Array.from({ length: 50 }, (_, n) => `K${n}`);
    await run(keys, async (app, endGraces) => {
      const cancelled = cancelAll(app, keys);
      await eventually(async () => told === keys.length, 'all of them are told before the first grace ends');
      endGraces();
      await cancelled;
    });
  });

  test('come one after the other where they are about one instance', async () => {
    await run(['K'], async (app, endGraces) => {
      const handle = await app.workflow(hanging, { key: 'K' });
      const both = Promise.allSettled([handle.cancel('first'), handle.cancel('second')]);
      await eventually(async () => told === 1, 'it is told');
      endGraces();
      const refused = (await both).filter(({ status }) => status === 'rejected');
      expect(refused).toMatchObject([{ reason: { code: 'REQUEST_REFUSED' } }]);
    });
  });
});
