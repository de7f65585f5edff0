import { afterEach, expect, test, vi } from 'vitest';
import { OrderPlaced, placed, useTestBench } from '../../../test/operational/fixtures.ts';
import { beginReplayOf, carryOut } from '../../../test/operational/replays.ts';
import { defineHandler } from '../operational/define-handler.ts';
import { defineProjection } from '../projection/definition.ts';
import { LiveDelays } from './live-delays.ts';

const bench = useTestBench();
const handled = vi.spyOn(LiveDelays.prototype, 'handled');
afterEach(() => handled.mockClear());

const handler = (name: string) =>
  defineHandler({ name, on: OrderPlaced, onReplay: 'skip', handle: async () => undefined });
const definitions = [
  handler('subject'),
  handler('mailing'),
  defineProjection({
    name: 'orders',
    on: OrderPlaced,
    primaryKey: 'orderId',
    columns: { orderId: 'text', n: 'int4' },
    evolve: (_row, { data }) => ({ n: data.n }),
  }),
];

test('every handler and read model of a process tells of its live events, in one place; a replay’s are none', async () => {
  const process = await bench.launch({ definitions });
  await process.publish(placed('A1', 1), placed('A2', 2));
  await process.settled();
  await process.engine.idle();
  const told = handled.mock.calls.map(([consumer]) => consumer);
  expect(told.filter((name) => name !== 'orders').toSorted()).toEqual([
    'mailing',
    'mailing',
    'subject',
    'subject',
  ]);
  expect(told).toContain('orders');
  expect(new Set(handled.mock.contexts).size).toBe(1);
  const [[, recordedAt = ''] = []] = handled.mock.calls;
  expect(Math.abs(Date.now() - Date.parse(recordedAt))).toBeLessThan(60_000);
  const id = await beginReplayOf(process, { definitions });
  handled.mockClear();
  expect((await carryOut(process, definitions, id)).state).toBe('done');
  expect(handled).not.toHaveBeenCalled();
});
