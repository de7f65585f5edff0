export { OrderPacked, OrderStopped, type StopReason } from './fulfilment.ts';
export { StockRefused, StockReleased, StockReserved, StockReturned } from './inventory.ts';
export { CancellationRejected, OrderCancelled, type OrderLine, OrderPlaced } from './orders.ts';
export { PaymentCaptured, PaymentDeclined, PaymentRefunded } from './payments.ts';
export { OrderShipped } from './shipping.ts';
