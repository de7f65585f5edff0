import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineHandler, defineProjection, type HandlerContext } from '../consumers/index.ts';
import { defineEvent, type EventOf, type FactEvent } from '../contracts/index.ts';
import type { FactlineError } from '../foundation/index.ts';
import { given } from './given.ts';
import { guardReads } from './guard-reads.ts';

const OrderPlaced = defineEvent({
  type: 'shop.order.placed.v1',
  key: 'orderId',
  schema: z.object({
    orderId: z.string(),
    pence: z.int(),
    customer: z.object({ name: z.string(), email: z.string() }),
    note: z.string().optional(),
  }),
});
type Placed = EventOf<typeof OrderPlaced>;
const placed = OrderPlaced({ orderId: 'A1', pence: 5, customer: { name: 'n', email: 'e' } });
const event = { ...({ type: OrderPlaced.type, id: 'i' } as FactEvent), data: placed.data };
const code = 'READ_UNDECLARED';

const reading = (read: (data: Placed['data']) => unknown) => async () => {
  const seen: FactlineError[] = [];
  const handler = defineHandler({
    name: 'mail',
    on: OrderPlaced,
    reads: ['orderId', 'customer.email'],
    handle: async ({ data }) => void read(data),
  });
  try {
    await guardReads(handler, (error) => seen.push(error)).handle(event, {} as HandlerContext);
  } finally {
    if (seen[0] !== undefined)
      expect(seen[0].details).toMatchObject({ consumer: 'mail', type: OrderPlaced.type });
  }
};

describe('a consumer that declares what it reads', () => {
  it.each([
    ['a declared field', (data: Placed['data']) => data.orderId],
    ['anything below a path’s first field', (data: Placed['data']) => data.customer.name],
    ['what every object has', (data: Placed['data']) => [String(data), Object.hasOwn(data, 'x')]],
    ['nothing, handing it on', async (data: Placed['data']) => Promise.resolve(data)],
  ])('may read %s', async (_what, read) => {
    await expect(reading(read)()).resolves.toBeUndefined();
  });

  it.each([
    ['another field', (data: Placed['data']) => data.pence],
    ['another field that is absent', (data: Placed['data']) => data.note],
    ['whether there is another field', (data: Placed['data']) => 'note' in data],
    ['all fields, with a spread', (data: Placed['data']) => ({ ...data })],
    ['the names of all fields', (data: Placed['data']) => Object.keys(data)],
    ['all fields, as JSON', (data: Placed['data']) => JSON.stringify(data)],
  ])('is told when it reads %s', async (_what, read) => {
    await expect(reading(read)()).rejects.toMatchObject({ code });
  });

  it('is not guarded when it declares nothing', () => {
    const free = defineHandler({ name: 'free', on: OrderPlaced, handle: async () => {} });
    expect(guardReads(free)).toBe(free);
  });

  it('fails a given-when-then; what the engine reads to find the row does not count', () => {
    const orders = (reads: readonly ['pence'] | readonly []) =>
      defineProjection({
        name: 'orders',
        on: OrderPlaced,
        reads,
        primaryKey: 'orderId',
        columns: { orderId: 'text', pence: 'int8' },
        evolve: (_row, { data }) => ({ pence: data.pence }),
      });
    expect(
      given(placed)
        .when(orders(['pence']))
        .rows(),
    ).toHaveLength(1);
    expect(() => given(placed).when(orders([])).rows()).toThrowError(
      expect.objectContaining({
        code,
        details: { consumer: 'orders', field: 'pence', type: OrderPlaced.type },
      }),
    );
  });
});
