import type { Literal } from '../formula.ts';
import {
  isMultiple,
  isMultipleOf,
  leastCommonMultiple,
  multiple,
  quotientFloor,
  type Rational,
} from '../rational.ts';
import { excludes } from './excluded.ts';
import { empty, type Found, unknown, valueFound } from './found.ts';

const attemptsMax = 200;

interface Interval {
  readonly low: number;
  readonly high: number;
  readonly lowOpen: boolean;
  readonly highOpen: boolean;
}

/** A number that fits all the literals. */
export const findNumber = (literals: readonly Literal[]): Found => {
  const interval = intervalOf(literals);
  const { low, high, lowOpen, highOpen } = interval;
  if (low > high || (low === high && (lowOpen || highOpen))) return empty;
  const steps = literals.flatMap((literal) => (literal.kind === 'multiple-of' ? [literal] : []));
  const avoided = steps.filter(({ holds }) => !holds).map(({ step }) => step);
  const wanted = steps.filter(({ holds }) => holds).map(({ step }) => step);
  const step = wanted.length === 0 ? undefined : wanted.reduce(leastCommonMultiple);
  if (step !== undefined && avoided.some((other) => isMultiple(step, other))) return empty;
  const fits = (value: number): boolean =>
    isInside(value, interval) &&
    !avoided.some((other) => isMultipleOf(value, other)) &&
    !excludes(literals, value);
  if (low === high) {
    const only = step === undefined || isMultipleOf(low, step);
    return only && fits(low) ? valueFound(low) : empty;
  }
  const excluded = literals.reduce(
    (count, literal) => count + (literal.kind === 'values' ? literal.values.size : 0),
    0,
  );
  if (step !== undefined) return findMultiple({ interval, step, attempts: attemptsMax + excluded, fits });
  for (const candidate of candidates(interval, attemptsMax + excluded))
    if (fits(candidate)) return valueFound(candidate);
  return unknown('no number was found between the bounds');
};

const intervalOf = (literals: readonly Literal[]): Interval => {
  let [low, high, lowOpen, highOpen] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, false, false];
  for (const literal of literals) {
    if (literal.kind === 'at-least' && (literal.limit > low || (literal.limit === low && literal.exclusive)))
      [low, lowOpen] = [literal.limit, literal.exclusive];
    if (literal.kind === 'at-most' && (literal.limit < high || (literal.limit === high && literal.exclusive)))
      [high, highOpen] = [literal.limit, literal.exclusive];
  }
  return { low, high, lowOpen, highOpen };
};

const isInside = (value: number, { low, high, lowOpen, highOpen }: Interval): boolean =>
  (lowOpen ? value > low : value >= low) && (highOpen ? value < high : value <= high);

interface MultipleSearch {
  readonly interval: Interval;
  readonly step: Rational;
  readonly attempts: number;
  readonly fits: (value: number) => boolean;
}

/** Tries the multiples between the bounds one by one, all of them when they are few. */
const findMultiple = ({ interval, step, attempts, fits }: MultipleSearch): Found => {
  const { low, high } = interval;
  const first = Number.isFinite(low) ? quotientFloor(low, step) : undefined;
  const last = Number.isFinite(high) ? quotientFloor(high, step) : undefined;
  const few = first !== undefined && last !== undefined && last - first <= BigInt(attempts);
  let exact = true;
  for (const times of timesOf(first, last, attempts)) {
    const value = multiple(times, step);
    if (value === undefined) exact = false;
    else if (fits(value)) return valueFound(value);
  }
  return few && exact ? empty : unknown('no number was found between the bounds');
};

function* timesOf(first: bigint | undefined, last: bigint | undefined, attempts: number): Generator<bigint> {
  const start = first ?? last ?? 0n;
  const direction = first === undefined && last !== undefined ? -1n : 1n;
  for (let offset = 0n; offset <= BigInt(attempts) + 1n; offset += 1n) {
    const times = start + direction * offset;
    if (last !== undefined && times > last) return;
    yield times;
    if (first === undefined && last === undefined) yield -times;
  }
}

function* candidates({ low, high }: Interval, attempts: number): Generator<number> {
  yield* [1, 0, 0.5, -1, 1.5, 2];
  const from = Number.isFinite(low) ? low : Number.isFinite(high) ? high - 1000 : 0;
  const to = Number.isFinite(high) ? high : from + 1000;
  yield* [from, to, Math.ceil(from), Math.floor(to), from + 1, to - 1, from + 0.5, to - 0.5];
  // Thirds of thirds are multiples of nothing that a schema names.
  for (let part = 1; part <= attempts; part += 1) yield from + ((to - from) * part) / (attempts + 1.377);
}
