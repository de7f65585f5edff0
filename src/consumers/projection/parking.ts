import { contractVersionOf } from '../../contracts/index.ts';
import {
  defaultRetryPolicies,
  FactlineError,
  keyHash,
  mayRetry,
  type Randomness,
  retryDelayMs,
} from '../../foundation/index.ts';
import type { StoredEvent } from '../../log/index.ts';
import { contractSetOf } from '../definition.ts';
import {
  classifyFailure,
  describeFailure,
  type FailureDescription,
  type ParkedFailureClass,
  type ParkedState,
  type ParkFailure,
  type ParkRow,
  retryAfterMs,
} from '../parked/index.ts';
import type { Projection } from './definition.ts';

/** What a parked row says about why it is there. */
export const reasons = {
  behind: 'waits behind an earlier event',
  failed: 'failed',
  noCode: 'no code',
} as const;

/** One event to park under all of its keys. */
export interface ParkedEvent {
  readonly stored: StoredEvent;
  readonly keys: readonly string[];
  readonly state: ParkedState;
  readonly reason: string;
  readonly delayMs: number | null;
  /** What is known of the failed attempt; null for an event that only waits. */
  readonly failure: (FailureDescription & { readonly attempts: number; readonly shownKeys: string }) | null;
}

export const waitingEvent = (
  stored: StoredEvent,
  keys: readonly string[],
  reason: string = reasons.behind,
): ParkedEvent => ({
  stored,
  keys,
  state: 'waiting',
  reason,
  delayMs: null,
  failure: null,
});

const schemaCodes: ReadonlySet<unknown> = new Set([
  'PAYLOAD_INVALID',
  'SCHEMA_ASYNC',
  'SCHEMA_THREW',
  'UPCAST_FAILED',
]);

/** A fold is a pure function: what it threw once it throws again, so only what says it is transient is tried again. */
export const failureClassOf = (projection: Projection, error: unknown): ParkedFailureClass => {
  if (FactlineError.is(error) && schemaCodes.has(error.code)) return 'schema';
  const failureClass = classifyFailure(error);
  return failureClass === 'unclassified' && projection.form === 'fold' ? 'permanent' : failureClass;
};

export interface FailedAttempt {
  readonly stored: StoredEvent;
  readonly keys: readonly string[];
  readonly error: unknown;
  /** How often it has failed before. */
  readonly attemptsBefore: number;
}

/** What becomes of an event after a failed attempt: tried again later, quarantined, or kept until there is code for it. */
export const failedEvent = (
  projection: Projection,
  failed: FailedAttempt,
  randomness: Randomness,
): ParkedEvent => {
  const { stored, keys, error } = failed;
  if (FactlineError.is(error, 'EVENT_UNKNOWN_TYPE')) return waitingEvent(stored, keys, reasons.noCode);
  const failureClass = failureClassOf(projection, error);
  const redact = contractSetOf(projection).redactionOf(stored);
  const attempts = failed.attemptsBefore + 1;
  const policy =
    defaultRetryPolicies[
      failureClass === 'transient' || failureClass === 'unclassified' ? failureClass : 'permanent'
    ];
  const again = mayRetry(policy, attempts);
  const delayMs = again
    ? Math.max(retryDelayMs(policy, attempts, randomness), retryAfterMs(error) ?? 0)
    : null;
  return {
    stored,
    keys,
    state: again ? 'retrying' : 'quarantined',
    reason: reasons.failed,
    delayMs,
    failure: {
      ...describeFailure(error, failureClass, redact),
      attempts,
      shownKeys: redact(keys.join(', ')),
    },
  };
};

const traceparentOf = (stored: StoredEvent): string | null => {
  try {
    const { traceparent } = JSON.parse(stored.meta) as { traceparent?: unknown };
    return typeof traceparent === 'string' ? traceparent : null;
  } catch {
    return null;
  }
};

export const parkRows = (events: readonly ParkedEvent[], lane: number): ParkRow[] =>
  events.flatMap(({ stored, keys, state, reason, delayMs }) =>
    keys.map((key) => ({
      lane,
      key,
      keyHash: keyHash(key),
      position: stored.position,
      state,
      reason,
      delayMs,
    })),
  );

export const parkFailures = (events: readonly ParkedEvent[], codeVersion: string): ParkFailure[] =>
  events.flatMap(({ stored, failure: failed }) => {
    if (failed === null) return [];
    const { shownKeys: _shown, ...failure } = failed;
    return [
      {
        ...failure,
        position: stored.position,
        eventId: stored.id,
        eventType: stored.type,
        contractVersion: `v${contractVersionOf(stored.type)}`,
        codeVersion,
        traceparent: traceparentOf(stored),
      },
    ];
  });
