import { defineHandler } from 'factline';
import { OrderPacked } from '../../contracts/index.ts';
import { shipOrder } from './parcels.ts';

/** The choreography's shipping: ships what was packed. */
export function shipping() {
  return defineHandler({
    name: 'shipping',
    owner: 'shipping',
    on: [OrderPacked],
    reads: ['orderId'],
    startAt: 'beginning',
    concurrency: 2,
    handle: async ({ data: { orderId } }, { transaction }) => transaction((tx) => shipOrder(tx, orderId)),
  });
}
