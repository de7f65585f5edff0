import { describe, expect, test } from 'vitest';
import {
  eventually,
  OrderPaid,
  OrderPlaced,
  placed,
  useTestBench,
} from '../../../test/operational/fixtures.ts';
import { PermanentError, TransientError } from '../../foundation/index.ts';
import { defineHandler } from './define-handler.ts';

const { launch } = useTestBench();

describe('an operational handler', () => {
  test('handles each event once, each key in order', async () => {
    const seen: string[] = [];
    const handler = defineHandler({
      name: 'seen',
      on: [OrderPlaced],
      handle: async (event) => {
        seen.push(`${event.data.orderId}:${event.data.n}`);
      },
    });
    const process = await launch({ definitions: [handler] });
    const drafts = Array.from({ length: 300 }, (_, n) => placed(`A${n % 7}`, n));
    await process.publish(...drafts);
    await process.settled();
    expect(seen).toHaveLength(300);
    for (let key = 0; key < 7; key += 1) {
      const own = seen
        .filter((each) => each.startsWith(`A${key}:`))
        .map((each) => Number(each.split(':')[1]));
      expect(own).toEqual([...own].sort((a, b) => a - b));
    }
    expect(process.told.filter(({ name }) => name === 'engine.error')).toEqual([]);
  });

  test('is given the event and its context, and nothing of the engine’s own', async () => {
    const given: unknown[][] = [];
    const handle = async (...all: unknown[]): Promise<void> => void given.push(all);
    const process = await launch({
      definitions: [defineHandler({ name: 'seen', on: [OrderPlaced], handle })],
    });
    await process.publish(placed('A1'));
    await process.settled();
    expect(given.map((all) => all.length)).toEqual([2]);
  });

  test('commits its writes, its events and that the event is handled together', async () => {
    const handler = defineHandler({
      name: 'payment',
      on: [OrderPlaced],
      handle: async (event, { transaction }) => {
        await transaction(async (tx) => {
          await tx.query('insert into paid values ($1)', [event.data.orderId]);
          tx.publish(OrderPaid({ orderId: event.data.orderId, n: 1 }));
        });
      },
    });
    const process = await launch({ definitions: [handler] });
    await process.rows('create table paid (id text primary key)');
    await process.publish(...Array.from({ length: 50 }, (_, n) => placed(`A${n}`)));
    await process.settled();
    expect(await process.rows('select count(*)::int from paid')).toEqual([{ count: 50 }]);
    const published =
      await process.rows(`select e.id, e.meta->>'causationId' as cause, p.id as parent, e.meta->>'correlationId' as root
      from factline.events e join factline.events p on p.key = e.key and p.type = 'shop.order.placed.v1' where e.type = 'shop.order.paid.v1'`);
    expect(published).toHaveLength(50);
    for (const row of published) expect(row).toMatchObject({ cause: row['parent'], root: row['parent'] });
    // UUIDv8, equal on every attempt.
    expect(String(published[0]?.['id'])[14]).toBe('8');
    expect(process.told.filter(({ name }) => name === 'engine.error')).toEqual([]);
  });

  test('retries what is transient, and counts attempts', async () => {
    const attempts: number[] = [];
    const handler = defineHandler({
      name: 'flaky',
      on: [OrderPlaced],
      retry: { transient: { base: '10s' } },
      handle: async (_event, { attempt }) => {
        attempts.push(attempt);
        if (attempt < 3) throw new TransientError('busy');
      },
    });
    const process = await launch({ definitions: [handler] });
    await process.publish(placed('A1'));
    await process.settled();
    expect(await process.parked()).toMatchObject([
      { key: 'orderId=A1', state: 'retrying', attempts: 1, failure_class: 'transient' },
    ]);
    await process.advance(60);
    await process.settled();
    await process.advance(60);
    await process.settled();
    expect(attempts).toEqual([1, 2, 3]);
    expect(await process.parked()).toEqual([]);
  });

  test('parks the key of a permanent failure and nothing else, and retries in order', async () => {
    const seen: string[] = [];
    let broken = true;
    const handler = defineHandler({
      name: 'strict',
      on: [OrderPlaced],
      handle: async (event) => {
        if (broken && event.data.orderId === 'bad' && event.data.n === 1)
          throw new PermanentError('the amount is zero');
        seen.push(`${event.data.orderId}:${event.data.n}`);
      },
    });
    const process = await launch({ definitions: [handler] });
    await process.publish(placed('bad', 0), placed('bad', 1), placed('good', 1), placed('bad', 2));
    await process.settled();
    await process.publish(placed('bad', 3), placed('good', 2));
    await process.settled();
    expect(seen).toEqual(['bad:0', 'good:1', 'good:2']);
    const parked = await process.parked();
    expect(parked.map(({ state }) => state)).toEqual(['quarantined', 'waiting', 'waiting']);
    expect(parked[0]).toMatchObject({ error_message: 'the amount is zero', failure_class: 'permanent' });
    broken = false;
    expect(await process.ask('strict', 'retry', { id: parked[0]?.['id'] })).toMatchObject({ state: 'done' });
    await process.settled();
    expect(seen).toEqual(['bad:0', 'good:1', 'good:2', 'bad:1', 'bad:2', 'bad:3']);
    expect(await process.parked()).toEqual([]);
  });

  test('takes keys that look dangerous as any other: parked, retried, in order', async () => {
    const keys = [
      "'; drop table factline.events; --",
      '%s\\\\"{}$1',
      '🦄👩‍👩‍👧\u202e\ufeff',
      ' ',
      '__proto__',
      '../../etc',
      'x'.repeat(1_000),
    ];
    const seen: string[] = [];
    let broken = true;
    const handler = defineHandler({
      name: 'subject',
      on: [OrderPlaced],
      handle: async ({ data: { orderId, n } }, { effect, transaction }) => {
        if (broken) throw new PermanentError(`not ${orderId}`);
        await effect('call', async () => orderId);
        await transaction(async (tx) => tx.publish(OrderPaid({ orderId, n })));
        seen.push(`${orderId}:${n}`);
      },
    });
    const process = await launch({ definitions: [handler] });
    await process.publish(...keys.map((key) => placed(key, 1)), ...keys.map((key) => placed(key, 2)));
    await process.settled();
    const parked = await process.parked();
    expect(new Set(parked.map(({ key }) => key))).toEqual(new Set(keys.map((key) => `orderId=${key}`)));
    broken = false;
    for (const { id, state } of parked)
      if (state === 'quarantined')
        expect(await process.ask('subject', 'retry', { id })).toMatchObject({ state: 'done' });
    await eventually(async () => (await process.parked()).length === 0, 'everything handled');
    for (const key of keys)
      expect(seen.filter((each) => each.startsWith(`${key}:`))).toEqual([`${key}:1`, `${key}:2`]);
    const paid = await process.rows(
      "select key from factline.events where type = 'shop.order.paid.v1' order by position",
    );
    expect(paid).toHaveLength(2 * keys.length);
    expect(new Set(paid.map(({ key }) => key))).toEqual(new Set(keys.map((key) => `orderId=${key}`)));
  });
});
