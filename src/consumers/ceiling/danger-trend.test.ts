import { expect, test } from 'vitest';
import { DangerTrend } from './danger-trend.ts';
import { nextRate } from './yielding-rate.ts';

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

test('with a promise of four seconds a burst halves the rate within two and stops it within five, whenever the looks fall', () => {
  const limits = { ceiling: 50, floor: 1 };
  for (let phase = 0; phase < 1; phase += 0.05) {
    const trend = new DangerTrend();
    let rate = limits.ceiling;
    const reached: { halved?: number; stopped?: number } = {};
    // A look a second, the first ones before the burst at 0, whose events are as old as the time since.
    for (let at = phase - 3; at < 9; at += 1) {
      const danger = trend.ahead(seen(Math.max(at, 0) / 4), at);
      rate = nextRate({ rate, done: rate }, { danger }, limits);
      if (at >= 0 && rate <= limits.ceiling / 2) reached.halved ??= at;
      if (at >= 0 && rate === 0) reached.stopped ??= at;
    }
    expect(reached.halved, `phase ${phase}`).toBeLessThanOrEqual(2);
    expect(reached.stopped, `phase ${phase}`).toBeLessThanOrEqual(5);
  }
});
