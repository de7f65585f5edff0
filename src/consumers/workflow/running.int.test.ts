import { expect, test } from 'vitest';
import { z } from 'zod';
import {
  eventually,
  Noted,
  OrderPlaced,
  ParcelScanned,
  rows,
  useApps,
} from '../../../test/workflow/fixtures.ts';
import type { Draft } from '../../contracts/index.ts';
import type { TestFactlineOptions } from '../../testing/index.ts';
import { defineWorkflow } from './index.ts';

const launch = useApps();
const start = (consumers: TestFactlineOptions['consumers']): ReturnType<typeof launch> =>
  launch({ consumers, contracts: [Noted, OrderPlaced, ParcelScanned] });

const calls: string[] = [];
const input = z.object({ id: z.string() });

test('steps run once, in order, and the result is handed out', async () => {
  calls.length = 0;
  const three = defineWorkflow({
    name: 'three',
    input,
    run: async ({ id }, { step, publish }) => {
      const one = await step('one', async ({ idempotencyKey, attempt }) => {
        calls.push(`${idempotencyKey} ${attempt}`);
        return { n: 1 };
      });
      const two = await step('two', async () => one.n + 1);
      await step('three', async () => undefined);
      publish(Noted({ id, text: `two is ${two}` }));
      return { two };
    },
  });
  const kit = await start([three]);
  const { app } = kit;
  const handle = await app.startWorkflow(three, { key: 'A', input: { id: 'A' } });
  expect(await handle.result({ within: '10s' })).toEqual({ two: 2 });
  expect(calls).toEqual([`three:${handle.id}:one 1`]);
  expect(await handle.status()).toBe('completed');
  const journal = await rows(
    kit,
    `select ordinal, kind, name, state, attempts, completion, value from factline.workflow_journal order by ordinal`,
  );
  expect(journal).toEqual([
    { ordinal: 0, kind: 'step', name: 'one', state: 'done', attempts: 1, completion: 1, value: { n: 1 } },
    { ordinal: 1, kind: 'step', name: 'two', state: 'done', attempts: 1, completion: 2, value: 2 },
    { ordinal: 2, kind: 'step', name: 'three', state: 'done', attempts: 1, completion: 3, value: null },
    {
      ordinal: 3,
      kind: 'publish',
      name: 'publish shop.note.noted.v1 1',
      state: 'done',
      attempts: 0,
      completion: null,
      value: null,
    },
  ]);
  expect(await rows(kit, `select key, data from factline.events`)).toEqual([
    { key: 'id=A', data: { id: 'A', text: 'two is 2' } },
  ]);
});

test('an event starts one instance, whoever delivers it how often', async () => {
  const seen: string[] = [];
  const fulfil = defineWorkflow({
    name: 'fulfil',
    on: OrderPlaced,
    run: async (order, { step }) => {
      await step('note', async () => void seen.push(order.data.orderId));
      return order.data.orderId;
    },
  });
  const kit = await start([fulfil]);
  const published = await kit.publish(OrderPlaced({ orderId: 'A1', pence: 5 }));
  await kit.settled();
  await kit.redeliver(published, { times: 2 });
  expect(seen).toEqual(['A1']);
  expect(await rows(kit, 'select key, state, result from factline.workflow_instances')).toEqual([
    { key: 'A1', state: 'completed', result: 'A1' },
  ]);
});

test('sleeps are rows; nothing is in memory meanwhile', async () => {
  const sleeper = defineWorkflow({
    name: 'sleeper',
    input,
    run: async (_, { step, sleep, now }) => {
      now();
      await step('before', async () => 1);
      await sleep('3d');
      await step('after', async () => 2);
      return 'rested';
    },
  });
  const kit = await start([sleeper]);
  const handle = await kit.app.startWorkflow(sleeper, { key: 'A', input: { id: 'A' } });
  await kit.settled();
  expect(await handle.status()).toBe('waiting');
  await kit.advance('2d');
  await kit.settled();
  expect(await handle.status()).toBe('waiting');
  await kit.advance('25h');
  expect(await handle.result({ within: '10s' })).toBe('rested');
});

test('an awaited event is found, whether it came before the wait, during it or not at all', async () => {
  const wait = defineWorkflow({
    name: 'wait',
    on: OrderPlaced,
    waits: [ParcelScanned],
    run: async (order, { sleep, waitFor }) => {
      await sleep('1h');
      const scanned = await waitFor(ParcelScanned, {
        key: order.data.orderId,
        within: '2h',
        where: ({ data }) => data.ok,
      });
      return scanned === null ? 'late' : `scanned ${scanned.data.place}`;
    },
  });
  const kit = await start([wait]);
  const result = async (key: string): Promise<unknown> =>
    (await kit.app.workflow(wait, { key })).result({ within: '10s' });
  await kit.publish(
    ...['before', 'during', 'never'].map((orderId) => OrderPlaced({ orderId, pence: 1 })),
    ParcelScanned({ parcelId: 'before', ok: false, place: 'lost' }),
    ParcelScanned({ parcelId: 'before', ok: true, place: 'depot' }),
  );
  await kit.settled();
  await kit.advance('61m');
  expect(await result('before')).toBe('scanned depot');
  await eventually(
    async () => (await rows(kit, 'select from factline.workflow_waits')).length === 2,
    'both wait',
  );
  await kit.publish(ParcelScanned({ parcelId: 'during', ok: true, place: 'door' }));
  expect(await result('during')).toBe('scanned door');
  await kit.advance('4h');
  expect(await result('never')).toBe('late');
  expect(await rows(kit, 'select from factline.workflow_waits')).toEqual([]);
});

test('a loop of waits gets each event once, in order', async () => {
  const collect = defineWorkflow({
    name: 'collect',
    on: OrderPlaced,
    waits: [ParcelScanned],
    run: async (order, { waitFor }) => {
      const places: string[] = [];
      while (places.length < 4) {
        const scanned = await waitFor(ParcelScanned, { key: order.data.orderId });
        places.push(scanned.data.place);
      }
      return places;
    },
  });
  const kit = await start([collect]);
  const scans = (...places: string[]): readonly Draft[] =>
    places.map((place) => ParcelScanned({ parcelId: 'A', ok: true, place }));
  await kit.publish(OrderPlaced({ orderId: 'A', pence: 1 }), ...scans('a', 'b'));
  await kit.settled();
  await kit.publish(...scans('c', 'd'));
  const handle = await kit.app.workflow(collect, { key: 'A' });
  expect(await handle.result({ within: '10s' })).toEqual(['a', 'b', 'c', 'd']);
});

test('a failing step is tried again at its moment, and then once more', async () => {
  const attempts: number[] = [];
  const retry = defineWorkflow({
    name: 'retry',
    input,
    run: async (_, { step }) =>
      step(
        'shaky',
        async ({ attempt }) => {
          attempts.push(attempt);
          if (attempt < 3) throw new Error(`no ${attempt}`);
          return attempt;
        },
        { retry: { firstDelay: '1h', factor: 2 } },
      ),
  });
  const kit = await start([retry]);
  const handle = await kit.app.startWorkflow(retry, { key: 'A', input: { id: 'A' } });
  await kit.settled();
  expect(
    await rows(kit, "select state, attempts, error->>'message' as error from factline.workflow_journal"),
  ).toEqual([{ state: 'pending', attempts: 1, error: 'no 1' }]);
  await kit.advance('61m');
  await kit.settled();
  expect(attempts).toEqual([1, 2]);
  await kit.advance('121m');
  expect(await handle.result({ within: '10s' })).toBe(3);
});

test('a second start is rejected, joined or queued', async () => {
  const make = (onDuplicate: 'reject' | 'join' | 'queue') =>
    defineWorkflow({
      name: `twice-${onDuplicate}`,
      input,
      onDuplicate,
      run: async ({ id }, { sleep }) => {
        await sleep('1h');
        return id;
      },
    });
  const [reject, join, queue] = [make('reject'), make('join'), make('queue')];
  const kit = await start([reject, join, queue]);
  const begin = (workflow: typeof reject, id: string) =>
    kit.app.startWorkflow(workflow, { key: 'K', input: { id } });
  const firsts = await Promise.all([reject, join, queue].map((workflow) => begin(workflow, 'first')));
  await expect(begin(reject, 'second')).rejects.toMatchObject({
    code: 'WORKFLOW_RUNNING',
    details: { id: firsts[0]?.id },
  });
  expect((await begin(join, 'second')).id).toBe(firsts[1]?.id);
  const queued = await begin(queue, 'second');
  expect(await queued.status()).toBe('queued');
  await kit.settled();
  await kit.advance('61m');
  expect(await Promise.all(firsts.map((handle) => handle.result({ within: '10s' })))).toEqual([
    'first',
    'first',
    'first',
  ]);
  await eventually(async () => (await queued.status()) === 'waiting', 'the queued one has begun');
  await kit.advance('61m');
  expect(await queued.result({ within: '10s' })).toBe('second');
});
