import { afterEach, expect, test } from 'vitest';
import { OrderPaid, OrderPlaced, placed, useTestBench } from '../../../test/operational/fixtures.ts';
import { type EndedSpan, forgetSdk, installSdk } from '../../../test/spans.ts';
import { TransientError } from '../../foundation/index.ts';
import { defineHandler } from './define-handler.ts';

const bench = useTestBench();
afterEach(forgetSdk);

const payment = defineHandler({
  name: 'payment',
  on: [OrderPlaced],
  handle: async ({ data }, { effect, transaction }) => {
    await effect('charge', async () => 'ch_1');
    await transaction(async (tx) => tx.publish(OrderPaid({ orderId: data.orderId, n: data.n })));
  },
});

/** From the first span down: `publish > handle payment > effect charge`. */
const paths = (ended: readonly EndedSpan[]): string[] => {
  const byId = new Map(ended.map((span) => [span.spanId, span]));
  const named = ({ name, attributes }: EndedSpan): string => {
    const of = attributes['factline.effect'] ?? attributes['factline.consumer'] ?? '';
    return `${name.replace('factline.', '')} ${of}`.trim();
  };
  const pathOf = (span: EndedSpan): string => {
    const above = span.parent === undefined ? undefined : byId.get(span.parent);
    return above === undefined ? named(span) : `${pathOf(above)} > ${named(span)}`;
  };
  return ended.map(pathOf);
};

test('one trace leads from the publish through handlers and effects of several processes', async () => {
  const ended = installSdk();
  const mail = defineHandler({
    name: 'mail',
    on: [OrderPaid],
    handle: async (_event, { effect }) => {
      await effect('send', async () => null);
    },
  });
  const publisher = await bench.launch({ definitions: [] });
  await bench.launch({ definitions: [payment] });
  await bench.launch({ definitions: [mail] });
  await publisher.telemetry.withSpan({ name: 'factline.publish', attributes: {} }, () =>
    publisher.publish(placed('A1', 1)),
  );
  const sent = 'publish > handle payment > publish > handle mail > effect send';
  await expect.poll(() => paths(ended), { timeout: 15_000 }).toContain(sent);
  await expect
    .poll(() => paths(ended), { timeout: 15_000 })
    .toContain('publish > handle payment > publish > handle mail');
  expect(paths(ended)).toContain('publish > handle payment > effect charge');
  expect(new Set(ended.map(({ traceId }) => traceId)).size).toBe(1);
}, 60_000);

test('an effect that fails has a failed span, and one that a retry takes from the ledger has none', async () => {
  const ended = installSdk();
  let calls = 0;
  const flaky = defineHandler({
    name: 'flaky',
    on: [OrderPlaced],
    handle: async (_event, { effect, attempt }) => {
      await effect('first', async () => 1);
      await effect('second', async () => {
        calls += 1;
        if (attempt === 1) throw new TransientError('the line is busy');
        return 2;
      });
    },
  });
  const process = await bench.launch({ definitions: [flaky] });
  await process.publish(placed('A1', 1));
  await process.settled();
  await expect.poll(() => calls, { timeout: 15_000 }).toBe(2);
  await process.settled();
  const effects = ended.filter(({ name }) => name === 'factline.effect');
  expect(effects.map(({ attributes, failed }) => [attributes['factline.effect'], failed])).toEqual([
    ['first', false],
    ['second', true],
    ['second', false],
  ]);
}, 60_000);
