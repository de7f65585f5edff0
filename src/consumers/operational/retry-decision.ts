import { mayRetry, type Randomness, type RetryPolicy, retryDelayMs } from '../../foundation/index.ts';
import type { ParkedFailureClass } from '../parked/index.ts';

export interface FailureFacts {
  readonly failureClass: ParkedFailureClass;
  /** How often the event has failed, this time included. */
  readonly attempts: number;
  /** What the handler asked for, in milliseconds. */
  readonly retryAfterMs: number | null;
}

/** again: nothing is counted or stored, the same attempt is made once more. */
export type RetryDecision =
  | { readonly verdict: 'again' }
  | { readonly verdict: 'retry'; readonly delayMs: number }
  | { readonly verdict: 'quarantine' };

/** What follows from a failure: the one place that decides it. */
export const decideRetry = (
  facts: FailureFacts,
  policies: { readonly transient: RetryPolicy; readonly unclassified: RetryPolicy },
  randomness: Randomness,
): RetryDecision => {
  const { failureClass, attempts, retryAfterMs } = facts;
  switch (failureClass) {
    case 'systemic':
      return { verdict: 'again' };
    case 'permanent':
    case 'poison':
    case 'schema':
      return { verdict: 'quarantine' };
    case 'transient':
    case 'unclassified': {
      const policy = policies[failureClass];
      if (!mayRetry(policy, attempts)) return { verdict: 'quarantine' };
      const delayMs = retryDelayMs(policy, attempts, randomness);
      return { verdict: 'retry', delayMs: Math.max(delayMs, retryAfterMs ?? 0) };
    }
  }
};
