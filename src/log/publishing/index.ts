/** Writing events: the log's side that app.transaction, app.publish and the handlers' transactions use. */

export { admitDrafts } from './admission.ts';
export { type Cause, currentCause } from './cause.ts';
export { publishingQueries } from './dedupe.ts';
export { publishInForeignTransaction } from './foreign.ts';
export {
  type PublishingOptions,
  type PublishingResult,
  publishingTransaction,
  type Tx,
} from './publishing-transaction.ts';
export { type RehearsedTransaction, rehearsedTransaction } from './rehearsed-transaction.ts';
export type { StoringOptions } from './stored-drafts.ts';
export { decodeToken, encodeToken, type TokenFacts } from './token.ts';
export { assertVerb, type Verb } from './verbs.ts';
