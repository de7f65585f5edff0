import { describe, expect, test } from 'vitest';
import type { Duration } from './duration.ts';
import { FactlineError } from './errors.ts';
import { toMilliseconds } from './parse-duration.ts';

describe('toMilliseconds', () => {
  test.each([
    ['0ms', 0],
    ['500ms', 500],
    ['1.5s', 1_500],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['30d', 2_592_000_000],
  ] as const)('reads %s', (text, ms) => {
    expect(toMilliseconds(text)).toBe(ms);
  });

  test.each(['', '5', 's', '-1s', '1e3s', '1 s', '5 minutes', '99999999999999d', 'Infinitys', 5, null])(
    'refuses %j and names the option',
    (text) => {
      const read = (): number => toMilliseconds(text as Duration, 'retryAfter');
      expect(read).toThrowError(/retryAfter/);
      try {
        read();
      } catch (error) {
        expect(FactlineError.is(error, 'OPTION_INVALID')).toBe(true);
      }
    },
  );
});
