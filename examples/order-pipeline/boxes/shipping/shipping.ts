import { defineHandler } from 'factline';
import { OrderPacked, OrderShipped } from '../../contracts/index.ts';

/** Ships what was packed. */
export function shipping() {
  return defineHandler({
    name: 'shipping',
    owner: 'shipping',
    on: [OrderPacked],
    reads: ['orderId'],
    startAt: 'beginning',
    onReplay: 'skip',
    concurrency: 2,
    handle: async ({ data: { orderId } }, { transaction }) => {
      const trackingNumber = `GB-${orderId}`;
      await transaction(async (tx) => {
        await tx.query('insert into shipping.shipments (order_id, tracking_number) values ($1, $2)', [
          orderId,
          trackingNumber,
        ]);
        tx.publish(OrderShipped({ orderId, trackingNumber }));
      });
    },
  });
}
