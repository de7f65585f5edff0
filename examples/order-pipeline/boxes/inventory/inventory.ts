import { defineHandler } from 'factline';
import { OrderCancelled, OrderPlaced, OrderShipped, OrderStopped } from '../../contracts/index.ts';
import { releaseOrder, reserveOrder, returnUnits, settleReturns, takeOffShelf } from './movements.ts';
import { goodsOf } from './stock.ts';

/**
 * The choreography's inventory: stock follows the order. A cancellation that arrives between reservation and shipping does
 * not decide whether units come back: fulfilment does. Until then it is `awaited`.
 */
export function inventory() {
  const known = new Set<string>();
  return defineHandler({
    name: 'inventory',
    owner: 'inventory',
    on: [OrderPlaced, OrderCancelled, OrderStopped, OrderShipped],
    reads: {
      [OrderPlaced.type]: ['orderId', 'lines'],
      [OrderCancelled.type]: ['orderId', 'cancellationId', 'lines'],
      [OrderStopped.type]: ['orderId'],
      [OrderShipped.type]: ['orderId'],
    },
    startAt: 'beginning',
    concurrency: 3, // popular products are shared rows: more at once would only wait for one another
    handle: async (event, { transaction }) => {
      const { orderId } = event.data;
      if (OrderPlaced.is(event)) {
        const goods = goodsOf(event.data.lines);
        await transaction((tx) => reserveOrder(tx, orderId, { goods, known }));
        for (const { product } of goods) known.add(product);
        return;
      }
      await transaction(async (tx) => {
        if (OrderStopped.is(event)) return releaseOrder(tx, orderId);
        if (OrderCancelled.is(event)) return returnUnits(tx, event.data);
        await takeOffShelf(tx, orderId);
        await settleReturns(tx, orderId, 'returned');
      });
    },
  });
}
