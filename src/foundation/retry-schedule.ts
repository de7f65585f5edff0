import type { Randomness } from './random.ts';

/** How often, and how far apart, one failing event is tried. All times in milliseconds. */
export interface RetryPolicy {
  /** How often the event is tried in all, the first time included; at least 1. */
  readonly attempts: number;
  /** The wait after the first failure. */
  readonly baseMs: number;
  /** Each wait is this many times the one before. */
  readonly factor: number;
  /** No wait is longer. */
  readonly capMs: number;
  /** 'full': anywhere from 0 to the wait. 'equal': between half of the wait and all of it. 'none': the wait itself. */
  readonly jitter: 'full' | 'equal' | 'none';
}

/** transient: the outside world may recover. unclassified: perhaps a bug. permanent, poison: trying again cannot help. */
export type FailureClass = 'transient' | 'unclassified' | 'permanent' | 'poison';

const once: RetryPolicy = { attempts: 1, baseMs: 0, factor: 1, capMs: 0, jitter: 'none' };

/**
 * transient: 12 attempts over 10 to 19 minutes, which outlives a restart or a short outage (a long one trips the breaker).
 * unclassified: 4 attempts within seconds, as most unclassified errors are bugs and the key waits meanwhile.
 */
export const defaultRetryPolicies: Readonly<Record<FailureClass, RetryPolicy>> = {
  transient: { attempts: 12, baseMs: 250, factor: 2.5, capMs: 300_000, jitter: 'equal' },
  unclassified: { attempts: 4, baseMs: 200, factor: 4, capMs: 10_000, jitter: 'equal' },
  permanent: once,
  poison: once,
};

/** Whether another attempt follows after `attempt` attempts (1 = the first) have failed. */
export const mayRetry = (policy: RetryPolicy, attempt: number): boolean => attempt < policy.attempts;

/** The longest wait after the given attempt (1 = the first): grows with it, never beyond the cap. */
export const retryDelayMsMax = (policy: RetryPolicy, attempt: number): number =>
  Math.min(policy.capMs, policy.baseMs * policy.factor ** (Math.max(attempt, 1) - 1));

/** The wait in whole milliseconds before the attempt that follows `attempt` (1 = the first). */
export const retryDelayMs = (policy: RetryPolicy, attempt: number, randomness: Randomness): number => {
  const longest = retryDelayMsMax(policy, attempt);
  if (policy.jitter === 'none') return Math.round(longest);
  const shortest = policy.jitter === 'equal' ? longest / 2 : 0;
  return Math.round(shortest + (longest - shortest) * randomness.float());
};
