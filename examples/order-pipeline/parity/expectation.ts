import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { parse } from 'csv-parse';

// The independent path: what must have come out, worked out from the input file alone. Nothing is imported from the
// feeder, the API or the boxes; the rules are written a second time, on purpose in another way.

export interface ExpectedOrder {
  readonly account: string;
  readonly pence: number;
  readonly lines: ReadonlyArray<{
    readonly product: string;
    readonly quantity: number;
    readonly unitPence: number;
  }>;
  /** What later cancellations took, over the whole file. */
  cancelledPence: number;
  openUnits: number;
  readonly cancelledUnits: Map<string, number>;
}

export interface Expectation {
  readonly orders: Map<string, ExpectedOrder>;
  /** Pence ordered and cancelled by `customer in country`. */
  readonly accounts: Map<string, { ordered: number; cancelled: number }>;
  /** One entry per cancellation and order that it touched: `C536506 536412`. */
  readonly cancelledOrders: Set<string>;
  rejectedCancellations: number;
  readonly refused: Map<string, number>;
}

interface Row {
  readonly stockCode: string;
  readonly quantity: number;
  readonly price: number;
}

interface Group {
  readonly customer: string;
  readonly country: string;
  readonly rows: Row[];
}

/** Units of one order line that are still open, under `customer/product`; the newest order is the last lot. */
interface Lot {
  readonly order: ExpectedOrder;
  readonly orderId: string;
  readonly unitPence: number;
  open: number;
}

export async function expectationOf(path: string, limit: number): Promise<Expectation> {
  const expectation: Expectation = {
    orders: new Map(),
    accounts: new Map(),
    cancelledOrders: new Set(),
    rejectedCancellations: 0,
    refused: new Map(),
  };
  const lots = new Map<string, Lot[]>();
  for (const [number, group] of await readGroups(path, { limit, refused: expectation.refused })) {
    if (number.startsWith('C')) cancel(expectation, lots, { number, group });
    else order(expectation, lots, { number, group });
  }
  return expectation;
}

async function readGroups(
  path: string,
  { limit, refused }: { limit: number; refused: Map<string, number> },
): Promise<Map<string, Group>> {
  const groups = new Map<string, Group>();
  const file = createReadStream(path);
  const text = path.endsWith('.gz') ? file.pipe(createGunzip()) : file;
  const rows = text.pipe(parse({ columns: true, relax_column_count: true, bom: true }));
  for await (const row of rows as AsyncIterable<Record<string, string | undefined>>) {
    const { InvoiceNo, StockCode, Quantity, UnitPrice, CustomerID, Country } = row;
    const unreadable = unreadableReason(row);
    if (unreadable !== null || InvoiceNo === undefined) {
      raise(refused, unreadable ?? 'row');
      continue;
    }
    let group = groups.get(InvoiceNo);
    if (group === undefined) {
      if (groups.size >= limit) continue;
      group = { customer: CustomerID || 'guest', country: Country ?? '', rows: [] };
      groups.set(InvoiceNo, group);
    }
    group.rows.push({ stockCode: StockCode ?? '', quantity: Number(Quantity), price: Number(UnitPrice) });
  }
  return groups;
}

function unreadableReason(row: Record<string, string | undefined>): string | null {
  if (Object.values(row).length !== 8 || row['Country'] === undefined)
    return 'row with a wrong number of fields';
  if (!/^-?\d+$/.test(row['Quantity'] ?? '')) return 'row whose quantity is no whole number';
  if (Number.isNaN(new Date(row['InvoiceDate'] ?? '').getTime())) return 'row whose date cannot be read';
  if (!row['InvoiceNo'] || !row['StockCode']) return 'row without an invoice number or a stock code';
  return null;
}

/** Pence, or null when the price is finer than a penny. */
function pence(pounds: number): number | null {
  const rounded = Math.round(pounds * 100);
  return Math.abs(pounds * 100 - rounded) > 1e-6 ? null : rounded;
}

function orderRefusal(number: string, { rows, country }: Group): string | null {
  if (country.trim() === '') return 'schema-violation';
  if (number.startsWith('A')) return 'accounting-adjustment';
  for (const { quantity, price } of rows) {
    if (quantity <= 0) return 'negative-quantity';
    if (pence(price) === null) return 'price-finer-than-a-penny';
    if (price < 0) return 'negative-price';
  }
  return null;
}

function order(
  { orders, accounts, refused }: Expectation,
  lots: Map<string, Lot[]>,
  { number, group }: { number: string; group: Group },
): void {
  const reason = orderRefusal(number, group);
  if (reason !== null) {
    raise(refused, reason);
    return;
  }
  const lines = group.rows.map(({ stockCode, quantity, price }) => {
    return { product: stockCode.trim().toUpperCase(), quantity, unitPence: pence(price) ?? 0 };
  });
  const total = lines.reduce((sum, line) => sum + line.quantity * line.unitPence, 0);
  const units = lines.reduce((sum, line) => sum + line.quantity, 0);
  const account = `${group.customer} in ${group.country}`;
  const placed: ExpectedOrder = {
    account,
    pence: total,
    lines,
    cancelledPence: 0,
    openUnits: units,
    cancelledUnits: new Map(),
  };
  orders.set(number, placed);
  const balance = accounts.get(account) ?? { ordered: 0, cancelled: 0 };
  balance.ordered += total;
  accounts.set(account, balance);
  if (group.customer === 'guest') return;
  for (const { product, quantity, unitPence } of lines) {
    const stack = lots.get(`${group.customer}/${product}`) ?? [];
    stack.push({ order: placed, orderId: number, unitPence, open: quantity });
    lots.set(`${group.customer}/${product}`, stack);
  }
}

function cancel(
  expectation: Expectation,
  lots: Map<string, Lot[]>,
  { number, group }: { number: string; group: Group },
): void {
  const { refused } = expectation;
  const refusal = cancellationRefusal(group);
  if (refusal !== null) {
    raise(refused, refusal);
    return;
  }
  const rejected: string[] = [];
  const products = group.rows.map(({ stockCode }) => stockCode.trim().toUpperCase());
  const open = new Set(
    products.filter((product) => lots.get(`${group.customer}/${product}`)?.some((lot) => lot.open > 0)),
  );
  for (const { stockCode, quantity } of group.rows) {
    const product = stockCode.trim().toUpperCase();
    const stack = lots.get(`${group.customer}/${product}`) ?? [];
    const left = stack.reduce((sum, lot) => sum + lot.open, 0);
    if (left >= -quantity) take(expectation, stack, { number, quantity: -quantity, product });
    else rejected.push(open.has(product) ? 'more than is left open' : 'no earlier order');
  }
  if (rejected.length < group.rows.length) {
    for (const reason of rejected) raise(refused, `cancelled line: ${reason}`);
    return;
  }
  expectation.rejectedCancellations += 1;
  const exceeds = rejected.includes('more than is left open');
  raise(refused, exceeds ? 'cancellation-exceeds-order' : 'cancellation-matches-no-order');
}

function cancellationRefusal({ rows, customer }: Group): string | null {
  if (rows.some(({ quantity }) => quantity >= 0)) return 'negative-quantity';
  return customer === 'guest' ? 'cancellation-without-customer' : null;
}

function take(
  { accounts, cancelledOrders }: Expectation,
  stack: readonly Lot[],
  { number, quantity, product }: { number: string; quantity: number; product: string },
): void {
  let wanted = quantity;
  for (const lot of newestFirst(stack)) {
    const units = Math.min(lot.open, wanted);
    if (units === 0) continue;
    lot.open -= units;
    wanted -= units;
    const { order: from, orderId, unitPence } = lot;
    from.openUnits -= units;
    from.cancelledPence += units * unitPence;
    from.cancelledUnits.set(product, (from.cancelledUnits.get(product) ?? 0) + units);
    const balance = accounts.get(from.account);
    if (balance !== undefined) balance.cancelled += units * unitPence;
    cancelledOrders.add(`${number} ${orderId}`);
  }
}

/** The newest order first, but the lines of one order as they stand in it. */
function newestFirst(stack: readonly Lot[]): Lot[] {
  const age = new Map(
    [...new Set(stack.map(({ orderId }) => orderId))].map((orderId, index) => [orderId, index]),
  );
  return stack.toSorted((a, b) => (age.get(b.orderId) ?? 0) - (age.get(a.orderId) ?? 0));
}

function raise(counts: Map<string, number>, reason: string): void {
  counts.set(reason, (counts.get(reason) ?? 0) + 1);
}
