import type { Draft } from '../../contracts/index.ts';
import { type Rehearsed, rehearse, run } from '../../postgres/index.ts';
import { admitDrafts } from './admission.ts';
import { refuseContradictions } from './dedupe.ts';
import { openScope, type PublishingOptions, type Tx } from './publishing-transaction.ts';

export interface RehearsedTransaction<T> extends Rehearsed<T> {
  /** What would have been published. */
  readonly drafts: readonly Draft[];
}

/**
 * As `publishingTransaction`, but it always rolls back. Its events are only collected: an INSERT into the log would hold up every
 * reader until the end, for positions that nobody will ever see. A dedupe key that would be refused is refused.
 * @throws FactlineError DEDUPE_KEY_CONFLICT, PRODUCER_NOT_LISTED; what `rehearse` throws
 */
export const rehearsedTransaction = async <T>(
  options: PublishingOptions,
  work: (tx: Tx) => Promise<T>,
): Promise<RehearsedTransaction<T>> => {
  const drafts: Draft[] = [];
  const pool = options.pool ?? options.database.transactions;
  const rehearsed = await rehearse(pool, async (client) => {
    const scope = openScope({ client, buffer: drafts, admit: (each) => admitDrafts(each, options) });
    let value: T;
    try {
      value = await work(scope.tx);
    } finally {
      scope.close();
    }
    options.check?.(drafts);
    await refuseContradictions(drafts, options, async (query, parameter) => run(client, query, [parameter]));
    return value;
  });
  return { ...rehearsed, drafts };
};
