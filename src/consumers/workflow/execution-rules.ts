import {
  FactlineError,
  mayRetry,
  type Randomness,
  type RetryPolicy,
  retryDelayMs,
} from '../../foundation/index.ts';
import { isConnectionLost } from '../../postgres/index.ts';
import { classifyFailure, retryAfterMs } from '../parked/index.ts';
import type { Call } from './calls.ts';
import type { StuckReason } from './instance.ts';
import type { JournalEntry } from './journal.ts';
import { recordFailure } from './recorded-failure.ts';
import type { Difference } from './replaying.ts';

/** A call that has no result yet, as it is recorded. */
export const pendingEntry = (
  { ordinal, name, request }: Pick<Call, 'ordinal' | 'name' | 'request'>,
  attempts: number,
): JournalEntry => ({
  undo: false,
  ordinal,
  kind: request.kind,
  name,
  state: 'pending',
  attempts,
  completion: null,
  value: undefined,
  error: null,
});

/** A wait whose `where` threw, or whose event could not be opened. */
export const failedEntry = (call: Call, error: unknown): JournalEntry => ({
  ...pendingEntry(call, 0),
  state: 'failed',
  error: recordFailure(error),
});

const finalClasses: ReadonlySet<string> = new Set(['permanent', 'poison', 'schema']);

/** Not the step's fault: our database was away, or the lane was lost. */
const isSystemic = (error: unknown): boolean =>
  isConnectionLost(error) || classifyFailure(error) === 'systemic';

/** How many attempts are on record after this one; one that our own database was away for does not count. */
export const countedAttempts = (attempts: number, error: unknown): number =>
  isSystemic(error) ? attempts - 1 : attempts;

/** Doing it again would give the same. */
const isOfTheCode = (error: unknown): boolean =>
  FactlineError.is(error, 'WORKFLOW_RESULT_INVALID') || FactlineError.is(error, 'WORKFLOW_CALL_INSIDE_STEP');

/** How long to wait before the next attempt; null: it has failed for good. */
export const nextDelayMs = (
  policy: RetryPolicy,
  failed: { readonly attempts: number; readonly error: unknown; readonly randomness: Randomness },
): number | null => {
  const { attempts, error, randomness } = failed;
  if (isSystemic(error)) return retryDelayMs(policy, attempts, randomness);
  if (finalClasses.has(classifyFailure(error)) || !mayRetry(policy, attempts)) return null;
  if (isOfTheCode(error)) return null;
  return Math.max(retryDelayMs(policy, attempts, randomness), retryAfterMs(error) ?? 0);
};

/** Of a transaction that failed: whether the lane is lost, or what is in memory may not be what is stored (it is loaded again). */
export const outdatedBy = (error: unknown): 'lost' | 'stale' | null => {
  if (FactlineError.is(error, 'LEASE_LOST')) return 'lost';
  const isStale =
    FactlineError.is(error, 'ALREADY_HANDLED') || FactlineError.is(error, 'COMMIT_OUTCOME_UNKNOWN');
  return isStale ? 'stale' : null;
};

export const differenceReason = (difference: Difference): StuckReason => {
  const { ordinal, recorded, called } = difference;
  const message = `call ${ordinal} was ${recorded[ordinal] ?? 'nothing'}, the code calls ${called[ordinal] ?? 'nothing'}`;
  return { reason: 'nondeterministic', message, recorded, called, ordinal };
};

export const stuckFields = ({
  reason,
  message,
}: StuckReason): { readonly reason: string; readonly message: string } => ({ reason, message });

/** Why the signal of a run aborts. One for all: whoever still listens to it needs no stack, which would cost as much as the rest of the end. */
export const runEnded: FactlineError = new FactlineError('STOPPED', {
  unit: 'this run of the workflow',
  operation: 'the function',
});
