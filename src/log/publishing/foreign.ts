import type { Draft } from '../../contracts/index.ts';
import type { ForeignTransaction } from '../../postgres/index.ts';
import { admitDrafts } from './admission.ts';
import { parsePositions, publishDeduplicated, publishingQueries } from './dedupe.ts';
import { startPublishSpan } from './publish-span.ts';
import { publishParameter, type StoringOptions, storeDrafts } from './stored-drafts.ts';

/**
 * Publishes in the user's own transaction of another library: the INSERT happens at the call, so publish last, after the
 * business rows are written. The positions mean something only after that transaction's commit.
 * @throws FactlineError DEDUPE_KEY_CONFLICT, PRODUCER_NOT_LISTED
 */
export const publishInForeignTransaction = async (
  drafts: readonly Draft[],
  tx: ForeignTransaction,
  options: StoringOptions,
): Promise<readonly number[]> => {
  admitDrafts(drafts, options);
  const span = startPublishSpan(drafts, options);
  try {
    const positions = await span.run(() => write(drafts, tx, options));
    span.end();
    return positions;
  } catch (error) {
    span.fail(error);
    throw error;
  }
};

const write = async (
  drafts: readonly Draft[],
  tx: ForeignTransaction,
  options: StoringOptions,
): Promise<readonly number[]> => {
  if (drafts.some((draft) => draft.dedupeKey !== undefined)) {
    return publishDeduplicated(drafts, options, (query, parameter) => tx.query(query.text, parameter));
  }
  const [row] = await tx.query(
    publishingQueries.publish.text,
    publishParameter(storeDrafts(drafts, options)),
  );
  return parsePositions(row?.['positions']);
};
