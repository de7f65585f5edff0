import { expect, test } from 'vitest';
import { LiveCost } from './live-cost.ts';

/** Milliseconds as they are measured: most are few, some are many. */
const delays = (seed: number): ((slower?: number) => number) => {
  let state = seed * 7919 + 1;
  return (slower = 1) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.round(2 * slower * (1 - state / 2 ** 32) ** -0.3);
  };
};

/** A window of live events, a fifth of them alone; answers at which event it is felt, or null. */
const watch = (seed: number, slower: (index: number) => number, count = 2_000): number | null => {
  const cost = new LiveCost();
  const delay = delays(seed);
  for (let index = 0; index < count; index += 1) {
    const alone = index % 50 < 10;
    cost.note({ ms: delay(alone ? 1 : slower(index)), alone, now: index * 10 });
    if (index % 20 === 0 && cost.felt) return index;
  }
  return null;
};

test('what makes live events half as fast is felt within seconds', () => {
  for (let seed = 0; seed < 20; seed += 1) expect(watch(seed, () => 2)).toBeLessThan(500);
});

test('what strikes few of them, or none, is hardly ever taken for a cost', () => {
  const felt = (slower: (index: number) => number): number =>
    Array.from({ length: 100 }, (_, seed) => watch(seed, slower)).filter((at) => at !== null).length;
  expect(felt(() => 1)).toBeLessThanOrEqual(12);
  expect(felt((index) => (index % 200 === 11 ? 3 : 1))).toBeLessThanOrEqual(12);
});

test('few events say nothing, and what is older than half a minute is forgotten', () => {
  const cost = new LiveCost();
  const note = (alone: boolean, ms: number, now: number, count: number): void => {
    for (let index = 0; index < count; index += 1) cost.note({ ms, alone, now });
  };
  note(true, 2, 0, 49);
  note(false, 9, 0, 500);
  expect(cost.felt).toBe(false);
  note(true, 2, 0, 1);
  expect(cost.felt).toBe(true);
  note(false, 9, 30_001, 500);
  expect(cost.felt).toBe(false);
});
