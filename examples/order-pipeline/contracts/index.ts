export { ParcelCollected } from './carrier.ts';
export { OrderPacked, OrderStopped, type StopReason } from './fulfilment.ts';
export { StockRefused, StockReleased, StockReserved, StockReturned } from './inventory.ts';
export { CancellationRejected, OrderCancelled, type OrderLine, OrderPlaced } from './orders.ts';
export { PaymentCaptured, PaymentDeclined, PaymentRefunded } from './payments.ts';
export { OrderShipped, PickupRequested, PickupWithdrawn } from './shipping.ts';
