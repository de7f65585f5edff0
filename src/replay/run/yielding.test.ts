import { expect, test } from 'vitest';
import { rateAtFirst, YieldingRate } from './yielding.ts';

const limits = { ceiling: 1_000, floor: 1 };
const calm = { consumer: null, danger: 0 };

/** Live events, until then, feel what is faster than `bearable` after half a minute. */
const world = (
  bearable: number,
  seconds: number,
  { ceiling = limits.ceiling, until = Infinity } = {},
): readonly number[] => {
  const yielding = new YieldingRate();
  const rates: number[] = [];
  let rate = rateAtFirst({ ...limits, ceiling });
  let released = 0;
  let tooFastFor = 0;
  for (let now = 0; now < seconds; now += 1) {
    released += rate;
    tooFastFor = rate > bearable ? tooFastFor + 1 : 0;
    const strained = tooFastFor > 30;
    if (strained) tooFastFor = 0;
    rates.push(rate);
    rate = yielding.next(
      rate,
      { seen: calm, strained, released, head: Math.min(now, until), now },
      { ...limits, ceiling },
    );
  }
  return rates;
};

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

test('where nothing is felt it comes to its ceiling with care, to 1,000 a second in five minutes', () => {
  const rates = world(Infinity, 310);
  expect(rates[60]).toBeLessThan(100);
  expect(rates[200]).toBeLessThan(500);
  expect(rates.at(-1)).toBe(1_000);
});

test('it begins with 50 a second, with less under a lower ceiling, with more from a higher floor', () => {
  expect(rateAtFirst({ ceiling: 1_000, floor: 1 })).toBe(50);
  expect(rateAtFirst({ ceiling: 20, floor: 1 })).toBe(20);
  expect(rateAtFirst({ ceiling: 1_000, floor: 200 })).toBe(200);
});

test('a ceiling of 50 is there at once, and again a minute after it stood still', () => {
  const small = { ceiling: 50, floor: 1 };
  expect(rateAtFirst(small)).toBe(50);
  const yielding = new YieldingRate();
  let rate = 0;
  for (let now = 0; now < 60; now += 1)
    rate = yielding.next(rate, { seen: calm, strained: false, released: 0, head: now, now }, small);
  expect(rate).toBeCloseTo(50);
});

test('where no live events come care would help nobody: it comes to any ceiling within a minute', () => {
  const rates = world(Infinity, 130, { until: 60 });
  expect(rates[70]).toBeLessThan(110);
  expect(rates[129]).toBe(1_000);
});

test('what is felt is known before it is far too fast', () => {
  const rates = world(200, 3_000);
  expect(Math.max(...rates)).toBeLessThan(200 * 1.6);
  expect(mean(rates.slice(500))).toBeGreaterThan(200 * 0.6);
  expect(mean(rates.slice(500))).toBeLessThan(200);
  const tooFast = rates.slice(500).filter((rate) => rate > 200).length / 2_500;
  expect(tooFast).toBeLessThan(0.25);
});

test('half of what was really done is left when it is felt; the floor is kept', () => {
  const yielding = new YieldingRate();
  yielding.next(400, { seen: calm, strained: false, released: 0, head: 0, now: 0 }, limits);
  expect(yielding.next(400, { seen: calm, strained: true, released: 300, head: 1, now: 1 }, limits)).toBe(
    150,
  );
  expect(yielding.next(1.5, { seen: calm, strained: true, released: 301, head: 2, now: 2 }, limits)).toBe(1);
});

test('where it is not felt any more it goes on past that', () => {
  const yielding = new YieldingRate();
  let rate = yielding.next(200, { seen: calm, strained: true, released: 0, head: 0, now: 0 }, limits);
  for (let now = 1; now < 1_000 && rate < 1_000; now += 1)
    rate = yielding.next(rate, { seen: calm, strained: false, released: now * rate, head: now, now }, limits);
  expect(rate).toBe(1_000);
});

test('danger that nobody could measure makes it stand still', () => {
  const yielding = new YieldingRate();
  expect(yielding.next(50, { seen: null, strained: false, released: 0, head: 0, now: 0 }, limits)).toBe(0);
});
