import { groupInvoices, type Invoice, newTally, readRows } from '../input/index.ts';

/** How fast the feed is posted: so many invoices a second, as fast as possible, or compressed into so many seconds. */
export type Rate = 'max' | { readonly perSecond: number } | { readonly withinSeconds: number };

/** When an invoice is due, in milliseconds after the start. */
export type Pace = (invoice: Invoice, index: number) => number;

export async function paceOf(rate: Rate, path: string, limit: number): Promise<Pace> {
  if (rate === 'max') return () => 0;
  if ('perSecond' in rate) return (_invoice, index) => (index * 1000) / rate.perSecond;
  // The real gaps, shrunk: a first pass over the file finds how long it really took.
  let first = Number.NaN;
  let last = Number.NaN;
  for await (const { placedAt } of groupInvoices(readRows(path), newTally(), limit)) {
    if (Number.isNaN(first)) first = Date.parse(placedAt);
    last = Date.parse(placedAt);
  }
  const factor = last > first ? (rate.withinSeconds * 1000) / (last - first) : 0;
  return ({ placedAt }) => Math.max(0, (Date.parse(placedAt) - first) * factor);
}
