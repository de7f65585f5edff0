import { defineProjection } from 'factline';
import { OrderCancelled, OrderPlaced } from '../contracts/index.ts';

/**
 * What each customer ordered and cancelled, per country: eight customers of the feed order from two. The row's key is
 * not the events' key, so `rows` names it.
 */
export const customerSpend = defineProjection({
  name: 'customer-spend',
  owner: 'insights',
  on: [OrderPlaced, OrderCancelled],
  reads: {
    [OrderPlaced.type]: ['customerId', 'country', 'totalPence'],
    [OrderCancelled.type]: ['customerId', 'country', 'pence'],
  },
  primaryKey: ['customerId', 'country'],
  columns: {
    customerId: 'text',
    country: 'text',
    orders: 'int4',
    orderedPence: 'int8',
    cancelledPence: 'int8',
  },
  rows: ({ data: { customerId, country } }) => ({ customerId, country }),
  evolve: (row, event) => {
    const { orders, orderedPence, cancelledPence } = row ?? { orders: 0, orderedPence: 0, cancelledPence: 0 };
    return OrderPlaced.is(event)
      ? { orders: orders + 1, orderedPence: orderedPence + event.data.totalPence, cancelledPence }
      : { orders, orderedPence, cancelledPence: cancelledPence + event.data.pence };
  },
});
