/**
 * An exact decimal number. `multipleOf` is decided on these: 0.3 is a multiple of 0.1, whatever binary fractions say.
 * Always reduced, the denominator positive.
 */
export interface Rational {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

const absolute = (value: bigint): bigint => (value < 0n ? -value : value);

const greatestCommonDivisor = (left: bigint, right: bigint): bigint => {
  let [a, b] = [absolute(left), absolute(right)];
  while (b !== 0n) [a, b] = [b, a % b];
  return a;
};

const reduced = (numerator: bigint, denominator: bigint): Rational => {
  const divisor = greatestCommonDivisor(numerator, denominator);
  return divisor === 0n
    ? { numerator, denominator: 1n }
    : { numerator: numerator / divisor, denominator: denominator / divisor };
};

/** The decimal that a finite number is written as. */
export const rationalOf = (value: number): Rational => {
  if (Number.isSafeInteger(value)) return { numerator: BigInt(value), denominator: 1n };
  const [mantissa = '0', exponent = '0'] = String(value).split('e');
  const [whole = '0', fraction = ''] = mantissa.split('.');
  const scale = Number(exponent) - fraction.length;
  const digits = BigInt(whole + fraction);
  return scale >= 0
    ? { numerator: digits * 10n ** BigInt(scale), denominator: 1n }
    : reduced(digits, 10n ** BigInt(-scale));
};

/** Whether `value` is a whole multiple of `step`. */
export const isMultiple = (value: Rational, step: Rational): boolean =>
  (value.numerator * step.denominator) % (value.denominator * step.numerator) === 0n;

export const isMultipleOf = (value: number, step: Rational): boolean =>
  step.numerator === 1n && step.denominator === 1n
    ? Number.isInteger(value)
    : isMultiple(rationalOf(value), step);

/** The smallest positive number that is a multiple of both. */
export const leastCommonMultiple = (left: Rational, right: Rational): Rational => {
  const a = left.numerator * right.denominator;
  const b = right.numerator * left.denominator;
  return reduced((a * b) / greatestCommonDivisor(a, b), left.denominator * right.denominator);
};

/** How often `step` goes into `value`, rounded down. */
export const quotientFloor = (value: number, step: Rational): bigint => {
  const { numerator, denominator } = rationalOf(value);
  const dividend = numerator * step.denominator;
  const divisor = denominator * step.numerator;
  const quotient = dividend / divisor;
  return dividend % divisor !== 0n && dividend < 0n ? quotient - 1n : quotient;
};

/** `times · step` as a number, or undefined when no number is written exactly so. */
export const multiple = (times: bigint, step: Rational): number | undefined => {
  const exact = reduced(times * step.numerator, step.denominator);
  const value = Number(exact.numerator) / Number(exact.denominator);
  if (!Number.isFinite(value)) return undefined;
  const written = rationalOf(value);
  return written.numerator === exact.numerator && written.denominator === exact.denominator
    ? value
    : undefined;
};

export const rationalText = ({ numerator, denominator }: Rational): string =>
  denominator === 1n ? String(numerator) : String(Number(numerator) / Number(denominator));
