import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineProjection, defineSqlProjection } from '../consumers/index.ts';
import { defineEvent, defineUpcaster } from '../contracts/index.ts';
import { given } from './given.ts';

const OrderPlaced = defineEvent({
  type: 'shop.order.placed.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), customerId: z.string(), pence: z.int() }),
});
const OrderPaid = defineEvent({
  type: 'shop.order.paid.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string() }),
});
const OrderWithdrawn = defineEvent({
  type: 'shop.order.withdrawn.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string() }),
});

const orders = defineProjection({
  name: 'orders',
  on: [OrderPlaced, OrderPaid, OrderWithdrawn],
  primaryKey: 'orderId',
  columns: { orderId: 'text', pence: 'int8', status: 'text' },
  evolve: (row, event) => {
    if (OrderPlaced.is(event)) return { pence: event.data.pence, status: 'placed' };
    if (OrderPaid.is(event)) return row && { ...row, status: 'paid' };
    return null;
  },
});

const spend = defineProjection({
  name: 'spend',
  on: [OrderPlaced],
  primaryKey: 'customerId',
  columns: { customerId: 'text', pence: 'int8', last: 'text' },
  evolve: (row, event) => ({ pence: (row?.pence ?? 0) + event.data.pence, last: event.data.orderId }),
});

const placed = (orderId: string, customerId = 'c1') => OrderPlaced({ orderId, customerId, pence: 100 });

const OrderPlacedV2 = defineEvent({
  type: 'shop.order.placed.v2',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), total: z.object({ pence: z.int() }) }),
});
const toV2 = defineUpcaster(OrderPlaced, OrderPlacedV2, ({ orderId, pence }) => ({
  orderId,
  total: { pence },
}));
const totals = defineProjection({
  name: 'totals',
  on: [OrderPlacedV2],
  primaryKey: 'orderId',
  columns: { orderId: 'text', pence: 'int8', type: 'text' },
  evolve: (_row, event) => ({ pence: event.data.total.pence, type: event.type }),
});

describe('given … when', () => {
  it('reads older events as the projection knows them, when it is told the upcasters', () => {
    const events = given(placed('A1'), OrderPlacedV2({ orderId: 'A2', total: { pence: 5 } }));
    expect(
      events
        .when(totals, { upcasters: [toV2] })
        .twice()
        .shuffled()
        .rows(),
    ).toEqual([
      { orderId: 'A1', pence: 100, type: 'shop.order.placed.v2' },
      { orderId: 'A2', pence: 5, type: 'shop.order.placed.v2' },
    ]);
    expect(events.when(totals).rows()).toHaveLength(1);
  });

  it('folds events into rows', () => {
    const scenario = given(placed('A1'), placed('A2'), OrderPaid({ orderId: 'A1' })).when(orders);
    expect(scenario.row({ orderId: 'A1' })).toEqual({ orderId: 'A1', pence: 100, status: 'paid' });
    expect(scenario.row({ orderId: 'A3' })).toBeNull();
    expect(scenario.rows().map((row) => row.orderId)).toEqual(['A1', 'A2']);
  });

  it('deletes a row for null, and ignores events the projection does not read', () => {
    expect(
      given(placed('A1'), OrderWithdrawn({ orderId: 'A1' }))
        .when(orders)
        .rows(),
    ).toEqual([]);
    expect(
      given(OrderPaid({ orderId: 'A1' }))
        .when(spend)
        .rows(),
    ).toEqual([]);
  });

  it('is the same twice, and in another order of the keys', () => {
    const events = [
      placed('A1'),
      placed('A2'),
      OrderPaid({ orderId: 'A1' }),
      OrderWithdrawn({ orderId: 'A2' }),
    ];
    expect(
      given(...events)
        .when(orders)
        .twice()
        .shuffled()
        .rows(),
    ).toHaveLength(1);
  });

  it('finds the clock, chance and memory of its own in evolve', () => {
    let calls = 0;
    const answers = [
      () => Date.now(),
      () => new Date().getFullYear(),
      () => Math.floor(Math.random() * 1e9),
      () => ++calls,
    ];
    for (const answer of answers) {
      const impure = defineProjection({
        name: 'impure',
        on: [OrderPlaced],
        primaryKey: 'orderId',
        columns: { orderId: 'text', value: 'int8' },
        evolve: () => ({ value: answer() }),
      });
      const scenario = given(placed('A1')).when(impure);
      expect(() => scenario.twice()).toThrow(/answered differently/);
    }
  });

  it('finds rows that depend on the order between keys', () => {
    const events = [placed('A1'), placed('A2'), placed('A3')];
    expect(
      given(...events)
        .when(spend)
        .row({ customerId: 'c1' }),
    ).toMatchObject({ pence: 300, last: 'A3' });
    expect(() =>
      given(...events)
        .when(spend)
        .shuffled(),
    ).toThrow(/depends on the order/);
  });

  it('finds an evolve that changes the row it was given', () => {
    const careless = defineProjection({
      name: 'careless',
      on: [OrderPlaced],
      primaryKey: 'customerId',
      columns: { customerId: 'text', seen: 'jsonb' },
      evolve: (row, event) => {
        if (row === null) return { seen: [] };
        (row.seen as string[]).push(event.data.orderId);
        return row;
      },
    });
    expect(() => given(placed('A1'), placed('A2')).when(careless).rows()).toThrow(TypeError);
  });

  it('names the excess column, the missing one, the wrong value and the promise', () => {
    const returning = (value: unknown) =>
      defineProjection({
        name: 'odd',
        on: [OrderPlaced],
        primaryKey: 'orderId',
        columns: { orderId: 'text', pence: 'int4', at: 'timestamptz?' },
        evolve: () => value as { pence: number; at: string | null },
      });
    const error = (value: unknown): string => {
      try {
        given(placed('A1')).when(returning(value)).rows();
        return 'none';
      } catch (thrown) {
        return (thrown as { code: string }).code;
      }
    };
    expect(error({ pence: 1, at: null })).toBe('none');
    expect(error({ pence: 1, at: null, status: 'x' })).toBe('PROJECTION_COLUMN_UNKNOWN');
    expect(error({ pence: 1 })).toBe('PROJECTION_VALUE_INVALID');
    expect(error({ pence: 1.5, at: null })).toBe('PROJECTION_VALUE_INVALID');
    expect(error({ pence: 2 ** 31, at: null })).toBe('PROJECTION_VALUE_INVALID');
    expect(error({ pence: 1, at: '2026-01-01T00:00:00' })).toBe('PROJECTION_VALUE_INVALID');
    expect(error({ orderId: 'A2', pence: 1, at: null })).toBe('PROJECTION_VALUE_INVALID');
    expect(error({ orderId: 'A1', pence: 1, at: '2026-01-01T00:00:00+02:00' })).toBe('none');
    expect(error(Promise.reject(new Error('late')))).toBe('PROJECTION_ASYNC');
    for (const junk of [undefined, 1, 'row', [], true]) expect(error(junk)).toBe('PROJECTION_RESULT_INVALID');
  });

  it('sends a SQL projection to testFactline', () => {
    const revenue = defineSqlProjection({
      name: 'revenue',
      on: [OrderPlaced],
      create: async () => {},
      apply: async () => {},
    });
    expect(() => given().when(revenue)).toThrow(/testFactline/);
  });
});
