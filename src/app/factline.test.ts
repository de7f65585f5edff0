import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineHandler, defineProjection } from '../consumers/index.ts';
import { defineEvent } from '../contracts/index.ts';
import { createFactline, type FactlineOptions } from './index.ts';

const schema = z.object({ orderId: z.string() });
const OrderPlaced = defineEvent({ type: 'shop.order.placed.v1', key: 'orderId', schema });
const orders = defineProjection({
  name: 'orders',
  on: OrderPlaced,
  primaryKey: 'orderId',
  columns: { orderId: 'text' },
  evolve: () => ({}),
});
const mail = defineHandler({ name: 'mail', on: OrderPlaced, handle: async () => {} });

const refusal = (options: unknown): unknown => {
  try {
    createFactline(options as FactlineOptions);
    return null;
  } catch (error) {
    return error;
  }
};

describe('createFactline', () => {
  it('does nothing but check its options: no connection, no file, no timer', () => {
    expect(
      createFactline({ database: 'postgres://nobody@127.0.0.1:1/nowhere', consumers: [orders, mail] }),
    ).toBeDefined();
  });

  it('takes a module, and passes over what is no consumer', () => {
    expect(refusal({ consumers: { orders, OrderPlaced, helper: () => 1, text: 'x' } })).toBeNull();
  });

  it.each([
    [
      'an unknown option',
      { consumers: [], consumer: [] },
      { code: 'OPTION_INVALID', details: { option: 'consumer' } },
    ],
    [
      'a stranger among the consumers',
      { consumers: [orders, OrderPlaced] },
      { code: 'OPTION_INVALID', details: { option: 'consumers[1]' } },
    ],
    ['no consumers', {}, { code: 'OPTION_INVALID', details: { option: 'consumers' } }],
    [
      'two consumers of one name',
      { consumers: [orders, { ...mail, name: 'orders' }] },
      { code: 'CONSUMER_DUPLICATE' },
    ],
    [
      'a former name that another one has',
      { consumers: [orders, { ...mail, formerly: ['orders'] }] },
      { code: 'CONSUMER_DUPLICATE' },
    ],
    [
      'two contracts of one type',
      {
        consumers: [orders],
        contracts: [defineEvent({ type: 'shop.order.placed.v1', key: 'orderId', schema })],
      },
      { code: 'CONTRACT_DUPLICATE' },
    ],
    ['an empty name', { consumers: [], name: '' }, { code: 'OPTION_INVALID', details: { option: 'name' } }],
    [
      'a wrong mode',
      { consumers: [], migrations: 'yes' },
      { code: 'OPTION_INVALID', details: { option: 'migrations' } },
    ],
    [
      'a wrong duration',
      { consumers: [], dedupeWindow: '30 days' },
      { code: 'OPTION_INVALID', details: { option: 'dedupeWindow' } },
    ],
  ])('refuses %s, and names it', (_what, options, error) => {
    expect(refusal(options)).toMatchObject(error);
  });
});
