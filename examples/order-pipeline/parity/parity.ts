import type { Mode } from '../options.ts';
import {
  type ActualOrder,
  type NotificationRow,
  readCancelledOrders,
  readDeeds,
  readNotifications,
  readOrders,
  readRejectedCancellations,
  readSpend,
  readStock,
  readStrayBookings,
  type SpendRow,
  type StockRow,
} from './actuals.ts';
import { equal, equalAmounts, equalSets, type ParityCheck } from './check.ts';
import { type Expectation, expectationOf } from './expectation.ts';
import { readExportedEvents } from './exported-events.ts';
import { OrderHistory } from './order-history.ts';
import type { Reader } from './reader.ts';
import { workflowChecks } from './workflows.ts';

export interface ParityOptions {
  readonly pool: Reader;
  readonly inputPath: string;
  readonly limit: number;
  readonly analyticsDirectory: string;
  /** Refusals that the API counted, by reason. */
  readonly refused: ReadonlyMap<string, number>;
  readonly mode: Mode;
  /** How many of the payment's keys stand in quarantine; nothing of the kind where workflows fulfil the orders. */
  readonly quarantinedPayments: number;
  /** Distinct Message-IDs that the mail server received. */
  readonly mails: ReadonlySet<string>;
}

export interface Parity {
  readonly checks: readonly ParityCheck[];
  /** How many events of each type the export holds. */
  readonly events: ReadonlyMap<string, number>;
}

/** Compares the input file with every box's tables and files, along a path that shares no code with the boxes. */
export async function checkParity(options: ParityOptions): Promise<Parity> {
  const { pool } = options;
  const expectation = await expectationOf(options.inputPath, options.limit);
  const orders = await readOrders(pool);
  const cancelled = await readCancelledOrders(pool);
  const exported = await readExport(options);
  const touched = new Set(cancelled.map(({ cancellationId, orderId }) => `${cancellationId} ${orderId}`));
  return {
    checks: [
      equalAmounts('refusals by reason', expectation.refused, options.refused),
      ...moneyChecks(expectation, orders, await readSpend(pool)),
      equalSets('orders touched by cancellations', expectation.cancelledOrders, touched),
      equal(
        'cancellations rejected',
        expectation.rejectedCancellations,
        await readRejectedCancellations(pool),
      ),
      ...fateChecks(expectation, orders, options.mode),
      ...(options.mode === 'orchestrated'
        ? await workflowChecks(pool, orders)
        : [equal('keys in quarantine: payment', unpaidOf(orders).length, options.quarantinedPayments)]),
      ...providerChecks(expectation, orders, {
        mode: options.mode,
        strayBookings: await readStrayBookings(pool),
      }),
      ...stockChecks(expectation, orders, await readStock(pool)),
      ...mailChecks(expectation, orders, {
        notifications: await readNotifications(pool),
        mails: options.mails,
      }),
      equal('exported events, each once', exported.lines, exported.ids.size),
      equalAmounts('exported events by type', await readDeeds(pool), exported.types),
      equal('impossible transitions', 'none', exported.history.impossible[0] ?? 'none'),
    ],
    events: exported.types,
  };
}

function moneyChecks(
  { orders: expected, accounts }: Expectation,
  orders: readonly ActualOrder[],
  spend: readonly SpendRow[],
): ParityCheck[] {
  const ordered = mapOf(accounts, ({ ordered }) => ordered);
  const cancelled = mapOf(accounts, ({ cancelled }) => cancelled);
  return [
    equalSets('orders accepted', new Set(expected.keys()), new Set(orders.map(({ orderId }) => orderId))),
    equalAmounts(
      'pence ordered per customer and country: orders',
      ordered,
      sumBy(orders, 'account', 'pence'),
    ),
    equalAmounts(
      'pence ordered per customer and country: lines',
      ordered,
      sumBy(orders, 'account', 'linePence'),
    ),
    equalAmounts(
      'pence ordered per customer and country: customer-spend',
      ordered,
      sumBy(spend, 'account', 'orderedPence'),
    ),
    equalAmounts(
      'pence cancelled per customer and country: customer-spend',
      cancelled,
      sumBy(spend, 'account', 'cancelledPence'),
    ),
  ];
}

function fateChecks(expectation: Expectation, orders: readonly ActualOrder[], mode: Mode): ParityCheck[] {
  const decided = orders.filter(({ shipped, stopped, payment }) => {
    const fates = (shipped ? 1 : 0) + (stopped === null ? 0 : 1);
    return fates === 1 || (fates === 0 && payment === null);
  });
  const told = orders.filter((order) => order.summaryStatus === fateOf(order, expectation));
  return [
    equal('orders in one final state, or in quarantine', expectation.orders.size, decided.length),
    mode === 'orchestrated' ? undecidedCheck(expectation, orders) : quarantineCheck(expectation, orders),
    equal('order-summary tells the final state', expectation.orders.size, told.length),
  ];
}

/** The payment is asked for whatever becomes of the order, so every total of zero ends there. */
function quarantineCheck({ orders: expected }: Expectation, orders: readonly ActualOrder[]): ParityCheck {
  const worthless = [...expected.values()].filter(({ pence }) => pence === 0);
  return equal('orders in quarantine: amount is zero', worthless.length, unpaidOf(orders).length);
}

/** A workflow that is cancelled in time asks for no payment: only what was not stopped is left for a person. */
function undecidedCheck({ orders: expected }: Expectation, orders: readonly ActualOrder[]): ParityCheck {
  const left = orders.filter(({ shipped, stopped }) => !shipped && stopped === null);
  const stopped = new Set(orders.filter((order) => order.stopped !== null).map(({ orderId }) => orderId));
  const worthless = [...expected].filter(([orderId, { pence }]) => pence === 0 && !stopped.has(orderId));
  return equal('orders left to a person: amount is zero', worthless.length, left.length);
}

function unpaidOf(orders: readonly ActualOrder[]): readonly ActualOrder[] {
  return orders.filter(({ payment }) => payment === null);
}

/** The status that the boxes' tables amount to. */
function fateOf({ orderId, shipped, stopped }: ActualOrder, { orders }: Expectation): string {
  if (stopped !== null) return stopped;
  if (!shipped) return 'placed';
  return orders.get(orderId)?.openUnits === 0 ? 'returned' : 'shipped';
}

function providerChecks(
  expectation: Expectation,
  orders: readonly ActualOrder[],
  { mode, strayBookings }: { mode: Mode; strayBookings: number },
): ParityCheck[] {
  const paid = orders.filter(({ payment }) => payment === 'captured');
  const due = new Map(paid.map((order) => [order.orderId, penceOf(expectation, order)]));
  const refunds = new Map(paid.map((order) => [order.orderId, refundOf(expectation, order)]));
  // A charge that is declined is one all the same; what a workflow has declined is its authorisation.
  const charged = mode === 'orchestrated' ? ['captured'] : ['captured', 'declined'];
  const twice = orders.filter(
    ({ providerCharges, payment }) => providerCharges !== (charged.includes(payment ?? '') ? 1 : 0),
  );
  const net = new Map(orders.map((order) => [order.orderId, order.paidPence - order.refundedPence]));
  const ledger = orders.map(({ orderId, providerChargedPence, providerRefundedPence }) => {
    return [orderId, providerChargedPence - providerRefundedPence] as const;
  });
  return [
    equalAmounts('pence captured per order', due, sumBy(orders, 'orderId', 'paidPence')),
    equalAmounts('pence refunded per order', refunds, sumBy(orders, 'orderId', 'refundedPence')),
    equalAmounts('provider ledger = payments − refunds, per order', net, new Map(ledger)),
    equalAmounts(
      'order-summary = payments − refunds, per order',
      net,
      sumBy(orders, 'orderId', 'summaryNetPence'),
    ),
    equal('orders not charged exactly once', 0, twice.length + strayBookings),
  ];
}

function penceOf({ orders }: Expectation, { orderId }: ActualOrder): number {
  return orders.get(orderId)?.pence ?? 0;
}

/** What was cancelled is given back, and the rest too when the order could not be delivered. */
function refundOf({ orders }: Expectation, { orderId, stopped }: ActualOrder): number {
  const order = orders.get(orderId);
  if (order === undefined) return 0;
  const undelivered = stopped !== null && stopped !== 'cancelled';
  return undelivered ? order.pence : order.cancelledPence;
}

function stockChecks(
  expectation: Expectation,
  orders: readonly ActualOrder[],
  stock: readonly StockRow[],
): ParityCheck[] {
  const onHand = new Map(stock.map(({ product, initial }) => [product, initial]));
  const reserved = new Map<string, number>();
  const move = (shelf: Map<string, number>, product: string, units: number): void => {
    if (/^[0-9]{5}/.test(product)) shelf.set(product, (shelf.get(product) ?? 0) + units);
  };
  for (const { orderId, shipped, reservation } of orders) {
    const order = expectation.orders.get(orderId);
    if (order === undefined) continue;
    for (const { product, quantity } of order.lines) {
      if (shipped) move(onHand, product, -quantity);
      else if (reservation === 'reserved') move(reserved, product, quantity);
    }
    if (!shipped) continue;
    for (const [product, units] of order.cancelledUnits) move(onHand, product, units);
  }
  return [
    equalAmounts('stock on hand = initial − shipped + returned', onHand, sumBy(stock, 'product', 'onHand')),
    equalAmounts('stock reserved = orders not shipped yet', reserved, sumBy(stock, 'product', 'reserved')),
  ];
}

function mailChecks(
  { orders: accepted, cancelledOrders }: Expectation,
  orders: readonly ActualOrder[],
  { notifications, mails }: { notifications: readonly NotificationRow[]; mails: ReadonlySet<string> },
): ParityCheck[] {
  const stopped = orders.filter((order) => order.stopped !== null && order.stopped !== 'cancelled');
  const due = accepted.size + cancelledOrders.size + stopped.length;
  const messageIds = new Set(notifications.map(({ messageId }) => messageId));
  return [
    equal('notifications written', due, notifications.length),
    equalSets('one distinct Message-ID per notification', messageIds, mails),
  ];
}

async function readExport({ pool, analyticsDirectory, mode }: ParityOptions): Promise<{
  lines: number;
  ids: Set<string>;
  types: Map<string, number>;
  history: OrderHistory;
}> {
  const ids = new Set<string>();
  const types = new Map<string, number>();
  const history = new OrderHistory(mode);
  let lines = 0;
  for await (const event of readExportedEvents(pool, analyticsDirectory)) {
    lines += 1;
    ids.add(event.id);
    types.set(event.type, (types.get(event.type) ?? 0) + 1);
    history.add(event);
  }
  return { lines, ids, types, history };
}

function mapOf<Value>(
  source: ReadonlyMap<string, Value>,
  pick: (value: Value) => number,
): Map<string, number> {
  return new Map([...source].map(([key, value]) => [key, pick(value)]));
}

function sumBy<Row extends object>(
  rows: readonly Row[],
  key: keyof Row & string,
  amount: keyof Row & string,
): Map<string, number> {
  const sums = new Map<string, number>();
  for (const row of rows) {
    const name = String(row[key]);
    sums.set(name, (sums.get(name) ?? 0) + Number(row[amount]));
  }
  return sums;
}
