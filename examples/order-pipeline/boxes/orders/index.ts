export { CancellationExists, cancelOrder, type NewCancellation, rejectionOf } from './cancel-order.ts';
export type { Match } from './match-cancellation.ts';
export { type NewOrder, OrderExists, placeOrder } from './place-order.ts';
export { IdempotencyKeyReused, type RequestKey, type StoredAnswer } from './request-log.ts';
