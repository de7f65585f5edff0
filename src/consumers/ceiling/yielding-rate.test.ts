import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nextRate } from './yielding-rate.ts';

const limits = { ceiling: 6000, floor: 50 };
const calm = { danger: 0.1 };

/** Rates over so many passes under the same signs, each used up. */
const passes = (from: number, count: number, danger: number): number[] => {
  const rates = [from];
  for (let pass = 0; pass < count; pass += 1) {
    const rate = rates.at(-1) ?? 0;
    rates.push(nextRate({ rate, done: rate }, { danger }, limits));
  }
  return rates;
};

test('danger halves the rate with the first pass, down to the floor; great danger stops it', () => {
  expect(passes(6000, 3, 0.5)).toEqual([6000, 3000, 1500, 750]);
  expect(passes(60, 3, 0.79)).toEqual([60, 50, 50, 50]);
  expect(passes(6000, 1, 0.8)).toEqual([6000, 0]);
});

test('half is taken of what was done, not of an allowance that nobody used', () => {
  expect(nextRate({ rate: 6000, done: 800 }, { danger: 0.6 }, limits)).toBe(400);
  expect(nextRate({ rate: 6000, done: 0 }, { danger: 0.6 }, limits)).toBe(50);
});

test('what is not known, and a burning budget, count as danger', () => {
  expect(nextRate({ rate: 100, done: 100 }, { danger: null }, limits)).toBe(0);
  expect(nextRate({ rate: 100, done: 100 }, { ...calm, burning: true }, limits)).toBe(0);
  expect(nextRate({ rate: 100, done: 100 }, { ...calm, strained: true }, limits)).toBe(50);
});

test('after a stop the ceiling is reached again within a minute, and not much sooner', () => {
  const rates = passes(0, 60, 0.1);
  expect(rates.at(-1)).toBe(6000);
  expect(rates[50]).toBeLessThan(6000);
});

test('after a stop the floor is there at once: as long as it may go at all, it goes no slower', () => {
  expect(nextRate({ rate: 0, done: 0 }, calm, { ceiling: 100, floor: 80 })).toBe(80);
  expect(nextRate({ rate: 0, done: 0 }, calm, { ceiling: 100, floor: 100, growth: 0.5 })).toBe(100);
});

test('whatever happens, the rate stays between nothing and the ceiling, and is never above half of what was done in danger', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          danger: fc.option(fc.double({ min: 0, max: 3, noNaN: true })),
          strained: fc.boolean(),
          burning: fc.boolean(),
          used: fc.double({ min: 0, max: 1, noNaN: true }),
        }),
      ),
      (signs) => {
        let rate = limits.ceiling;
        for (const { used, ...sign } of signs) {
          const done = rate * used;
          const next = nextRate({ rate, done }, sign, limits);
          expect(next).toBeGreaterThanOrEqual(0);
          expect(next).toBeLessThanOrEqual(limits.ceiling);
          if (sign.danger === null || sign.danger >= 0.8) expect(next).toBe(0);
          else if (sign.danger >= 0.5) expect(next).toBeLessThanOrEqual(Math.max(limits.floor, done / 2));
          rate = next;
        }
      },
    ),
  );
});
