import { expect, test } from 'vitest';
import { FactlineError, PermanentError, type RetryPolicy, systemRandomness } from '../../foundation/index.ts';
import { countedAttempts, nextDelayMs } from './execution-rules.ts';

const policy: RetryPolicy = { attempts: 2, baseMs: 1_000, factor: 2, capMs: 60_000, jitter: 'none' };
const delay = (attempts: number, error: unknown): number | null =>
  nextDelayMs(policy, { attempts, error, randomness: systemRandomness });

test('a step is tried as often as its policy says, and no more when nothing could help', () => {
  expect(delay(1, new Error('no'))).toBe(1_000);
  expect(delay(2, new Error('no'))).toBeNull();
  expect(delay(1, new PermanentError('never'))).toBeNull();
  expect(countedAttempts(2, new Error('no'))).toBe(2);
});

test('an attempt that our own database was away for does not count, however often that happens', () => {
  const away = new FactlineError('DATABASE_UNREACHABLE', { host: 'here', reason: 'no connection was free' });
  expect(delay(1, away)).toBe(1_000);
  expect(delay(7, away)).toBe(60_000);
  expect(countedAttempts(2, away)).toBe(1);
});
