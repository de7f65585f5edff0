import { expect, test } from 'vitest';
import {
  eventually,
  OrderPaid,
  OrderPlaced,
  placed,
  useTestBench,
} from '../../../test/operational/fixtures.ts';
import type { HandlerProcess } from '../../../test/operational/handler-process.ts';
import { TransientError } from '../../foundation/index.ts';
import { defineHandler } from './define-handler.ts';
import type { Handler } from './handler.ts';

/* A rolled-back deploy: the consumer's generation reads a type that the code which runs does not know. */

const bench = useTestBench();
const paid = (orderId: string, n: number): ReturnType<typeof OrderPaid> => OrderPaid({ orderId, n });

let seen: string[] = [];
let failures = 0;

const handlerOf = (code: string, on: readonly (typeof OrderPlaced | typeof OrderPaid)[]): Handler =>
  defineHandler({
    name: 'subject',
    on: on as [typeof OrderPlaced],
    lanes: 2,
    retry: { transient: { base: '50ms' } },
    handle: async ({ data: { orderId, n } }) => {
      if (n === 0 && failures > 0) {
        failures -= 1;
        throw new TransientError('once more');
      }
      seen.push(`${code} ${orderId}:${n}`);
    },
  });

const older = (): Handler => handlerOf('older', [OrderPlaced]);
const newer = (): Handler => handlerOf('newer', [OrderPlaced, OrderPaid]);

/** The newer code has run and is gone; the older works its lanes. */
const rolledBack = async (): Promise<HandlerProcess> => {
  seen = [];
  failures = 0;
  const first = await bench.launch({ definitions: [newer()] });
  await first.stop();
  const process = await bench.launch({ definitions: [older()] });
  await eventually(() => process.engine.running()[0]?.progress.lanes.length === 2, 'it has the lanes');
  return process;
};

const parked = async (process: HandlerProcess): Promise<unknown[]> =>
  (await process.parked()).map(({ key, position, state, reason }) => [key, position, state, reason]);

/** While the older code still runs. */
const deployAgain = async (): Promise<HandlerProcess> => {
  const process = await bench.launch({ definitions: [newer()] });
  await eventually(() => process.engine.running()[0]?.progress.lanes.length === 2, 'it has the lanes');
  await process.settled();
  return process;
};

const ofKey = (key: string): string[] => seen.filter((each) => each.includes(` ${key}:`));

test('an event that no code here knows waits with all that follows in its key; other keys flow', async () => {
  const process = await rolledBack();
  await process.publish(placed('A', 1), paid('A', 2), placed('A', 3), placed('B', 4));
  await process.settled();
  expect(seen.sort()).toEqual(['older A:1', 'older B:4']);
  await process.publish(placed('A', 5), paid('C', 6));
  await process.settled();
  const waiting = [
    ['orderId=A', 2, 'waiting', 'no code'],
    ['orderId=A', 3, 'waiting', 'no code'],
  ];
  expect((await parked(process)).slice(0, 2)).toEqual(waiting);
  expect(await process.parked()).toHaveLength(4);
  expect(process.told.filter(({ name }) => name === 'engine.error')).toEqual([]);

  seen = [];
  const after = await deployAgain();
  expect(ofKey('A')).toEqual(['newer A:2', 'newer A:3', 'newer A:5']);
  expect(ofKey('C')).toEqual(['newer C:6']);
  expect(await after.parked()).toEqual([]);
});

test('it does so behind a retry, too, where it is found among the rows of its key', async () => {
  const process = await rolledBack();
  failures = 2;
  await process.publish(placed('A', 0), placed('A', 1), paid('A', 2), placed('A', 3));
  await eventually(() => ofKey('A').length === 2, 'what stands before it is handled');
  await process.settled();
  expect(ofKey('A')).toEqual(['older A:0', 'older A:1']);
  expect((await parked(process))[0]).toEqual(['orderId=A', 3, 'waiting', 'no code']);
  expect(await process.parked()).toHaveLength(2);

  const after = await deployAgain();
  expect(ofKey('A')).toEqual(['older A:0', 'older A:1', 'newer A:2', 'newer A:3']);
  expect(await after.parked()).toEqual([]);
});

test('the same code, started once more, leaves it where it is', async () => {
  const process = await rolledBack();
  await process.publish(paid('A', 1), placed('A', 2));
  await process.settled();
  await process.stop();
  const again = await bench.launch({ definitions: [older()] });
  await eventually(() => again.engine.running()[0]?.progress.lanes.length === 2, 'it has the lanes');
  await again.settled();
  expect(seen).toEqual([]);
  expect(await again.parked()).toHaveLength(2);
  const progress = again.engine.running()[0]?.progress.lanes.map(({ inFlight }) => inFlight);
  expect(progress).toEqual([0, 0]);

  await deployAgain();
  expect(seen).toEqual(['newer A:1', 'newer A:2']);
});
