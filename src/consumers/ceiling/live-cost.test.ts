import { expect, test } from 'vitest';
import { LiveCost } from './live-cost.ts';

const roundMs = 1_730;

/** A fixed generator: chance must not decide about the test. */
const generator = (seed: number): (() => number) => {
  let state = seed * 7919 + 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
};

interface World {
  /** How much slower a live event is at that moment while work goes on. */
  readonly slower?: (consumer: string, at: number) => number;
  /** How much slower everything is, whatever goes on. */
  readonly machine?: (at: number) => number;
  readonly consumers?: readonly string[];
  readonly seconds?: number;
}

/** Live events, a hundred a second, a fifth of them alone; answers after how many seconds it is felt, or null. */
const watch = (
  seed: number,
  { slower, machine, consumers = ['mailing'], seconds = 25 }: World,
): number | null => {
  const cost = new LiveCost();
  const chance = generator(seed);
  for (let now = 0; now < seconds * 1_000; now += 10) {
    const consumer = consumers[(now / 10) % consumers.length] ?? '';
    const alone = now % roundMs < 350;
    // As they are measured: most are few milliseconds, some are many.
    const usual = 2 * (1 - chance()) ** -0.3 * (machine?.(now) ?? 1);
    const ms = usual * (alone ? 1 : (slower?.(consumer, now) ?? 1));
    cost.note({ consumer, ms, alone, round: Math.floor(now / roundMs), now });
    if (now % 500 === 0 && cost.felt) return now / 1_000;
  }
  return null;
};

const worlds = 40;

/** In how many worlds of that kind it is felt. */
const felt = (world: (seed: number) => World): number =>
  Array.from({ length: worlds }, (_, seed) => watch(seed, world(seed))).filter((at) => at !== null).length;

test('what makes live events half as fast is felt within seconds', () => {
  for (let seed = 0; seed < 20; seed += 1) expect(watch(seed, { slower: () => 2 })).toBeLessThan(12);
});

test('what strikes few of them, or none, is hardly ever taken for a cost', () => {
  expect(felt(() => ({}))).toBeLessThanOrEqual(3);
  expect(felt(() => ({ slower: (_, at) => (at % 2_000 === 110 ? 3 : 1) }))).toBeLessThanOrEqual(3);
});

test('a machine that is busy with something else, in bursts, is not taken for a cost either', () => {
  const bursts =
    (seed: number) =>
    (at: number): number =>
      generator(seed * 1_000 + Math.floor(at / 400))() < 0.1 ? 5 : 1;
  expect(felt((seed) => ({ machine: bursts(seed) }))).toBeLessThanOrEqual(3);
});

test('others of the process count as well: one of them that suffers, and what all feel a little', () => {
  const consumers = ['mailing', 'payment', 'stock', 'orders'];
  const one = felt(() => ({ consumers, slower: (name) => (name === 'stock' ? 2.5 : 1) }));
  expect(one).toBeGreaterThan(worlds * 0.9);
  expect(felt(() => ({ consumers, slower: () => 1.4 }))).toBeGreaterThan(worlds * 0.9);
  expect(felt(() => ({ consumers }))).toBeLessThanOrEqual(3);
});

test('few events say nothing, and what is older than a minute is forgotten', () => {
  const cost = new LiveCost();
  const note = (alone: boolean, ms: number, now: number, count: number): void => {
    for (let index = 0; index < count; index += 1)
      cost.note({ consumer: 'mailing', ms, alone, round: Math.floor(now / roundMs), now });
  };
  for (let round = 0; round < 5; round += 1) {
    note(true, 2, round * roundMs, round === 4 ? 19 : 20);
    note(false, 9, round * roundMs, 100);
  }
  expect(cost.felt).toBe(false);
  note(true, 2, 4 * roundMs, 1);
  expect(cost.felt).toBe(true);
  note(false, 9, 65_000, 100);
  expect(cost.felt).toBe(false);
});
