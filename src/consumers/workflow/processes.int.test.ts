import { expect, test } from 'vitest';
import { z } from 'zod';
import { eventually, Noted, rows, useApps } from '../../../test/workflow/fixtures.ts';
import { type Life, live } from '../../../test/workflow/lives.ts';
import { defineWorkflow } from './index.ts';

const launch = useApps();
const input = z.object({ n: z.int() });

test('several processes share the instances of a workflow; one that is killed leaves none behind', {
  timeout: 90_000,
}, async () => {
  const keys: string[] = [];
  const work = defineWorkflow({
    name: 'work',
    input,
    retry: { firstDelay: '20ms' },
    run: async ({ n }, { step, sleep, publish }) => {
      await step('first', async ({ idempotencyKey }) => void keys.push(idempotencyKey));
      await sleep(`${(n % 5) * 40 + 10}ms`);
      await step('second', async ({ idempotencyKey, attempt }) => {
        keys.push(idempotencyKey);
        if (n % 7 === 0 && attempt === 1) throw new Error('once more');
      });
      publish(Noted({ id: String(n), text: 'done' }));
      return n;
    },
  });
  const kit = await launch({ consumers: [], contracts: [Noted] });
  const shop = { consumers: [work], contracts: [Noted] };
  const lives = await Promise.all([live(kit, shop), live(kit, shop), live(kit, shop)]);
  const [first, second] = lives as [Life, Life, Life];
  await eventually(
    async () =>
      (
        await rows(
          kit,
          "select distinct owner from factline.lanes l join factline.consumers c on c.id = l.consumer_id where c.name = 'work@1'",
        )
      ).length === 3,
    'the lanes are shared',
    30_000,
  );
  const total = 60;
  for (let n = 0; n < total; n += 1) {
    await first.app.startWorkflow(work, { key: `k${n}`, input: { n } });
    if (n === total / 2) await second.kill();
  }
  await eventually(
    async () =>
      (await rows(kit, `select from factline.workflow_instances where state = 'completed'`)).length === total,
    'all end',
    60_000,
  );
  expect(
    await rows(
      kit,
      `select count(*)::int as n, count(distinct data->>'id')::int as ids from factline.events`,
    ),
  ).toEqual([{ n: total, ids: total }]);
  expect(new Set(keys).size).toBe(2 * total);
  await Promise.all([first, lives[2]].map((life) => life?.app.stop()));
});

test('an instance that ends its process three times is parked; others are not counted with it', {
  timeout: 120_000,
}, async () => {
  let current: Life | undefined;
  let kills = 0;
  const deadly = defineWorkflow({
    name: 'deadly',
    input,
    lanes: 1,
    run: async ({ n }, { step }) =>
      step('maybe', async () => {
        if (n > 0) {
          kills += 1;
          // It may begin before its process has said that it has started.
          await eventually(async () => current !== undefined, 'its process is known');
          await current?.kill();
          await new Promise(() => {});
        }
        return n;
      }),
  });
  const kit = await launch({ consumers: [], contracts: [Noted] });
  const shop = { consumers: [deadly], contracts: [Noted] };
  current = await live(kit, shop);
  await current.app.startWorkflow(deadly, { key: 'killer', input: { n: 1 } });
  const innocent = current.app
    .startWorkflow(deadly, { key: 'innocent', input: { n: 0 } })
    .catch(() => undefined);
  await current.died;
  const state = async (key: string): Promise<unknown> =>
    (await rows(kit, 'select state from factline.workflow_instances where key = $1', [key]))[0]?.['state'];
  for (let death = 0; death < 6 && (await state('killer')) !== 'stuck'; death += 1) {
    current = undefined;
    current = await live(kit, shop);
    await Promise.race([
      current.died,
      eventually(async () => (await state('killer')) === 'stuck', 'it is parked', 20_000),
    ]);
  }
  void innocent;
  expect(
    await rows(
      kit,
      `select state, deaths, stuck->>'reason' as reason from factline.workflow_instances where key = 'killer'`,
    ),
  ).toEqual([{ state: 'stuck', deaths: 3, reason: 'killed the process' }]);
  expect(kills).toBe(4);
  const again = current.app;
  const handle = await again.startWorkflow(deadly, { key: 'after', input: { n: 0 } });
  expect(await handle.result({ within: '10s' })).toBe(0);
  expect(await rows(kit, `select from factline.workflow_instances where state = 'stuck'`)).toHaveLength(1);
  await again.stop();
});
