import { defineHandler } from 'factline';
import {
  OrderCancelled,
  PaymentCaptured,
  PaymentDeclined,
  StockRefused,
  StockReserved,
} from '../../contracts/index.ts';
import { advanceOrder, stopOrder } from './decisions.ts';

/**
 * The choreography's fulfilment. A cancellation that comes after packing, or leaves something of the order open, changes
 * nothing here: the order ships, and the cancelled units come back as a return.
 */
export function fulfilment() {
  return defineHandler({
    name: 'fulfilment',
    owner: 'fulfilment',
    on: [StockReserved, StockRefused, PaymentCaptured, PaymentDeclined, OrderCancelled],
    reads: {
      [StockReserved.type]: ['orderId'],
      [StockRefused.type]: ['orderId'],
      [PaymentCaptured.type]: ['orderId'],
      [PaymentDeclined.type]: ['orderId'],
      [OrderCancelled.type]: ['orderId', 'whole'],
    },
    startAt: 'beginning',
    onReplay: 'skip',
    concurrency: 4,
    handle: async (event, { transaction }) => {
      const { orderId } = event.data;
      switch (event.type) {
        case StockReserved.type:
          return transaction((tx) => advanceOrder(tx, orderId, 'reserved'));
        case PaymentCaptured.type:
          return transaction((tx) => advanceOrder(tx, orderId, 'paid'));
        case StockRefused.type:
          return transaction((tx) => stopOrder(tx, orderId, 'out of stock'));
        case PaymentDeclined.type:
          return transaction((tx) => stopOrder(tx, orderId, 'payment declined'));
        case OrderCancelled.type:
          if (event.data.whole) await transaction((tx) => stopOrder(tx, orderId, 'cancelled'));
      }
    },
  });
}
