import { FactlineError } from './errors.ts';

/** A length of time as people write it: `'500ms'`, `'30s'`, `'5m'`, `'1h'`, `'30d'`. */
export type Duration = `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const pattern = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/**
 * Milliseconds of a duration, rounded to whole ones. `option` names what is read in the error.
 * @throws FactlineError OPTION_INVALID when the text is no duration.
 * @example toMilliseconds('1.5s') // 1500
 */
export const toMilliseconds = (duration: Duration, option = 'duration'): number => {
  const match = typeof duration === 'string' ? pattern.exec(duration) : null;
  const ms = match ? Math.round(Number(match[1]) * (unitMs[match[2] ?? ''] ?? Number.NaN)) : Number.NaN;
  if (Number.isSafeInteger(ms)) return ms;
  throw new FactlineError('OPTION_INVALID', {
    option,
    expected: "a duration like '500ms', '30s', '5m', '1h' or '30d'",
    actual: duration,
  });
};
