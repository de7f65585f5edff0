import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { predictTotal, quantile, wilson } from './intervals.ts';

describe('an estimate', () => {
  it('of a share is honest where nothing, or everything, was hit', () => {
    expect(wilson(0, 200)).toEqual({ likely: 0, low: 0, high: 0.019 });
    expect(wilson(200, 200)).toEqual({ likely: 1, low: 0.981, high: 1 });
    expect(wilson(0, 0)).toEqual({ likely: 0, low: 0, high: 1 });
    expect(wilson(10, 100)).toEqual({ likely: 0.1, low: 0.055, high: 0.174 });
  });

  it('of a share lies within its interval, which narrows with the sample', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (size, share) => {
          const hits = Math.round(size * share);
          const { likely, low, high } = wilson(hits, size);
          expect(low).toBeLessThanOrEqual(likely);
          expect(high).toBeGreaterThanOrEqual(likely);
          const wider = wilson(hits, size);
          const narrower = wilson(hits * 100, size * 100);
          expect(narrower.high - narrower.low).toBeLessThanOrEqual(wider.high - wider.low);
        },
      ),
    );
  });

  it('of a total is exact where every event had the same, and says so', () => {
    expect(predictTotal([2, 2, 2, 2], 1_000)).toEqual({ likely: 2_000, low: 2_000, high: 2_000 });
    expect(predictTotal([], 1_000)).toEqual({ likely: 0, low: 0, high: 0 });
  });

  it('of a total covers what comes in about 95 of 100 cases', () => {
    // A fixed generator: chance must not decide about the test.
    let state = 42;
    const random = (): number => {
      state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
      return state / 2 ** 31;
    };
    const draw = (): number => (random() < 0.2 ? Math.floor(random() * 5) + 1 : 0);
    let covered = 0;
    for (let trial = 0; trial < 400; trial += 1) {
      const predicted = predictTotal(Array.from({ length: 100 }, draw), 500);
      const total = Array.from({ length: 500 }, draw).reduce((sum, each) => sum + each, 0);
      if (total >= predicted.low && total <= predicted.high) covered += 1;
    }
    expect(covered / 400).toBeGreaterThan(0.91);
    expect(covered / 400).toBeLessThan(0.99);
  });

  it('of most events is the smallest number that they do not exceed', () => {
    expect(quantile([1, 2, 3, 4, 100], 0.8)).toBe(4);
    expect(quantile([5], 0.95)).toBe(5);
    expect(quantile([], 0.95)).toBe(0);
  });
});
