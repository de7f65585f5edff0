/** The room `log`: publishing, safe reading, partitions. Knows no handlers. */
export type { LogCursor, NextOptions } from './cursor.ts';
export { logChannel } from './hint.ts';
export type { TailBlocked } from './holder-report.ts';
export { ensurePartitions } from './partitions.ts';
export {
  admitDrafts,
  assertVerb,
  type Cause,
  currentCause,
  decodeToken,
  encodeToken,
  type PublishingOptions,
  type PublishingResult,
  publishInForeignTransaction,
  publishingQueries,
  publishingTransaction,
  type RehearsedTransaction,
  rehearsedTransaction,
  type StoringOptions,
  type TokenFacts,
  type Tx,
  type Verb,
} from './publishing/index.ts';
export { type LogHead, type Range, readHead, readPositions, readRange } from './reading.ts';
export type { EventBatch, EventTypes } from './recent-rows.ts';
export {
  checkLog,
  type HolderRule,
  type LogReport,
  type StartCheckOptions,
  startChecks,
} from './start-checks.ts';
export { isBackfilled, type StoredEvent, storedEvent } from './stored-event.ts';
export { createTail, type Tail, type TailOptions } from './tail.ts';
export type { Notification, SharedSession } from './tail-session.ts';
