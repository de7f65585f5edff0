import { describe, expect, it } from 'vitest';
import type { Mode } from '../options.ts';
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
  return faultsIn('choreographed', steps);
}

function faultsIn(mode: Mode, steps: readonly Step[]): string[] {
  const history = new OrderHistory(mode);
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

describe('an order with a workflow', () => {
  const requested = ['shipping.pickup.requested.v1', {}] as const;
  const withdrawn = ['shipping.pickup.withdrawn.v1', {}] as const;
  const collected = ['carrier.parcel.collected.v1', {}] as const;
  const because = (reason: string): Step => ['fulfilment.order.stopped.v1', { reason }];
  const ready = [placed, reserved, captured, packed, requested] as const;

  it.each([
    ['ships', [...ready, collected, shipped]],
    ['ships and comes back', [...ready, collected, shipped, cancelled, refunded, returned]],
    ['is not collected', [...ready, withdrawn, refunded, because('not collected'), released]],
    [
      'is cancelled while the carrier is awaited',
      [...ready, cancelled, withdrawn, stopped, refunded, released],
    ],
    [
      'is collected a moment too late',
      [...ready, cancelled, withdrawn, collected, stopped, refunded, released],
    ],
    ['is cancelled before it is packed', [placed, reserved, cancelled, released, stopped]],
    ['is refused by the provider', [placed, reserved, released]],
  ] as const)('%s', (_, steps) => {
    expect(faultsIn('orchestrated', steps)).toEqual([]);
  });

  it.each([
    ['ships what was not collected', [...ready, shipped]],
    ['ships what was withdrawn', [...ready, collected, withdrawn, shipped]],
    ['is paid before it is reserved', [placed, captured]],
    ['is stopped when it has left', [...ready, collected, shipped, cancelled, stopped]],
    [
      'is not collected though nobody was asked',
      [placed, reserved, captured, packed, because('not collected')],
    ],
    ['goes on after it was undone', [placed, reserved, released, captured]],
  ] as const)('never %s', (_, steps) => {
    expect(faultsIn('orchestrated', steps)).toHaveLength(1);
  });
});
