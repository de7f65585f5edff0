import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { describe, expect, inject, it } from 'vitest';
import { z } from 'zod';
import { defineHandler, defineWorkflow } from '../../consumers/index.ts';
import { defineEvent } from '../../contracts/index.ts';
import { type FactlineError, PermanentError } from '../../foundation/index.ts';
import { type CrashScenario, exploreCrashes, type Outside, type Saga } from '../index.ts';

const OrderPlaced = defineEvent({
  type: 'shop.order.placed.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), pence: z.int() }),
});
const OrderFulfilled = defineEvent({
  type: 'shop.order.fulfilled.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string() }),
});
const ParcelScanned = defineEvent({
  type: 'parcels.parcel.scanned.v1',
  key: 'parcelId',
  schema: z.object({ parcelId: z.string() }),
});
const OrderPaid = defineEvent({
  type: 'shop.order.paid.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), chargeId: z.string() }),
});

/** What is planted, to be found. */
interface Faults {
  readonly withoutKey?: boolean;
  readonly anotherKeyEachTime?: boolean;
  readonly outsideOfTransaction?: string;
}

const chargeCard = (outside: Outside, faults: Faults = {}) => {
  let calls = 0;
  return defineHandler({
    name: 'charge-card',
    on: OrderPlaced,
    handle: async (event, { effect, transaction }) => {
      const { orderId, pence } = event.data;
      const charge = await effect('charge', (call) => {
        calls += 1;
        const another = `${randomUUID()}-${calls}`;
        const idempotencyKey = faults.anotherKeyEachTime ? another : call.idempotencyKey;
        const request = { ...(faults.withoutKey ? {} : { idempotencyKey }), orderId, pence };
        return outside.call('charge', request, { id: `ch-${orderId}` });
      });
      await transaction(async (tx) => tx.publish(OrderPaid({ orderId, chargeId: charge.id })));
    },
  });
};

const ship = ({ outsideOfTransaction }: Faults = {}) =>
  defineHandler({
    name: 'ship',
    on: OrderPaid,
    handle: async ({ data }, { transaction }) => {
      const insert = 'insert into shipments values ($1)';
      if (outsideOfTransaction !== undefined) {
        const client = new pg.Client({ connectionString: outsideOfTransaction });
        client.on('error', () => {});
        await client.connect();
        await client.query(insert, [data.orderId]).finally(() => client.end());
      }
      await transaction(async (tx) => {
        if (outsideOfTransaction === undefined) await tx.query(insert, [data.orderId]);
      });
    },
  });

const orderPlaced = OrderPlaced({ orderId: 'A1', pence: 4200 });
const shop: Saga = (outside) => [chargeCard(outside), ship()];
const scenario: CrashScenario = {
  setUp: ({ query }) => query('create table shipments (order_id text)'),
  begin: ({ publish }) => publish(orderPlaced),
  invariant: async ({ query }) => {
    expect(await query('select * from shipments')).toEqual([{ order_id: 'A1' }]);
  },
  parallel: 2,
};
const explore = (saga: Saga, more: Partial<CrashScenario> = {}) =>
  exploreCrashes(saga, { server: inject('databaseUrl'), ...scenario, ...more });
const broken = async (exploring: Promise<unknown>): Promise<FactlineError> =>
  exploring.then(
    () => expect.fail('it was not found'),
    (error: FactlineError) => error,
  );

describe('exploreCrashes', { timeout: 600_000 }, () => {
  it('tries a crash and a failure at every step of a saga of handlers', async () => {
    const report = await explore(shop);
    expect(report).toMatchObject({ notReached: [], coverage: 1 });
    for (const [handler, step] of [
      ['charge-card · shop.order.placed.v1', 'effect charge · before the call'],
      ['charge-card · shop.order.placed.v1', 'transaction · before the commit'],
      ['ship · shop.order.paid.v1', 'transaction · before the commit'],
    ])
      for (const kind of ['crash', 'transient failure', 'permanent failure'])
        expect(report.covered).toContain(`${kind} at ${handler} · ${step}`);
    expect(report.covered.filter((injection) => injection.startsWith('crash at'))).toHaveLength(9);
  });

  it('finds an effect without an idempotency key, and says how to see it again', async () => {
    const saga: Saga = (outside) => [chargeCard(outside, { withoutKey: true }), ship()];
    const error = await broken(explore(saga, { seed: 7 }));
    expect(error).toMatchObject({ code: 'SAGA_BROKEN', details: { seed: 7 } });
    expect(error.message).toContain(
      'charge {"orderId":"A1","pence":4200} was done 2 times, without an idempotency key',
    );
    const only = String(error.details['injection']);
    expect(only).toMatch(
      /^(crash|lost answer) at charge-card · shop\.order\.placed\.v1 · effect charge · after the call$/,
    );
    expect(error.remedy).toContain(`{ only: "${only}", seed: 7 }`);
    const again = await broken(explore(saga, { only, seed: 7 }));
    expect(again.details).toMatchObject({ injection: only });
    expect(await explore(shop, { only })).toMatchObject({ runs: 2, covered: [only] });
  });

  it('finds an effect under another key each time', async () => {
    const saga: Saga = (outside) => [chargeCard(outside, { anotherKeyEachTime: true }), ship()];
    const only = 'lost answer at charge-card · shop.order.placed.v1 · effect charge · after the call';
    const error = await broken(explore(saga, { only }));
    expect(error.message).toContain('was done 2 times, under 2 different idempotency keys');
  });

  it('finds a write that is not in the transaction', async () => {
    const saga: Saga = (outside, { databaseUrl }) => [
      chargeCard(outside),
      ship({ outsideOfTransaction: databaseUrl }),
    ];
    const only = 'crash at ship · shop.order.paid.v1 · transaction · before the commit';
    const error = await broken(explore(saga, { only }));
    expect(error.message).toContain('at ship · shop.order.paid.v1 · transaction · before the commit');
    expect(error.message).toContain('to deeply equal');
  });

  it('says so at once when the saga does not even work undisturbed', async () => {
    const error = await broken(explore(shop, { begin: async () => {} }));
    expect(error.message).toContain('nothing, the undisturbed run');
  });

  it('tells what a scenario never gets to', async () => {
    const cancelled = defineHandler({
      name: 'ship',
      on: [OrderPaid, OrderFulfilled],
      handle: async () => {},
    });
    const report = await explore((outside) => [chargeCard(outside), cancelled], {
      invariant: () => {},
    });
    expect(report.notReached).toEqual(['ship · shop.order.fulfilled.v1 · never delivered']);
    expect(report.coverage).toBeLessThan(1);
  });

  it('delivers everything twice, in another order between keys each time, when it is told to', async () => {
    const deliveries: string[] = [];
    const watched: Saga = (outside) => [
      chargeCard(outside),
      defineHandler({
        name: 'ship',
        on: OrderPaid,
        handle: async ({ data }, { transaction }) => {
          deliveries.push(data.orderId);
          await transaction(
            async (tx) => void (await tx.query('insert into shipments values ($1)', [data.orderId])),
          );
        },
      }),
    ];
    const orders = Array.from({ length: 6 }, (_, n) => OrderPlaced({ orderId: `A${n}`, pence: 1 }));
    const report = await explore(watched, {
      only: 'crash at ship · shop.order.paid.v1 · begins',
      begin: ({ publish }) => publish(...orders),
      invariant: async ({ query, outside }) => {
        expect(
          await query('select count(*)::int as n, count(distinct order_id)::int as orders from shipments'),
        ).toEqual([{ n: 6, orders: 6 }]);
        expect(outside.effects('charge')).toHaveLength(6);
      },
      duplicates: true,
      reordering: true,
      parallel: 1,
    });
    expect(report.runs).toBe(2);
    for (const { data } of orders)
      expect(deliveries.filter((orderId) => orderId === data.orderId).length).toBeGreaterThanOrEqual(4);
    const firsts = (half: string[]): string => [...new Set(half)].join();
    const sorted = orders.map(({ data }) => data.orderId).join();
    expect([firsts(deliveries.slice(0, 12)), firsts(deliveries.slice(12))]).not.toEqual([sorted, sorted]);
  });
});

const fulfil = (outside: Outside, { withoutUndo = false }: { readonly withoutUndo?: boolean } = {}) =>
  defineWorkflow({
    name: 'fulfil-order',
    on: OrderPlaced,
    waits: ParcelScanned,
    run: async ({ data: { orderId, pence } }, { step, sleep, waitFor, publish }) => {
      await step.transaction(
        'reserve',
        async (tx) => void (await tx.query('update stock set reserved = reserved + 1')),
        withoutUndo
          ? {}
          : {
              undo: (_, { idempotencyKey }) =>
                outside.call('release', { idempotencyKey, orderId }, undefined),
            },
      );
      await step(
        'charge',
        ({ idempotencyKey }) => outside.call('charge', { idempotencyKey, orderId, pence }, 'ch-1'),
        {
          undo: (id, { idempotencyKey }) => outside.call('refund', { idempotencyKey, id, pence }, undefined),
        },
      );
      await sleep('1d');
      await step('ship', ({ idempotencyKey }) => outside.call('ship', { idempotencyKey, orderId }, null));
      const scanned = await waitFor(ParcelScanned, { key: orderId, within: '2d' });
      if (scanned === null) throw new PermanentError('the carrier never scanned it');
      publish(OrderFulfilled({ orderId }));
    },
  });

describe('exploreCrashes with a workflow', { timeout: 600_000 }, () => {
  /** Either everything has happened, or nothing is left of it. */
  const allOrNothing: Partial<CrashScenario> = {
    setUp: ({ query }) => query('create table stock as select 0 as reserved'),
    reactions: { ship: (_effect, { publish }) => publish(ParcelScanned({ parcelId: 'A1' })) },
    invariant: async ({ query, outside }) => {
      const [{ reserved } = { reserved: 0 }] = await query<{ reserved: number }>(
        'select reserved from stock',
      );
      const fulfilled = await query("select from factline.events where type = 'shop.order.fulfilled.v1'");
      expect({
        reserved: reserved - outside.effects('release').length,
        charged: outside.effects('charge').length - outside.effects('refund').length,
      }).toEqual({ reserved: fulfilled.length, charged: fulfilled.length });
    },
  };

  it('tries every step, and every compensation that a failure leads to', async () => {
    const report = await explore((outside) => fulfil(outside), allOrNothing);
    expect(report).toMatchObject({ notReached: [], coverage: 1 });
    expect(report.covered).toContain(
      'permanent failure at fulfil-order · step charge · before the call, then crash at fulfil-order · undo reserve · after the call',
    );
    expect(report.covered).toContain('crash at fulfil-order · after the wait for parcels.parcel.scanned.v1');
    expect(report.covered).toContain('crash at Factline · at rest, before the next timer');
  });

  it('does everything twice and out of turn when it is told to, and its day of sleep passes at once', async () => {
    const orders = ['A1', 'A2', 'A3'];
    const only = 'crash at fulfil-order · step charge · after the call';
    const report = await explore((outside) => fulfil(outside), {
      ...allOrNothing,
      begin: ({ publish }) => publish(...orders.map((orderId) => OrderPlaced({ orderId, pence: 1 }))),
      reactions: {
        ship: ({ request }, { publish }) =>
          publish(ParcelScanned({ parcelId: (request as { readonly orderId: string }).orderId })),
      },
      invariant: async (saga) => {
        await allOrNothing.invariant?.(saga);
        const started = await saga.query('select state from factline.workflow_instances');
        expect(started.map(({ state }) => state)).toEqual(orders.map(() => 'completed'));
        for (const effect of ['charge', 'ship'])
          expect(saga.outside.effects(effect)).toHaveLength(orders.length);
      },
      only,
      duplicates: true,
      reordering: true,
    });
    expect(report).toMatchObject({ runs: 2, covered: [only] });
  });

  it('finds a missing undo', async () => {
    const only = 'permanent failure at fulfil-order · step charge · before the call';
    const saga: Saga = (outside) => fulfil(outside, { withoutUndo: true });
    const error = await broken(explore(saga, { ...allOrNothing, only }));
    expect(error.details['injection']).toBe(only);
    expect(error.message).toContain('to deeply equal');
  });
});
