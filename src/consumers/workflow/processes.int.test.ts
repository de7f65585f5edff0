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

test('what was in memory when its process was killed runs side by side in the next one, and nobody is suspected any longer', {
  timeout: 60_000,
}, async () => {
  const total = 6;
  let begun = 0;
  let isKilled = false;
  const held = defineWorkflow({
    name: 'held',
    input,
    lanes: 2,
    run: ({ n }, { step }) =>
      step('meet', async () => {
        begun += 1;
        if (!isKilled) await new Promise(() => {});
        await eventually(async () => begun === total, 'all are in their step at once');
        return n;
      }),
  });
  const kit = await launch({ consumers: [], contracts: [Noted] });
  const shop = { consumers: [held], contracts: [Noted] };
  const first = await live(kit, shop);
  for (let n = 0; n < total; n += 1) await first.app.startWorkflow(held, { key: `k${n}`, input: { n } });
  await eventually(async () => begun === total, 'all are in memory');
  await first.kill();
  begun = 0;
  isKilled = true;
  const second = await live(kit, shop);
  const ended = `select from factline.workflow_instances where state = 'completed' and deaths = 0 and kills = '[]'`;
  await eventually(async () => (await rows(kit, ended)).length === total, 'all end');
  expect(begun).toBe(total);
  await second.app.stop();
});

test('an instance that ends the processes that run it is parked after three that ran it alone; its company is not counted with it', {
  timeout: 120_000,
}, async () => {
  const companions = 4;
  let current: Life | undefined;
  let lifeNumber = 0;
  let kills = 0;
  const undone: string[] = [];
  let begun = 0;
  const deadly = defineWorkflow({
    name: 'deadly',
    input,
    lanes: 1,
    run: async ({ n }, { step }) =>
      step(
        'maybe',
        async () => {
          begun += 1;
          if (n === 0) {
            // In flight with the others, then beside them as suspects, then alone.
            if (lifeNumber <= 2) await eventually(async () => begun === companions + 1, 'all are at work');
            kills += 1;
            // It may begin before its process has said that it has started.
            await eventually(async () => current !== undefined, 'its process is known');
            await current?.kill();
          }
          if (n === 0 || lifeNumber <= 2) await new Promise(() => {});
          return n;
        },
        {
          undo: async (_, { stepKey, inDoubt }) =>
            void undone.push(`${stepKey.split(':').at(-1)} ${inDoubt}`),
        },
      ),
  });
  const kit = await launch({ consumers: [], contracts: [Noted] });
  const shop = { consumers: [deadly], contracts: [Noted] };
  const begin = async (): Promise<Life> => {
    current = undefined;
    begun = 0;
    lifeNumber += 1;
    current = await live(kit, shop);
    return current;
  };
  const first = await begin();
  for (let n = companions; n >= 0; n -= 1)
    void first.app.startWorkflow(deadly, { key: `k${n}`, input: { n } }).catch(() => undefined);
  await first.died;
  const isParked = async (): Promise<boolean> =>
    (await rows(kit, `select from factline.workflow_instances where key = 'k0' and state = 'stuck'`))
      .length === 1;
  let last = first;
  while (lifeNumber < 8 && !(await isParked())) {
    last = await begin();
    await Promise.race([last.died, eventually(isParked, 'it is parked', 20_000)]);
  }
  expect(kills).toBe(5);
  const ended = `select from factline.workflow_instances where state = 'completed' and deaths = 0`;
  await eventually(async () => (await rows(kit, ended)).length === companions, 'its company ends');
  expect(
    await rows(
      kit,
      `select key, deaths, stuck->>'reason' as reason from factline.workflow_instances where state <> 'completed'`,
    ),
  ).toEqual([{ key: 'k0', deaths: 3, reason: 'killed the process' }]);
  const handle = await last.app.startWorkflow(deadly, { key: 'after', input: { n: 9 } });
  expect(await handle.result({ within: '10s' })).toBe(9);
  // What it was doing when it died may have happened.
  const parked = await last.app.workflow(deadly, { key: 'k0' });
  await parked.cancel('it kills');
  await expect(parked.result({ within: '10s' })).rejects.toMatchObject({ details: { state: 'cancelled' } });
  expect(undone).toHaveLength(1);
  expect(undone[0]).toMatch(/ true$/);
  await last.app.stop();
});
