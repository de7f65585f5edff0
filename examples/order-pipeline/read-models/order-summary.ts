import { defineProjection } from 'factline';
import {
  OrderCancelled,
  OrderPacked,
  OrderPlaced,
  OrderShipped,
  OrderStopped,
  PaymentCaptured,
  PaymentRefunded,
  StockReserved,
} from '../contracts/index.ts';

/**
 * One row an order: where it stands, and its money. `status` goes from `placed` over `packed` to `shipped`, or ends as
 * `cancelled`, `payment declined` or `out of stock`; a shipped order that is cancelled whole becomes `returned`.
 */
export const orderSummary = defineProjection({
  name: 'order-summary',
  owner: 'orders',
  on: [
    OrderPlaced,
    OrderCancelled,
    StockReserved,
    PaymentCaptured,
    PaymentRefunded,
    OrderPacked,
    OrderStopped,
    OrderShipped,
  ],
  reads: {
    [OrderPlaced.type]: ['customerId', 'country', 'totalPence'],
    [OrderCancelled.type]: ['pence', 'whole'],
    [StockReserved.type]: [],
    [PaymentCaptured.type]: ['pence'],
    [PaymentRefunded.type]: ['pence'],
    [OrderPacked.type]: [],
    [OrderStopped.type]: ['reason'],
    [OrderShipped.type]: [],
  },
  primaryKey: 'orderId',
  columns: {
    orderId: 'text',
    customerId: 'text',
    country: 'text',
    placedAt: 'timestamptz',
    status: 'text',
    reserved: 'bool',
    cancelledWhole: 'bool',
    totalPence: 'int8',
    cancelledPence: 'int8',
    paidPence: 'int8',
    refundedPence: 'int8',
  },
  indexes: [['customerId']],
  evolve: (row, event) => {
    if (OrderPlaced.is(event)) {
      const { customerId, country, totalPence } = event.data;
      return {
        customerId,
        country,
        placedAt: event.time,
        status: 'placed',
        reserved: false,
        cancelledWhole: false,
        totalPence,
        cancelledPence: 0,
        paidPence: 0,
        refundedPence: 0,
      };
    }
    if (row === null) return null;
    switch (event.type) {
      case StockReserved.type:
        return { ...row, reserved: true };
      case PaymentCaptured.type:
        return { ...row, paidPence: row.paidPence + event.data.pence };
      case PaymentRefunded.type:
        return { ...row, refundedPence: row.refundedPence + event.data.pence };
      case OrderPacked.type:
        return { ...row, status: 'packed' };
      case OrderStopped.type:
        return { ...row, status: event.data.reason };
      case OrderShipped.type:
        return { ...row, status: row.cancelledWhole ? 'returned' : 'shipped' };
      case OrderCancelled.type: {
        const cancelledWhole = row.cancelledWhole || event.data.whole;
        const status = row.status === 'shipped' && cancelledWhole ? 'returned' : row.status;
        return { ...row, cancelledWhole, status, cancelledPence: row.cancelledPence + event.data.pence };
      }
    }
  },
});
