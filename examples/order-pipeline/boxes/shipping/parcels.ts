import type { Tx } from 'factline';
import { OrderShipped, PickupRequested, PickupWithdrawn } from '../../contracts/index.ts';

// What shipping can be asked to do, whoever asks.

/** One parcel an order, one number a parcel. */
export const trackingNumberOf = (orderId: string): string => `GB-${orderId}`;

/** The parcel leaves the house. */
export async function shipOrder(tx: Tx, orderId: string): Promise<void> {
  const trackingNumber = trackingNumberOf(orderId);
  await tx.query('insert into shipping.shipments (order_id, tracking_number) values ($1, $2)', [
    orderId,
    trackingNumber,
  ]);
  tx.publish(OrderShipped({ orderId, trackingNumber }));
}

/** Asks the carrier to come. */
export async function requestPickup(
  tx: Tx,
  { orderId, country }: { orderId: string; country: string },
): Promise<void> {
  const trackingNumber = trackingNumberOf(orderId);
  await tx.query('insert into shipping.pickups (order_id, tracking_number) values ($1, $2)', [
    orderId,
    trackingNumber,
  ]);
  tx.publish(PickupRequested({ trackingNumber, orderId, country }));
}

/** The carrier is no longer wanted; once, however often it is said. */
export async function withdrawPickup(tx: Tx, orderId: string): Promise<void> {
  const { rowCount } = await tx.query(
    'update shipping.pickups set withdrawn = true where order_id = $1 and not withdrawn',
    [orderId],
  );
  if (rowCount === 1) tx.publish(PickupWithdrawn({ trackingNumber: trackingNumberOf(orderId), orderId }));
}
