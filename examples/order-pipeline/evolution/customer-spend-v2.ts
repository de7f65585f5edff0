import { defineProjection } from 'factline';
import { OrderCancelled } from '../contracts/index.ts';
import { OrderPlacedV2 } from './order-placed-v2.ts';

/** The same table as read-models/customer-spend.ts makes, from the new event. */
export const customerSpendV2 = defineProjection({
  name: 'customer-spend',
  version: 2,
  on: [OrderPlacedV2, OrderCancelled],
  reads: {
    [OrderPlacedV2.type]: ['customerId', 'country', 'total'],
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
    return OrderPlacedV2.is(event)
      ? { orders: orders + 1, orderedPence: orderedPence + event.data.total, cancelledPence }
      : { orders, orderedPence, cancelledPence: cancelledPence + event.data.pence };
  },
});
