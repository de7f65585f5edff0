import { groupInvoices, type InputTally, type Invoice, newTally, readRows } from '../input/index.ts';
import { paceOf, type Rate } from './pace.ts';
import { type Outcome, postInvoice } from './post-invoice.ts';

export interface FeedOptions {
  readonly path: string;
  readonly apiUrl: string;
  readonly rate: Rate;
  /** At most this many invoices. */
  readonly limit: number;
  readonly signal: AbortSignal;
}

export interface FeedProgress {
  readonly input: InputTally;
  accepted: number;
  ordersAccepted: number;
  readonly refused: Map<string, number>;
  finished: boolean;
}

/** Requests in flight at once. */
const CONCURRENCY = 16;

export function newProgress(): FeedProgress {
  return { input: newTally(), accepted: 0, ordersAccepted: 0, refused: new Map(), finished: false };
}

/**
 * Posts the feed to the API over HTTP. Different customers go side by side; one customer's invoices go one after the
 * other, so that a cancellation arrives after the orders it means.
 */
export async function feed(options: FeedOptions, progress: FeedProgress): Promise<void> {
  const { path, limit, signal } = options;
  const pace = await paceOf(options.rate, path, limit);
  const startedAt = performance.now();
  const lastOf = new Map<string, Promise<void>>();
  const inFlight = new Set<Promise<void>>();
  let failure: unknown;
  let index = 0;
  for await (const invoice of groupInvoices(readRows(path), progress.input, limit)) {
    await untilDue(pace(invoice, index) - (performance.now() - startedAt), signal);
    while (inFlight.size >= CONCURRENCY) await Promise.race(inFlight);
    if (signal.aborted || failure !== undefined) {
      takeBack(progress.input, invoice);
      break;
    }
    index += 1;
    const before = invoice.customerId === '' ? undefined : lastOf.get(invoice.customerId);
    const posted = post(options.apiUrl, { invoice, before, progress })
      .catch((error: unknown) => {
        failure ??= error;
      })
      .finally(() => {
        inFlight.delete(posted);
        if (lastOf.get(invoice.customerId) === posted) lastOf.delete(invoice.customerId);
      });
    inFlight.add(posted);
    if (invoice.customerId !== '') lastOf.set(invoice.customerId, posted);
  }
  await Promise.all(inFlight);
  if (failure !== undefined) throw failure;
  progress.finished = true;
}

/** An invoice that was read and not posted does not count as read: parity is checked over what was posted. */
function takeBack(input: InputTally, invoice: Invoice): void {
  input.rows -= invoice.rows.length;
  input.invoices -= 1;
  if (invoice.kind === 'cancellation') input.cancellations -= 1;
}

async function post(
  apiUrl: string,
  {
    invoice,
    before,
    progress,
  }: { invoice: Invoice; before: Promise<void> | undefined; progress: FeedProgress },
): Promise<void> {
  await before;
  count(progress, invoice, await postInvoice(apiUrl, invoice));
}

function count(progress: FeedProgress, invoice: Invoice, outcome: Outcome): void {
  const refuse = (reason: string): void => {
    progress.refused.set(reason, (progress.refused.get(reason) ?? 0) + 1);
  };
  if (outcome.kind === 'refused') {
    refuse(outcome.reason);
    return;
  }
  progress.accepted += 1;
  if (invoice.kind !== 'cancellation') progress.ordersAccepted += 1;
  for (const { reason } of outcome.rejectedLines) refuse(`cancelled line: ${reason}`);
}

/** An abort ends the wait at once. */
function untilDue(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
