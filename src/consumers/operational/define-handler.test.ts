import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineEvent } from '../../contracts/index.ts';
import { FactlineError, type Issue } from '../../foundation/index.ts';
import { defineHandler } from './define-handler.ts';

const OrderPlaced = defineEvent({
  type: 'shop.order.placed.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), pence: z.int() }),
});
const OrderPaid = defineEvent({
  type: 'shop.order.paid.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string() }),
});
const nothing = async (): Promise<void> => {};

const issuesOf = (make: () => unknown): readonly Issue[] => {
  try {
    make();
  } catch (error) {
    if (FactlineError.is(error, 'CONSUMER_INVALID')) return error.details['issues'] as Issue[];
    throw error;
  }
  return [];
};

describe('defineHandler', () => {
  it('fills in what is not said', () => {
    const handler = defineHandler({ name: 'payment', on: [OrderPlaced, OrderPaid], handle: nothing });
    expect(handler).toMatchObject({
      class: 'operational',
      ordering: 'key',
      lanes: 16,
      concurrency: 10,
      rate: null,
      timeoutMs: 30_000,
      startAt: 'now',
      onUnknown: 'repeat',
      retryPolicies: { transient: { attempts: 12 }, unclassified: { attempts: 4 } },
    });
    expect([...handler.types]).toEqual(['shop.order.placed.v1', 'shop.order.paid.v1']);
    expect(Object.isFrozen(handler)).toBe(true);
  });

  it('takes one contract, or a module of them', () => {
    expect(defineHandler({ name: 'a', on: OrderPlaced, handle: nothing }).contracts).toEqual([OrderPlaced]);
    const module = { OrderPlaced, OrderPaid, somethingElse: 7 } as const;
    expect(defineHandler({ name: 'a', on: { OrderPlaced, OrderPaid }, handle: nothing }).types.size).toBe(2);
    expect(module.somethingElse).toBe(7);
  });

  it('works alone and in one lane under global order', () => {
    const handler = defineHandler({ name: 'export', on: [OrderPlaced], ordering: 'global', handle: nothing });
    expect(handler).toMatchObject({ lanes: 1, concurrency: 1 });
  });

  it('reads owner, rate, retry and durations', () => {
    const handler = defineHandler({
      name: 'mail',
      owner: 'customer-care',
      on: [OrderPlaced],
      rate: '600/m',
      timeout: '2s',
      retry: { transient: { attempts: 3, base: '1s', cap: '5s' }, unclassified: { attempts: 1 } },
      handle: nothing,
    });
    expect(handler.owner).toBe('customer-care');
    expect(handler.rate).toEqual({ permits: 600, perMs: 60_000 });
    expect(handler.timeoutMs).toBe(2_000);
    expect(handler.retryPolicies.transient).toMatchObject({
      attempts: 3,
      baseMs: 1_000,
      capMs: 5_000,
      factor: 2.5,
    });
  });

  it('names everything that is wrong at once', () => {
    const wrong = {
      name: 'No Good',
      on: [OrderPlaced],
      handle: 'nothing',
      concurrency: 0,
      lanes: 5_000,
      rate: 'fast',
      timeout: 'soon',
      retry: { transient: { attempts: 0 }, poison: {} },
      ordering: 'sorted',
      startAt: -1,
      slo: { handledWithin: '1m', errorBudget: 2 },
      owner: '',
      formerly: ['Old'],
      typo: true,
    } as unknown as Parameters<typeof defineHandler>[0];
    expect(issuesOf(() => defineHandler(wrong)).map(({ path }) => path)).toEqual([
      'name',
      'formerly',
      'handle',
      'concurrency',
      'lanes',
      'timeout',
      'rate',
      'retry.transient.attempts',
      'retry.poison',
      'startAt',
      'slo.errorBudget',
      'owner',
      'ordering',
      'typo',
    ]);
  });

  it('refuses what global order cannot keep', () => {
    const issues = issuesOf(() =>
      defineHandler({
        name: 'a',
        on: [OrderPlaced],
        ordering: 'global',
        concurrency: 4,
        lanes: 2,
        handle: nothing,
      }),
    );
    expect(issues.map(({ path }) => path)).toEqual(['concurrency', 'lanes']);
  });

  it('refuses an empty list of contracts and two contracts of one type', () => {
    expect(issuesOf(() => defineHandler({ name: 'a', on: [], handle: nothing }))[0]?.path).toBe('on');
    const twin = defineEvent({
      type: 'shop.order.placed.v1',
      key: 'id',
      schema: z.object({ id: z.string() }),
    });
    expect(() => defineHandler({ name: 'a', on: [OrderPlaced, twin], handle: nothing })).toThrow(
      /Two different contracts/,
    );
  });
});

/** Never called: the compiler is the test (npx tsc); each expectation fails it when it stops being an error. */
const compiles = (): void => {
  defineHandler({
    name: 'typed',
    on: [OrderPlaced, OrderPaid],
    handle: async (event, { db, effect, transaction }) => {
      if (OrderPlaced.is(event)) event.data.pence.toFixed();
      // @ts-expect-error: the union has no pence
      event.data.pence;
      // @ts-expect-error: not a type of this consumer
      if (event.type === 'shop.order.gone.v1') return;
      const charge = await effect('charge', async ({ idempotencyKey }) => ({ chargeId: idempotencyKey }));
      charge.chargeId.toUpperCase();
      await effect('nothing', async () => {});
      // @ts-expect-error: a result that is not JSON
      await effect('date', async () => new Date());
      // @ts-expect-error: no publish outside of the transaction
      db.publish;
      const value = await transaction(async (tx) => {
        tx.publish(OrderPaid({ orderId: 'A1' }));
        // @ts-expect-error: no effect in a transaction
        tx.effect;
        return 7;
      });
      value.toFixed();
    },
  });
  // @ts-expect-error: the handler must be asynchronous
  defineHandler({ name: 'a', on: [OrderPlaced], handle: () => 7 });
  // @ts-expect-error: no such unit
  defineHandler({ name: 'a', on: [OrderPlaced], rate: '5/h', handle: nothing });
  // @ts-expect-error: a misspelt option
  defineHandler({ name: 'a', on: [OrderPlaced], concurency: 5, handle: nothing });
};

it('compiles only what is safe (checked by tsc)', () => expect(compiles).toBeTypeOf('function'));
