import { defineHandler } from 'factline';
import {
  CancellationRejected,
  OrderCancelled,
  OrderPacked,
  OrderPlaced,
  OrderShipped,
  OrderStopped,
  ParcelCollected,
  PaymentCaptured,
  PaymentDeclined,
  PaymentRefunded,
  PickupRequested,
  PickupWithdrawn,
  StockRefused,
  StockReleased,
  StockReserved,
  StockReturned,
} from '../contracts/index.ts';
import type { SegmentWriter } from './segment-writer.ts';

/** Writes every event of the pipeline to NDJSON files, in log order. */
export function analyticsExport({ writer }: { writer: SegmentWriter }) {
  return defineHandler({
    name: 'analytics-export',
    owner: 'insights',
    on: [
      OrderPlaced,
      OrderCancelled,
      CancellationRejected,
      StockReserved,
      StockRefused,
      StockReleased,
      StockReturned,
      PaymentCaptured,
      PaymentDeclined,
      PaymentRefunded,
      OrderPacked,
      OrderStopped,
      OrderShipped,
      PickupRequested,
      PickupWithdrawn,
      ParcelCollected,
    ],
    ordering: 'global',
    startAt: 'beginning',
    handle: async (event, { transaction }) => {
      const { id, type, key, time, recordedAt, data } = event;
      const line = JSON.stringify({ id, type, key, time, recordedAt, data });
      await writer.append(line, (written) => transaction((tx) => written.commit(tx)));
    },
  });
}
