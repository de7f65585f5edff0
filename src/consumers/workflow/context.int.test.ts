import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { eventually, Noted, OrderPlaced, rows, useApps } from '../../../test/workflow/fixtures.ts';
import { live } from '../../../test/workflow/lives.ts';
import { internals } from '../../app/index.ts';
import { defineCommand, defineEvent } from '../../contracts/index.ts';
import { defineHandler } from '../index.ts';
import { type AnyWorkflow, defineWorkflow, type WorkflowContext } from './index.ts';

const launch = useApps();

const order = z.object({ orderId: z.string() });
const Charged = defineEvent({ type: 'bank.card.charged.v1', key: 'orderId', schema: order });
const ChargeCard = defineCommand({
  type: 'bank.card.charge.v1',
  key: 'orderId',
  schema: order,
  replies: [Charged],
});

const bank = defineHandler({
  name: 'bank',
  on: ChargeCard,
  handle: async ({ data }, { transaction }) => transaction(async (tx) => tx.publish(Charged(data))),
});

test('clock, chance and ids stay what they were, a command is sent once and its answer found, in whichever process the function runs', async () => {
  const runs: unknown[] = [];
  const checkout = defineWorkflow({
    name: 'checkout',
    input: order.extend({ until: z.string() }),
    waits: Charged,
    run: async ({ orderId, until }, { now, random, uuid, send, waitFor, sleepUntil, all, step }) => {
      const made = { at: now().toISOString(), dice: [random(), random()], ids: [uuid(), uuid()] };
      runs.push(made);
      send(ChargeCard({ orderId }));
      const charged = await waitFor(Charged, { key: orderId });
      const labels = await all([
        step('one', async () => 1),
        step('two', async () => 'two'),
        step('three', async () => 3),
      ]);
      await sleepUntil(until);
      return { ...made, charged: charged.data.orderId, last: labels.slice(1) };
    },
  });
  const kit = await launch({ consumers: [], contracts: [] });
  const shop = { consumers: [checkout, bank], contracts: [] };
  const first = await live(kit, shop);
  const [clock] = await rows(kit, `select to_json(factline.clock() + interval '1 hour') as until`);
  const until = String(clock?.['until']);
  await first.app.startWorkflow(checkout, { key: 'A', input: { orderId: 'A', until } });
  const asleep = `select due_at from factline.workflow_journal where kind = 'sleep' and state = 'pending'`;
  await eventually(async () => (await rows(kit, asleep)).length === 1, 'it sleeps');
  expect((await rows(kit, asleep))[0]?.['due_at']).toEqual(new Date(until));
  await first.kill();
  const second = await live(kit, shop);
  await kit.advance('59m');
  const handle = await second.app.workflow(checkout, { key: 'A' });
  expect(await handle.status()).toBe('waiting');
  await kit.advance('2m');
  const [made] = runs as [{ readonly at: string; readonly dice: number[]; readonly ids: string[] }];
  expect(await handle.result({ within: '20s' })).toEqual({ ...made, charged: 'A', last: ['two', 3] });
  expect(runs.length).toBeGreaterThan(2);
  expect(new Set(runs.map((run) => JSON.stringify(run))).size).toBe(1);
  expect(new Set([...made.dice, ...made.ids]).size).toBe(4);
  expect(
    await rows(
      kit,
      "select type, meta->>'causationId' is not null as caused from factline.events order by position",
    ),
  ).toMatchObject([{ type: ChargeCard.type }, { type: Charged.type, caused: true }]);
  await second.app.stop();
}, 60_000);

describe('a call of the context inside of a step', () => {
  const input = z.object({ id: z.string() });
  type Context = WorkflowContext<typeof Noted>;
  const begin = { key: 'A', input: { id: 'A' } };

  const calls: Readonly<Record<string, (context: Context) => unknown>> = {
    now: ({ now }) => now(),
    random: ({ random }) => random(),
    uuid: ({ uuid }) => uuid(),
    'publish shop.note.noted.v1': ({ publish }) => publish(Noted({ id: 'A', text: 'no' })),
    sleep: ({ sleep }) => sleep('1ms'),
    'wait shop.note.noted.v1': ({ waitFor }) => waitFor(Noted, { key: 'A' }),
    'step inner': ({ step }) => step('inner', async () => 1),
  };

  test('is refused at once, whichever it is', async () => {
    let attempts = 0;
    const nested = defineWorkflow({
      name: 'nested',
      input,
      waits: Noted,
      run: async ({ id }, context) => {
        await context.step('outer', async () => {
          attempts += 1;
          await new Promise((resolve) => setTimeout(resolve, 1));
          await calls[id]?.(context);
        });
      },
    });
    const kit = await launch({ consumers: [nested], contracts: [Noted] });
    for (const call of Object.keys(calls)) {
      const handle = await kit.app.startWorkflow(nested, { key: call, input: { id: call } });
      await expect(handle.result({ within: '10s' })).rejects.toMatchObject({
        code: 'WORKFLOW_FAILED',
        cause: {
          code: 'WORKFLOW_CALL_INSIDE_STEP',
          details: { workflow: 'nested', call, what: 'step outer' },
        },
      });
    }
    expect(attempts).toBe(Object.keys(calls).length);
    const names = await rows(kit, 'select distinct name from factline.workflow_journal');
    expect(names).toEqual([{ name: 'outer' }]);
  });

  test('fails the step also where nobody awaits it; what was done may have to be taken back', async () => {
    const tell = Promise.withResolvers<unknown>();
    const forgetful = defineWorkflow({
      name: 'forgetful',
      input,
      run: async (_, { step }) => {
        const forEach = async () => [1].forEach(async () => await step('inner', async () => 1));
        await step('outer', forEach, { undo: async (_, call) => tell.resolve(call.inDoubt) });
      },
    });
    const kit = await launch({ consumers: [forgetful], contracts: [] });
    const handle = await kit.app.startWorkflow(forgetful, begin);
    await expect(handle.result({ within: '10s' })).rejects.toMatchObject({
      code: 'WORKFLOW_FAILED',
      cause: { code: 'WORKFLOW_CALL_INSIDE_STEP', details: { call: 'step inner', what: 'step outer' } },
    });
    expect(await tell.promise).toBe(true);
  });

  test('rolls a transaction back', async () => {
    const forgetful = defineWorkflow({
      name: 'forgetful',
      input,
      run: async ({ id }, { step }) => {
        await step.transaction('outer', async (tx) => {
          tx.publish(Noted({ id, text: 'not to be seen' }));
          void step('inner', async () => 1);
        });
      },
    });
    const kit = await launch({ consumers: [forgetful], contracts: [Noted] });
    const handle = await kit.app.startWorkflow(forgetful, begin);
    await expect(handle.result({ within: '10s' })).rejects.toMatchObject({ code: 'WORKFLOW_FAILED' });
    expect(await rows(kit, 'select from factline.events where type = $1', [Noted.type])).toEqual([]);
  });

  test('is told to who listens when the step has ended, and is not the end of the process', async () => {
    const ended = Promise.withResolvers<void>();
    const late = defineWorkflow({
      name: 'late',
      input,
      run: async (_, { step }) => {
        await step('outer', async () => void ended.promise.then(() => step('inner', async () => 1)));
      },
    });
    const kit = await launch({ consumers: [late], contracts: [] });
    const told: unknown[] = [];
    internals(kit.app).telemetry.listen(
      (event) => event.name === 'workflow.call-refused' && told.push(event.fields),
    );
    const handle = await kit.app.startWorkflow(late, begin);
    await handle.result({ within: '10s' });
    ended.resolve();
    await eventually(async () => told.length === 1, 'it is told');
    expect(told).toMatchObject([
      { workflow: 'late', id: handle.id, step: 'outer', error: { code: 'WORKFLOW_CALL_INSIDE_STEP' } },
    ]);
  });

  test('is refused in an undo as well, which then waits for a person', async () => {
    const nested = defineWorkflow({
      name: 'nested',
      input,
      run: async ({ id }, { step, publish }) => {
        await step('outer', async () => 1, { undo: async () => publish(Noted({ id, text: 'undone' })) });
        throw new RangeError('take it back');
      },
    });
    const kit = await launch({ consumers: [nested], contracts: [Noted] });
    const handle = await kit.app.startWorkflow(nested, begin);
    await expect(handle.result({ within: '10s' })).rejects.toMatchObject({ code: 'WORKFLOW_STUCK' });
    const [stored] = await rows(kit, `select stuck->>'message' as message from factline.workflow_instances`);
    expect(stored?.['message']).toContain(
      'called publish shop.note.noted.v1 of its context inside of the undo of step outer',
    );
  });

  test('is no matter for instances that a step begins, also when they go on by a timer of its own making', async () => {
    const shape = async (id: string, { now, sleep, publish, step }: Context): Promise<void> => {
      now();
      await sleep('30ms');
      publish(Noted({ id, text: 'went on' }));
      await step('own', async () => 1);
    };
    const child = defineWorkflow({
      name: 'child',
      on: OrderPlaced,
      run: async ({ data }, context) => shape(data.orderId, context as Context),
    });
    const other: AnyWorkflow = defineWorkflow({
      name: 'other',
      input,
      run: async ({ id }, context) => shape(id, context as Context),
    });
    const parent = defineWorkflow({
      name: 'parent',
      input,
      run: async (_, { step, sleep, now }) => {
        await step('begin others', async () => {
          await kit.app.startWorkflow(other as never, { key: 'O', input: { id: 'O' } } as never);
          await kit.app.publish(OrderPlaced({ orderId: 'C', pence: 1 }));
        });
        await sleep('30ms');
        now();
      },
    });
    const kit = await launch({ consumers: [child, other, parent], contracts: [Noted, OrderPlaced] });
    await kit.app.startWorkflow(parent, begin);
    await eventually(
      async () =>
        (await rows(kit, `select from factline.workflow_instances where state = 'completed'`)).length === 3,
      'all three end',
    );
    expect(await rows(kit, `select from factline.events where type = $1`, [Noted.type])).toHaveLength(2);
  });
});
