import type { Database, GuardedClient } from '../../postgres/index.ts';
import { loadQueries, run } from '../../postgres/index.ts';

const sql = loadQueries<'cancel_query'>(new URL('./query-cancellation.sql', import.meta.url));

export interface Cancellable {
  readonly database: Database;
  readonly client: GuardedClient;
  readonly signal: AbortSignal;
}

/**
 * Waits for the work of a transaction, but no longer than until the signal aborts. What the server still runs for it is
 * then cancelled, before the transaction rolls back: a query that hangs would keep its row locks, and the next attempt
 * would wait for them.
 */
export const cancelOnAbort = <T>({ database, client, signal }: Cancellable, work: Promise<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    const giveUp = (): void => {
      const processId = (client as unknown as { processID: number }).processID;
      // The connection is still this transaction's while we wait for the answer, so nobody else's query can be hit.
      run(database.operations, sql.cancel_query, [processId]).then(
        () => reject(signal.reason),
        () => reject(signal.reason),
      );
    };
    work.then(
      (value) => {
        signal.removeEventListener('abort', giveUp);
        resolve(value);
      },
      (error: unknown) => {
        signal.removeEventListener('abort', giveUp);
        reject(error);
      },
    );
    if (signal.aborted) giveUp();
    else signal.addEventListener('abort', giveUp, { once: true });
  });
