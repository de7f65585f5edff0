import { formatPounds } from '../input/index.ts';
import type { ExportedEvent } from '../parity/exported-events.ts';

/** One event in plain words. */
export function sentenceOf({ type, data }: ExportedEvent): string {
  const text = (field: string): string => String(data[field] ?? '?');
  const pounds = (field: string): string => `£${formatPounds(Number(data[field] ?? 0))}`;
  const order = `Order ${text('orderId')}`;
  switch (type) {
    case 'orders.order.placed.v1':
      return `${order} was placed by customer ${text('customerId')} for ${pounds('totalPence')}`;
    case 'orders.order.cancelled.v1':
      return `${order} was cancelled ${data['whole'] === true ? 'whole' : 'in part'}: ${pounds('pence')}`;
    case 'orders.cancellation.rejected.v1':
      return `Cancellation ${text('cancellationId')} was rejected: ${text('reason')}`;
    case 'inventory.stock.reserved.v1':
      return `${order}: ${text('units')} units were reserved`;
    case 'inventory.stock.refused.v1':
      return `${order}: there is not enough stock`;
    case 'inventory.stock.released.v1':
      return `${order}: ${text('units')} units were released`;
    case 'inventory.stock.returned.v1':
      return `${order}: ${text('units')} units came back`;
    case 'payments.payment.captured.v1':
      return `${order} was paid: ${pounds('pence')}`;
    case 'payments.payment.declined.v1':
      return `${order}: the payment was declined`;
    case 'payments.payment.refunded.v1':
      return `${order}: ${pounds('pence')} were refunded`;
    case 'fulfilment.order.packed.v1':
      return `${order} was packed`;
    case 'fulfilment.order.stopped.v1':
      return `${order} was stopped: ${text('reason')}`;
    case 'shipping.order.shipped.v1':
      return `${order} was shipped as ${text('trackingNumber')}`;
    case 'shipping.pickup.requested.v1':
      return `${order} stands ready for the carrier`;
    case 'shipping.pickup.withdrawn.v1':
      return `${order}: the carrier is not to come any more`;
    case 'carrier.parcel.collected.v1':
      return `${order}: the carrier has picked up ${text('trackingNumber')}`;
    default:
      return `${type} ${text('orderId')}`;
  }
}
