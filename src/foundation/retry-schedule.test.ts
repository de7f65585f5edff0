import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Randomness } from './random.ts';
import {
  defaultRetryPolicies,
  mayRetry,
  type RetryPolicy,
  retryDelayMs,
  retryDelayMsMax,
} from './retry-schedule.ts';

const policy: fc.Arbitrary<RetryPolicy> = fc.record({
  attempts: fc.integer({ min: 1, max: 1_000 }),
  baseMs: fc.integer({ min: 1, max: 60_000 }),
  factor: fc.double({ min: 1, max: 10, noNaN: true }),
  capMs: fc.integer({ min: 1, max: 86_400_000 }),
  jitter: fc.constantFrom('full', 'equal', 'none'),
});
const chance = (float: number): Randomness => ({
  float: () => float,
  bytes: (count) => new Uint8Array(count),
});
const float = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const attempt = fc.integer({ min: 1, max: 5_000 });

describe('retryDelayMs', () => {
  test('stays between the bounds of its jitter and never beyond the cap, however many attempts', () => {
    fc.assert(
      fc.property(policy, attempt, float, (each, n, random) => {
        const delay = retryDelayMs(each, n, chance(random));
        const longest = retryDelayMsMax(each, n);
        const shortest = { full: 0, equal: longest / 2, none: longest }[each.jitter];
        expect(delay).toBeGreaterThanOrEqual(Math.floor(shortest));
        expect(delay).toBeLessThanOrEqual(Math.ceil(longest));
        expect(longest).toBeLessThanOrEqual(each.capMs);
      }),
    );
  });

  test('grows with each attempt until the cap, and never shrinks', () => {
    fc.assert(
      fc.property(policy, attempt, (each, n) => {
        expect(retryDelayMsMax(each, n + 1)).toBeGreaterThanOrEqual(retryDelayMsMax(each, n));
      }),
    );
  });

  test('follows the dice: two processes that fail together do not retry together', () => {
    const { transient } = defaultRetryPolicies;
    expect(retryDelayMs(transient, 3, chance(0))).toBeLessThan(retryDelayMs(transient, 3, chance(0.9)));
  });

  test('the first wait is the base', () => {
    expect(retryDelayMs({ ...defaultRetryPolicies.transient, jitter: 'none' }, 1, chance(0))).toBe(250);
  });
});

describe('the default policies', () => {
  test('give permanent and poison failures no second attempt', () => {
    expect(mayRetry(defaultRetryPolicies.permanent, 1)).toBe(false);
    expect(mayRetry(defaultRetryPolicies.poison, 1)).toBe(false);
  });

  test('try transient failures longer than unclassified ones, and both an exact number of times', () => {
    const tries = (each: RetryPolicy): number => {
      let n = 1;
      while (mayRetry(each, n)) n += 1;
      return n;
    };
    expect(tries(defaultRetryPolicies.transient)).toBe(12);
    expect(tries(defaultRetryPolicies.unclassified)).toBe(4);
  });

  test('outlive a restart of a dependency: transient failures are tried for more than nine minutes', () => {
    const { transient } = defaultRetryPolicies;
    let least = 0;
    for (let n = 1; mayRetry(transient, n); n++) least += retryDelayMs(transient, n, chance(0));
    expect(least).toBeGreaterThan(9 * 60_000);
  });
});
