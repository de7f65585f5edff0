import { describe, expect, it } from 'vitest';
import {
  eventually,
  OrderPaid,
  OrderPlaced,
  placed,
  useTestBench,
} from '../../../test/operational/fixtures.ts';
import { measure } from '../../operations/index.ts';
import { defineHandler } from './define-handler.ts';
import type { Handler } from './handler.ts';

const bench = useTestBench();
const paid = (orderId: string, n: number) => OrderPaid({ orderId, n });

/** What was handled, as `A1 placed 0`. */
const recording = (seen: string[], during?: (key: string) => Promise<void>): Handler =>
  defineHandler({
    name: 'payment',
    on: [OrderPlaced, OrderPaid],
    startAt: 'beginning',
    handle: async (event) => {
      const { orderId, n } = event.data;
      await during?.(orderId);
      seen.push(`${orderId} ${event.type.split('.')[2]} ${n}`);
    },
  });
const ofKey = (seen: readonly string[], key: string): string[] =>
  seen.filter((each) => each.startsWith(`${key} `));

describe('a key that a person has paused', () => {
  it('waits, with everything behind it and nothing skipped, while others flow, and goes on in order', async () => {
    const seen: string[] = [];
    const process = await bench.launch({ definitions: [recording(seen)] });
    await process.publish(placed('A', 0), placed('B', 0));
    await eventually(() => seen.length === 2, 'both are handled');
    const pausing = { actor: 'ada', reason: 'a refund is looked at', arguments: { key: 'orderId=A' } };
    expect(await process.ask('payment', 'pause', pausing)).toMatchObject({
      state: 'done',
      answer: { key: 'orderId=A', until: null },
    });
    for (let n = 1; n <= 20; n += 1) await process.publish(placed('A', n), placed('B', n));
    await eventually(() => ofKey(seen, 'B').length === 21, 'the other key flows');
    expect(ofKey(seen, 'A')).toEqual(['A placed 0']);
    await eventually(
      async () => (await process.rows(`select from factline.parked where key = 'orderId=A'`)).length === 20,
      'all of A wait',
    );
    const [verdict] = await measure({ database: process.database });
    expect(verdict).toMatchObject({
      verdict: 'OK',
      unhandled: 0,
      held: 20,
      pausedParts: [
        {
          scope: 'key',
          value: 'orderId=A',
          by: 'ada',
          reason: 'a refund is looked at',
          resumesInSeconds: null,
        },
      ],
      reasons: [
        { code: 'part-paused', text: 'the key "orderId=A" is paused by ada: a refund is looked at' },
        { code: 'part-paused', text: '20 events wait for what is paused' },
      ],
    });
    expect(await process.ask('payment', 'resume', { arguments: { key: 'orderId=A' } })).toMatchObject({
      state: 'done',
    });
    await eventually(() => ofKey(seen, 'A').length === 21, 'it goes on');
    expect(ofKey(seen, 'A')).toEqual(Array.from({ length: 21 }, (_, n) => `A placed ${n}`));
    await process.settled();
    expect(await process.rows('select from factline.parked')).toEqual([]);
  });

  it('stops also what was loaded already, from the event on that comes next', async () => {
    const seen: string[] = [];
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const process = await bench.launch({
      definitions: [recording(seen, (key) => (key === 'A' ? gate : Promise.resolve()))],
    });
    for (let n = 0; n < 10; n += 1) await process.publish(placed('A', n));
    await eventually(
      async () =>
        (await process.engine.running()[0]?.progress.lanes.some(({ inFlight }) => inFlight > 0)) ?? false,
      'the first runs',
    );
    await process.ask('payment', 'pause', { arguments: { key: 'orderId=A' } });
    release();
    await eventually(
      async () => (await process.rows(`select from factline.parked where reason = 'paused'`)).length === 9,
      'the others are put down',
    );
    expect(seen).toEqual(['A placed 0']);
    await process.ask('payment', 'resume', { arguments: { key: 'orderId=A' } });
    await eventually(() => seen.length === 10, 'they go on');
    expect(seen).toEqual(Array.from({ length: 10 }, (_, n) => `A placed ${n}`));
  });

  it('is kept waiting by a process that begins later, and by one that takes its lane over', async () => {
    const seen: string[] = [];
    const first = await bench.launch({ definitions: [recording(seen)] });
    await first.ask('payment', 'pause', { arguments: { key: 'orderId=A' } });
    await first.publish(placed('A', 0), placed('B', 0));
    await eventually(() => seen.length === 1, 'B is handled');
    await first.stop();
    const second = await bench.launch({ definitions: [recording(seen)] });
    await second.publish(placed('A', 1), placed('B', 1));
    await eventually(() => seen.length === 2, 'B is handled');
    expect(seen).toEqual(['B placed 0', 'B placed 1']);
    await second.ask('payment', 'resume', { arguments: { key: 'orderId=A' } });
    await eventually(() => seen.length === 4, 'A goes on');
    expect(ofKey(seen, 'A')).toEqual(['A placed 0', 'A placed 1']);
  });
});

describe('a type that a person has paused', () => {
  it('waits, and holds up what comes behind it in its key only', async () => {
    const seen: string[] = [];
    const process = await bench.launch({ definitions: [recording(seen)] });
    await process.ask('payment', 'pause', { arguments: { type: OrderPaid.type } });
    await process.publish(placed('A', 0), paid('A', 1), placed('A', 2), placed('B', 0));
    await eventually(() => seen.length === 2, 'what is not paused flows');
    await eventually(
      async () => (await process.rows('select from factline.parked')).length === 2,
      'the others wait',
    );
    expect(seen.toSorted()).toEqual(['A placed 0', 'B placed 0']);
    await process.ask('payment', 'resume', { arguments: { type: OrderPaid.type } });
    await eventually(() => seen.length === 4, 'it goes on');
    expect(ofKey(seen, 'A')).toEqual(['A placed 0', 'A paid 1', 'A placed 2']);
  });

  it('keeps a key waiting that a second pause holds, when the first is lifted', async () => {
    const seen: string[] = [];
    const process = await bench.launch({ definitions: [recording(seen)] });
    await process.ask('payment', 'pause', { arguments: { type: OrderPaid.type } });
    await process.ask('payment', 'pause', { arguments: { key: 'orderId=A' } });
    await process.publish(paid('A', 0), paid('B', 0));
    await eventually(
      async () => (await process.rows('select from factline.parked')).length === 2,
      'both wait',
    );
    await process.ask('payment', 'resume', { arguments: { type: OrderPaid.type } });
    await eventually(() => seen.length === 1, 'B goes on');
    expect(seen).toEqual(['B paid 0']);
    await process.ask('payment', 'resume', { arguments: { key: 'orderId=A' } });
    await eventually(() => seen.length === 2, 'A goes on');
  });

  it('is refused when the consumer does not handle it, and so is the end of a pause that there is not', async () => {
    const process = await bench.launch({ definitions: [recording([])] });
    expect(
      await process.ask('payment', 'pause', { arguments: { type: 'shop.order.lost.v1' } }),
    ).toMatchObject({
      state: 'refused',
      answer: { reason: 'payment does not handle shop.order.lost.v1' },
    });
    expect(await process.ask('payment', 'pause', { arguments: { key: 'A' } })).toMatchObject({
      state: 'refused',
      answer: { reason: 'a key is written with its field: orderId=A' },
    });
    expect(await process.ask('payment', 'resume', { arguments: { key: 'orderId=A' } })).toMatchObject({
      state: 'refused',
    });
  });
});
