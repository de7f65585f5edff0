import { describe, expect, test } from 'vitest';
import {
  eventually,
  OrderPaid,
  OrderPlaced,
  placed,
  useTestBench,
} from '../../../test/operational/fixtures.ts';
import type { HandlerProcess } from '../../../test/operational/handler-process.ts';
import { PermanentError, TransientError } from '../../foundation/index.ts';
import { defineHandler } from './define-handler.ts';
import type { Handler } from './handler.ts';
import { operationalSteps } from './steps.ts';

const bench = useTestBench();

/** Meets every step: an effect, a transaction, an event without one, a retry, a permanent failure. */
const allSteps = (seen: string[], calls: string[]): Handler[] => [
  defineHandler({
    name: 'ledger',
    on: [OrderPlaced],
    lanes: 2,
    retry: { transient: { base: '1ms' } },
    handle: async (event, { effect, transaction, attempt }) => {
      const { orderId, n } = event.data;
      await effect('call', async ({ idempotencyKey }) => {
        calls.push(idempotencyKey);
        return n;
      });
      if (n === 3 && attempt === 1) throw new TransientError('once more');
      if (orderId === 'bad' && n === 2) throw new PermanentError('no');
      if (n % 2 === 0) {
        await transaction(async (tx) => {
          await tx.query('insert into book values ($1, $2)', [orderId, n]);
          tx.publish(OrderPaid({ orderId, n }));
        });
      }
      seen.push(`${orderId}:${n}`);
    },
  }),
];

const drafts = ['A', 'B', 'bad'].flatMap((orderId) => [1, 2, 3, 4, 5, 6].map((n) => placed(orderId, n)));

/** What must hold whatever died when. */
const audit = async (process: HandlerProcess): Promise<void> => {
  const book = await process.rows('select key, n::int from book order by key, n');
  const expected = [2, 4, 6]
    .flatMap((n) => ['A', 'B'].map((key) => ({ key, n })))
    .sort((a, b) => a.key.localeCompare(b.key) || a.n - b.n);
  // I6: the transaction's writes and events exactly once.
  expect(book).toEqual(expected);
  expect(
    await process.rows(
      `select key, count(*)::int from factline.events where type = 'shop.order.paid.v1' group by 1 order by 1`,
    ),
  ).toEqual([
    { key: 'orderId=A', count: 3 },
    { key: 'orderId=B', count: 3 },
  ]);
  // I7: only the key of the failing event waits.
  expect((await process.parked()).map((row) => [row['key'], row['state']])).toEqual([
    ['orderId=bad', 'quarantined'],
    ...[3, 4, 5, 6].map(() => ['orderId=bad', 'waiting']),
  ]);
  // Outside effects: one key per event and effect, each recorded.
  expect(
    await process.rows(
      `select count(*)::int as n, count(distinct idempotency_key)::int as keys from factline.effects where state = 'done'`,
    ),
  ).toEqual([{ n: 14, keys: 14 }]);
};

describe('a process that dies', () => {
  for (const step of operationalSteps) {
    test(`at ${step} loses nothing, doubles nothing, keeps the order of each key`, {
      timeout: 60_000,
    }, async () => {
      const seen: string[] = [];
      const calls: string[] = [];
      let reached: () => void = () => {};
      const dead = new Promise<void>((resolve) => {
        reached = resolve;
      });
      let passes = 0;
      const suspectsFirst = step.endsWith('suspect');
      let inFlight: () => void = () => {};
      const begun = new Promise<void>((resolve) => {
        inFlight = resolve;
      });
      const setUp = await bench.launch({
        definitions: allSteps(seen, calls),
        testStep: (at) => {
          if (at !== 'operational.before-attempt') return undefined;
          inFlight();
          return new Promise<void>(() => {});
        },
      });
      await setUp.rows('create table book (key text, n int, primary key (key, n))');
      if (suspectsFirst) {
        // Suspects exist only after an unclean death: this one dies with everything in flight.
        await setUp.publish(...drafts.slice(0, 4));
        await begun;
        await setUp.kill();
      } else await setUp.stop();
      const first = await bench.launch({
        definitions: allSteps(seen, calls),
        testStep: (at) => {
          if (at !== step) return undefined;
          passes += 1;
          // Not always the first time: what went before must be remembered.
          if (passes !== (suspectsFirst ? 1 : 2)) return undefined;
          reached();
          return new Promise<void>(() => {});
        },
      });
      await first.publish(...(suspectsFirst ? drafts.slice(4) : drafts));
      await dead;
      await first.kill();
      const second = await bench.launch({ definitions: allSteps(seen, calls) });
      await eventually(async () => {
        await second.settled();
        const [row] = await second.rows('select count(*)::int as n from factline.parked');
        return row?.['n'] === 5;
      }, `all is handled after a death at ${step}`);
      await audit(second);
      for (const key of ['A', 'B']) {
        // Deliveries may repeat, but never go back behind what was handled before.
        const own = seen
          .filter((each) => each.startsWith(`${key}:`))
          .map((each) => Number(each.split(':')[1]));
        expect(
          own.every((n, index) => index === 0 || n >= (own[index - 1] ?? 0)),
          `${key}: ${own.join()}`,
        ).toBe(true);
      }
      expect(second.told.filter(({ name }) => name === 'engine.error')).toEqual([]);
    });
  }

  test('with handlers in flight has them done again by its successor, one after the other', async () => {
    const gate = new Promise<void>(() => {});
    const handled: string[] = [];
    let atOnce = 0;
    let most = 0;
    const definition = (hang: boolean): Handler =>
      defineHandler({
        name: 'subject',
        on: [OrderPlaced],
        handle: async (event) => {
          if (hang) await gate;
          atOnce += 1;
          most = Math.max(most, atOnce);
          await new Promise((resolve) => setTimeout(resolve, 20));
          atOnce -= 1;
          handled.push(event.data.orderId);
        },
      });
    const first = await bench.launch({ definitions: [definition(true)] });
    await first.publish(...Array.from({ length: 8 }, (_, n) => placed(`A${n}`)));
    await eventually(
      () => first.engine.running()[0]?.progress.lanes.some((lane) => lane.inFlight > 0) === true,
      'in flight',
    );
    await first.kill();
    const second = await bench.launch({ definitions: [definition(false)] });
    await second.settled();
    expect(handled.sort()).toEqual(Array.from({ length: 8 }, (_, n) => `A${n}`));
    expect(most).toBe(1);
    expect(await second.parked()).toEqual([]);
  });

  test('at the same event three times has that event quarantined, and the others handled', {
    timeout: 60_000,
  }, async () => {
    const handled: string[] = [];
    const definition = (kill: () => void): Handler =>
      defineHandler({
        name: 'subject',
        on: [OrderPlaced],
        handle: async (event) => {
          if (event.data.orderId === 'killer') {
            kill();
            await new Promise(() => {});
          }
          handled.push(event.data.orderId);
        },
      });
    let deaths = 0;
    for (;;) {
      let die: () => void = () => {};
      const dying = new Promise<'dying'>((resolve) => {
        die = () => resolve('dying');
      });
      const process = await bench.launch({ definitions: [definition(die)] });
      if (deaths === 0)
        await process.publish(
          ...['A', 'killer', 'B', 'C'].map((orderId) => placed(orderId)),
          placed('killer', 2),
        );
      const ending = await Promise.race([
        dying,
        eventually(
          async () => (await process.parked()).some((row) => row['state'] === 'quarantined'),
          'quarantined or dead',
        ).then(() => 'quarantined'),
      ]);
      if (ending === 'quarantined') {
        await process.settled();
        expect(await process.parked()).toMatchObject([
          {
            key: 'orderId=killer',
            state: 'quarantined',
            reason: 'killed the process',
            error_code: 'KILLED_PROCESS',
          },
          { key: 'orderId=killer', state: 'waiting' },
        ]);
        break;
      }
      deaths += 1;
      expect(deaths).toBeLessThan(6);
      await process.kill();
    }
    // Once in flight with others, then alone until it is three times on record.
    expect(deaths).toBe(4);
    expect([...new Set(handled)].sort()).toEqual(['A', 'B', 'C']);
  });
});
