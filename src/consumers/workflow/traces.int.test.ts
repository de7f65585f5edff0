import { afterEach, expect, test } from 'vitest';
import { type EndedSpan, forgetSdk, installSdk } from '../../../test/spans.ts';
import { eventually, Noted, OrderPlaced, rows, useApps } from '../../../test/workflow/fixtures.ts';
import { live } from '../../../test/workflow/lives.ts';
import { PermanentError } from '../../foundation/index.ts';
import { defineHandler } from '../index.ts';
import { defineWorkflow } from './index.ts';

const launch = useApps();
afterEach(forgetSdk);

const fulfil = defineWorkflow({
  name: 'fulfil',
  on: OrderPlaced,
  retry: { firstDelay: '1ms' },
  run: async ({ data: { orderId } }, { step, sleep, publish }) => {
    await step(
      'charge',
      async ({ attempt }) => {
        if (attempt === 1) throw new Error('the line is busy');
      },
      { undo: async () => {} },
    );
    await sleep('1h');
    await step.transaction('book', async (tx) => tx.publish(Noted({ id: orderId, text: 'booked' })));
    publish(Noted({ id: orderId, text: 'ended' }));
    if (orderId === 'bad') throw new PermanentError('take it back');
  },
});
const note = defineHandler({
  name: 'note',
  on: Noted,
  handle: async ({ data }, { effect }) => {
    await effect(data.text, async () => null);
  },
});

test('the steps of an instance, its undos and what its events lead to are one trace, over sleeps and processes', async () => {
  const ended = installSdk();
  const kit = await launch({ consumers: [], contracts: [OrderPlaced, Noted] });
  const shop = { consumers: [fulfil, note], contracts: [Noted] };
  const first = await live(kit, shop);
  await kit.publish(OrderPlaced({ orderId: 'good', pence: 1 }));
  await kit.publish(OrderPlaced({ orderId: 'bad', pence: 1 }));
  const asleep = `select from factline.workflow_journal where kind = 'sleep' and state = 'pending'`;
  await eventually(async () => (await rows(kit, asleep)).length === 2, 'both sleep');
  await first.app.stop();
  const second = await live(kit, shop);
  await kit.advance('61m');
  const effects = (): EndedSpan[] => ended.filter(({ name }) => name === 'factline.effect');
  await eventually(async () => effects().length === 4, 'what they published is handled');
  const undone = (): EndedSpan[] =>
    ended.filter(({ attributes }) => attributes['factline.step'] === 'undo charge');
  await eventually(async () => undone().length === 1, 'the bad one is taken back');
  await second.app.stop();

  const ofOrder = (key: string): EndedSpan[] =>
    ended.filter(
      ({ name, attributes }) => name === 'factline.workflow.step' && attributes['factline.key'] === key,
    );
  expect(
    ofOrder('good').map(({ attributes, failed }) => [
      attributes['factline.step'],
      attributes['factline.attempt'],
      failed,
    ]),
  ).toEqual([
    ['charge', 1, true],
    ['charge', 2, false],
    ['book', 1, false],
  ]);
  expect(ofOrder('bad').map(({ attributes }) => attributes['factline.step'])).toEqual([
    'charge',
    'charge',
    'book',
    'undo charge',
  ]);
  for (const key of ['good', 'bad']) {
    const steps = ofOrder(key);
    const traceId = steps[0]?.traceId;
    expect(new Set(steps.map((span) => span.traceId))).toEqual(new Set([traceId]));
    expect(
      effects()
        .filter((span) => span.traceId === traceId)
        .map(({ attributes }) => attributes['factline.effect'])
        .sort(),
    ).toEqual(['booked', 'ended']);
    expect(
      ended.some(
        (span) => span.name === 'factline.publish' && span.traceId === traceId && span.parent === undefined,
      ),
    ).toBe(true);
  }
  expect(ofOrder('good')[0]?.traceId).not.toBe(ofOrder('bad')[0]?.traceId);
}, 60_000);
