import type { InputRow, ReadRow } from './read-rows.ts';

/** One invoice of the feed: an order, a cancellation (`C…`) or an accounting adjustment (`A…`). */
export interface Invoice {
  readonly number: string;
  readonly kind: 'order' | 'cancellation' | 'adjustment';
  /** The time of its first row; one invoice may carry two timestamps a minute apart. */
  readonly placedAt: string;
  /** Empty: a guest. */
  readonly customerId: string;
  readonly country: string;
  readonly rows: readonly InputRow[];
}

export interface InputTally {
  rows: number;
  invoices: number;
  cancellations: number;
  /** Lines that are no rows at all, by reason; they are left out, the rest of their invoice is not. */
  readonly unreadable: Map<string, number>;
}

/** An invoice is complete when the file's clock, or its row counter, has moved this far past its last row. */
const QUIET_MS = 10 * 60_000;
const QUIET_ROWS = 5_000;

interface OpenInvoice {
  readonly rows: InputRow[];
  lastTime: number;
  lastRow: number;
}

export function newTally(): InputTally {
  return { rows: 0, invoices: 0, cancellations: 0, unreadable: new Map() };
}

/**
 * Groups rows into invoices. An invoice's rows may lie between another's, so none is emitted before its look-ahead has
 * passed; invoices come out in the order of their first rows, and only those inside the look-ahead are held in memory.
 *
 * @param rows the rows in file order
 * @param tally counts what was read; filled while the generator runs
 * @param limit at most this many invoices, in file order
 */
export async function* groupInvoices(
  rows: AsyncIterable<ReadRow>,
  tally: InputTally,
  limit: number = Number.POSITIVE_INFINITY,
): AsyncGenerator<Invoice, void, undefined> {
  const open = new Map<string, OpenInvoice>();
  let rowNumber = 0;
  for await (const read of rows) {
    rowNumber += 1;
    if ('unreadable' in read) {
      tally.unreadable.set(read.unreadable, (tally.unreadable.get(read.unreadable) ?? 0) + 1);
      continue;
    }
    const now = Date.parse(read.row.invoiceDate);
    yield* closeQuiet(open, tally, { now, rowNumber });
    const invoice = open.get(read.row.invoice);
    if (invoice !== undefined) {
      invoice.rows.push(read.row);
      invoice.lastTime = now;
      invoice.lastRow = rowNumber;
    } else if (tally.invoices + open.size < limit) {
      open.set(read.row.invoice, { rows: [read.row], lastTime: now, lastRow: rowNumber });
    } else if (open.size === 0) {
      return;
    }
  }
  yield* closeQuiet(open, tally, { now: Number.POSITIVE_INFINITY, rowNumber });
}

function* closeQuiet(
  open: Map<string, OpenInvoice>,
  tally: InputTally,
  at: { now: number; rowNumber: number },
): Generator<Invoice, void, undefined> {
  for (const [number, invoice] of open) {
    const quiet = at.now - invoice.lastTime > QUIET_MS || at.rowNumber - invoice.lastRow > QUIET_ROWS;
    if (!quiet) return;
    open.delete(number);
    const closed = toInvoice(number, invoice.rows);
    tally.rows += closed.rows.length;
    tally.invoices += 1;
    if (closed.kind === 'cancellation') tally.cancellations += 1;
    yield closed;
  }
}

function toInvoice(number: string, rows: readonly InputRow[]): Invoice {
  const [first] = rows;
  if (first === undefined) throw new Error(`invoice ${number} has no rows`);
  const { invoiceDate: placedAt, customerId, country } = first;
  return { number, kind: kindOf(number), placedAt, customerId, country, rows };
}

function kindOf(number: string): Invoice['kind'] {
  if (number.startsWith('C')) return 'cancellation';
  return number.startsWith('A') ? 'adjustment' : 'order';
}
