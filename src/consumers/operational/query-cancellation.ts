import type { Database, GuardedClient } from '../../postgres/index.ts';
import { loadQueries, run } from '../../postgres/index.ts';

const sql = loadQueries<'cancel_query'>(new URL('./query-cancellation.sql', import.meta.url));

export interface CancellableWork {
  /** Ends the wait with `reason`. */
  cancel(reason: unknown): void;
  /** Waits for the work, but no longer than until `cancel`. */
  until<T>(work: Promise<T>): Promise<T>;
}

/**
 * The work of a transaction that can be given up. What the server still runs for it is then cancelled, before the transaction
 * rolls back: a query that hangs would keep its row locks, and the next attempt would wait for them.
 */
export const cancellableWork = (database: Database, client: GuardedClient): CancellableWork => {
  const { promise: cancelled, reject } = Promise.withResolvers<never>();
  // Also when nobody waits any more.
  cancelled.catch(() => {});
  let given: { readonly reason: unknown } | null = null;
  // The cancelled query's own error may come first: it is not why the work ended.
  const explain = (error: unknown): never => {
    throw given === null ? error : given.reason;
  };
  return {
    cancel: (reason) => {
      given ??= { reason };
      const processId = (client as unknown as { processID: number }).processID;
      // The connection is still this transaction's while we wait for the answer, so nobody else's query can be hit.
      run(database.operations, sql.cancel_query, [processId]).then(
        () => reject(reason),
        () => reject(reason),
      );
    },
    until: (work) => Promise.race([work.catch(explain), cancelled]),
  };
};
