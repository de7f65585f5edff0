import { expect, test } from 'vitest';
import { DangerTrend } from './danger-trend.ts';

const promisedMs = 4_000;
const seen = (danger: number, consumer = 'payment') => ({ consumer, danger, promisedMs });

test('what grows is seen ahead, so that a burst is answered before half of the promise is gone', () => {
  const trend = new DangerTrend();
  expect(trend.ahead(seen(0), 10)).toBe(0);
  // A second after the burst its oldest event is a second old.
  expect(trend.ahead(seen(0.25), 11)).toBeCloseTo(0.5625);
  expect(trend.ahead(seen(0.5), 12)).toBeCloseTo(0.8125);
});

test('what stands or falls is what it is', () => {
  const trend = new DangerTrend();
  trend.ahead(seen(0.4), 10);
  expect(trend.ahead(seen(0.4), 11)).toBe(0.4);
  expect(trend.ahead(seen(0.1), 12)).toBe(0.1);
});

test('a jump counts for no more than time can bring, and a first look for itself', () => {
  const trend = new DangerTrend();
  expect(trend.ahead(seen(0.4), 10)).toBe(0.4);
  expect(trend.ahead(seen(0.6, 'mailing'), 11)).toBeCloseTo(0.6 + 1.25 / 4);
  expect(trend.ahead({ consumer: 'mailing', danger: 0.9 }, 12)).toBe(0.9);
});
