import { expect, test } from 'vitest';
import {
  eventually,
  OrderPaid,
  OrderPlaced,
  placed,
  useTestBench,
} from '../../../test/operational/fixtures.ts';
import { defineHandler } from './define-handler.ts';
import type { Handler } from './handler.ts';

const bench = useTestBench();

/** Handlers that end when the test says so. */
const held = (): { begun: Set<string>; hold: (id: string) => Promise<void>; free: (id: string) => void } => {
  const begun = new Set<string>();
  const ends = new Map<string, () => void>();
  return {
    begun,
    hold: (id) => {
      begun.add(id);
      return new Promise((resolve) => void ends.set(id, resolve));
    },
    free: (id) => ends.get(id)?.(),
  };
};

test('a suspect that waits for another consumer has a slot kept free: others cannot hold all of them', async () => {
  const { begun, hold, free } = held();
  const definitions = (): Handler[] => [
    defineHandler({
      name: 'mail',
      on: [OrderPaid],
      handle: ({ data }) => hold(`mail ${data.orderId}`),
    }),
    defineHandler({
      name: 'packing',
      on: [OrderPlaced],
      concurrency: 2,
      handle: ({ data }) => hold(`packing ${data.orderId}`),
    }),
  ];
  const first = await bench.launch({ definitions: definitions() });
  await first.publish(placed('S'), OrderPaid({ orderId: 'M', n: 0 }));
  await eventually(() => begun.size === 2, 'both are in flight');
  await first.ask('packing', 'pause', { reason: 'so that the mail is the first suspect' });
  await first.kill();

  begun.clear();
  const second = await bench.launch({ definitions: definitions() });
  await eventually(() => begun.has('mail M'), 'one suspect runs');
  await second.publish(...['A', 'B', 'C'].map((orderId) => placed(orderId)));
  await second.ask('packing', 'resume', { reason: 'now' });
  await eventually(() => begun.has('packing A'), 'what is no suspect begins beside it');
  free('mail M');
  await eventually(() => begun.has('packing S'), 'the other suspect has its turn');
  expect(begun.has('packing B')).toBe(false);

  for (const id of ['S', 'A']) free(`packing ${id}`);
  await eventually(() => begun.has('packing B') && begun.has('packing C'), 'then all slots are for all');
  for (const id of ['B', 'C']) free(`packing ${id}`);
  await second.settled();
  expect(await second.parked()).toEqual([]);
});
