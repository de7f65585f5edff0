import { expect, test } from 'vitest';
import { OrderPaid, OrderPlaced, placed, useTestBench } from '../../../test/operational/fixtures.ts';
import type { HandlerProcess } from '../../../test/operational/handler-process.ts';
import { person } from '../../../test/operational/replays.ts';
import { defineHandler, type Handler, type HandlerContext } from '../../consumers/index.ts';
import { systemClock } from '../../foundation/index.ts';
import {
  abortReplay,
  estimateReplay,
  pauseReplay,
  planReplay,
  type Replay,
  readReplay,
  reportReplay,
  requestReplay,
  resumeReplay,
  runShadow,
} from '../index.ts';

const bench = useTestBench();
const signal = new AbortController().signal;

type Placed = { readonly data: { readonly orderId: string; readonly n: number } };

const handlerOf = (handle: (event: Placed, context: HandlerContext) => Promise<void>): Handler =>
  defineHandler({ name: 'subject', on: [OrderPlaced], handle: handle as never });

let calls = 0;
const charge = async (
  { data }: Placed,
  { effect, transaction }: HandlerContext,
  pennies = data.n,
): Promise<void> => {
  await effect('charge', async () => ({ call: ++calls }));
  await transaction(async (tx) => {
    await tx.query('insert into paid (order_id) values ($1)', [data.orderId]);
    tx.publish(OrderPaid({ orderId: data.orderId, n: pennies }));
  });
};

/** Ten orders, handled and recorded. */
const handled = async (): Promise<HandlerProcess> => {
  const process = await bench.launch({ definitions: [handlerOf(charge)] });
  await process.rows('create table paid (order_id text primary key)');
  await process.publish(...Array.from({ length: 10 }, (_, n) => placed(`A${n}`, n)));
  await process.settled();
  calls = 0;
  return process;
};

/** Planned with code that is not deployed anywhere, frozen and approved by the policy. */
const approved = async (
  { database }: HandlerProcess,
  definition: Handler,
  manifest: Record<string, unknown> = {},
): Promise<{ id: number; run: (stop?: AbortSignal) => Promise<Replay> }> => {
  const pool = database.operations;
  const code = { codeVersion: 'next', definitions: [definition], contracts: [OrderPlaced] };
  const request = { actor: person('ada'), code, source: 'test', clock: systemClock };
  const id = await planReplay(pool, {
    actor: person('ada'),
    code,
    manifest: {
      title: 'Would it be the same?',
      reason: 'Before the new pricing goes live.',
      consumer: 'subject',
      selection: { source: 'log', from: 1, to: 10 },
      shadow: true,
      rate: { ceiling: 10_000 },
      ...manifest,
    },
  });
  await estimateReplay(database, { ...request, id, withoutSample: true, signal });
  await requestReplay(pool, { actor: person('ada'), id });
  return { id, run: (stop = signal) => runShadow(database, { ...request, id, signal: stop }) };
};

const untouched = async (process: HandlerProcess): Promise<void> => {
  expect(calls).toBe(0);
  expect(await process.rows('select from paid')).toHaveLength(10);
  expect(await process.rows('select from factline.events')).toHaveLength(20);
  expect(await process.rows('select from factline.inbox where replay_id > 0')).toEqual([]);
  expect(await process.parked()).toEqual([]);
};

test('code that comes to the same: every event is equal, nothing has happened, and nobody had to allow it', async () => {
  const process = await handled();
  await process.rows('truncate paid');
  const { id, run } = await approved(process, handlerOf(charge));
  expect(await run()).toMatchObject({
    state: 'done',
    mode: 'shadow',
    parity: 'every-outcome',
    approvals: { required: 0 },
    outcome: { selected: 10, equal: 10, differs: 0 },
  });
  expect((await reportReplay(process.database.operations, id)).differences).toEqual([]);
  expect(await process.rows('select from paid')).toEqual([]);
}, 30_000);

test('code that comes to something else: which events, and how, without values', async () => {
  const process = await handled();
  const { id, run } = await approved(
    process,
    handlerOf(async (event, context) => {
      const { n } = event.data;
      if (n === 1) throw new TypeError('x is not a function');
      if (n === 2) await context.effect('refund', async () => ({ call: ++calls }));
      if (n === 3) return;
      const { transaction, effect } = context;
      await effect('charge', async () => ({ call: ++calls }));
      await transaction(async (tx) =>
        tx.publish(OrderPaid({ orderId: event.data.orderId, n: n === 4 ? 99 : n })),
      );
    }),
  );
  expect(await run()).toMatchObject({
    state: 'done_with_failures',
    outcome: { selected: 10, equal: 6, differs: 4 },
  });
  const { differences } = await reportReplay(process.database.operations, id);
  expect(differences.map(({ position, findings }) => [position, findings])).toEqual([
    [2, [expect.objectContaining({ kind: 'failed', message: 'x is not a function' })]],
    [3, [{ kind: 'effect added', effect: 'refund' }]],
    [
      4,
      [
        { kind: 'effect missing', effect: 'charge' },
        { kind: 'published less', type: OrderPaid.type },
      ],
    ],
    [5, [{ kind: 'published otherwise', type: OrderPaid.type, fields: ['n'] }]],
  ]);
  await untouched(process);
}, 30_000);

test('it goes on where it was after a pause and after the end of its process, and can be aborted', async () => {
  const process = await handled();
  const pool = process.database.operations;
  const { id, run } = await approved(
    process,
    handlerOf(async () => {}),
    { rate: { ceiling: 4, floor: 1 } },
  );
  const ending = new AbortController();
  const first = run(ending.signal);
  await expect
    .poll(async () => (await readReplay(pool, id)).run.released, { timeout: 10_000 })
    .toBeGreaterThan(0);
  ending.abort();
  await first;
  const stopped = await readReplay(pool, id);
  expect(stopped).toMatchObject({ state: 'running', run: { released: 4 } });
  await pauseReplay(pool, { actor: person('ada'), id, reason: 'the machine is needed' });
  await expect(run()).rejects.toMatchObject({ code: 'REPLAY_STEP_REFUSED' });
  await resumeReplay(pool, { actor: person('ada'), id });
  const again = run();
  await expect.poll(async () => (await readReplay(pool, id)).run.released, { timeout: 10_000 }).toBe(8);
  await abortReplay(pool, { actor: person('ada'), id, reason: 'seen enough' });
  expect(await again).toMatchObject({ state: 'aborted', run: { released: 8 } });
  await untouched(process);
}, 30_000);

test('what steers a run that does something is refused', async () => {
  const process = await handled();
  const plan = (manifest: Record<string, unknown>): Promise<unknown> =>
    approved(process, handlerOf(charge), manifest);
  for (const manifest of [
    { canary: [5] },
    { effects: { policy: 'reuse' } },
    { publish: 'publish' },
    { window: { from: '01:00', to: '02:00' } },
  ])
    await expect(plan(manifest), JSON.stringify(manifest)).rejects.toMatchObject({
      code: 'REPLAY_MODE_REFUSED',
    });
  await expect(plan({ shadow: 'yes' })).rejects.toThrow('true or false');
}, 30_000);
