import { describe, expect, it } from 'vitest';
import { OrderHistory } from './order-history.ts';

const placed = ['orders.order.placed.v1', {}] as const;
const reserved = ['inventory.stock.reserved.v1', {}] as const;
const captured = ['payments.payment.captured.v1', { pence: 100 }] as const;
const declined = ['payments.payment.declined.v1', {}] as const;
const packed = ['fulfilment.order.packed.v1', {}] as const;
const shipped = ['shipping.order.shipped.v1', {}] as const;
const cancelled = ['orders.order.cancelled.v1', { cancellationId: 'C1', whole: true }] as const;
const stopped = ['fulfilment.order.stopped.v1', { reason: 'cancelled' }] as const;
const released = ['inventory.stock.released.v1', {}] as const;
const returned = ['inventory.stock.returned.v1', { cancellationId: 'C1' }] as const;
const refunded = ['payments.payment.refunded.v1', { pence: 100 }] as const;

type Step = readonly [string, Readonly<Record<string, unknown>>];

function faults(...steps: readonly Step[]): string[] {
  const history = new OrderHistory();
  for (const [type, data] of steps)
    history.add({ id: '1', key: 'orderId=1', type, data: { orderId: '1', ...data } });
  return history.impossible;
}

describe('an order', () => {
  it.each([
    ['ships', [placed, captured, reserved, packed, shipped]],
    ['ships and comes back', [placed, reserved, captured, packed, shipped, cancelled, refunded, returned]],
    [
      'is cancelled while it is packed',
      [placed, reserved, captured, packed, cancelled, shipped, returned, refunded],
    ],
    ['is cancelled in time', [placed, reserved, cancelled, captured, stopped, refunded, released]],
    [
      'is declined',
      [placed, declined, reserved, ['fulfilment.order.stopped.v1', { reason: 'payment declined' }], released],
    ],
  ] as const)('%s', (_, steps) => {
    expect(faults(...steps)).toEqual([]);
  });

  it.each([
    ['is placed twice', [placed, placed]],
    ['is reserved before it is placed', [reserved, placed]],
    ['is packed unpaid', [placed, reserved, packed]],
    ['is shipped unpacked', [placed, reserved, captured, shipped]],
    ['is shipped twice', [placed, reserved, captured, packed, shipped, shipped]],
    ['is stopped after it was packed', [placed, reserved, captured, packed, cancelled, stopped]],
    ['is stopped for no reason', [placed, reserved, stopped]],
    ['is paid and declined', [placed, captured, declined]],
    ['is refunded twice over', [placed, captured, refunded, refunded]],
    ['is cancelled twice', [placed, cancelled, cancelled]],
    ['comes back without having left', [placed, reserved, cancelled, returned]],
    ['is released while it is on its way', [placed, reserved, cancelled, captured, packed, released]],
  ] as const)('never %s', (_, steps) => {
    expect(faults(...steps)).toHaveLength(1);
  });
});
