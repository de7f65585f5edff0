import { expect, test } from 'vitest';
import { predictSum } from '../estimate/intervals.ts';
import { drawSpans } from './sampling.ts';

const span = 16;
const positions = 400_000;

/** A fixed generator: chance must not decide about the test. */
const generator = (seed: number): { float(): number } => {
  let state = seed * 7919 + 1;
  return {
    float: () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 32;
    },
  };
};

/** How often the truth lies between what rounds of spans answer. */
const covered = (matches: (position: number) => boolean, rounds: number, trials: number): number => {
  const perSpan = new Uint8Array(positions / span);
  for (let position = 1; position <= positions; position += 1)
    if (matches(position)) (perSpan[Math.floor((position - 1) / span)] as number) += 1;
  const truth = perSpan.reduce((sum, count) => sum + count, 0);
  let within = 0;
  for (let trial = 0; trial < trials; trial += 1) {
    const chance = generator(trial + 1);
    let [sum, sumOfSquares, drawn] = [0, 0, 0];
    for (let round = 0; round < rounds; round += 1)
      for (const first of drawSpans({ from: 1, to: positions }, chance)) {
        const count = perSpan[(first - 1) / span] ?? Number.NaN;
        sum += count;
        sumOfSquares += count * count;
        drawn += 1;
      }
    const { low, high } = predictSum({ drawn, sum, sumOfSquares, most: span }, perSpan.length);
    if (truth >= low && truth <= high) within += 1;
  }
  return within / trials;
};

test('spans lie one in each equal part of the range, and every position is as likely', () => {
  const seen = new Uint32Array(1_700);
  const chance = generator(1);
  for (let round = 0; round < 200; round += 1) {
    const starts = drawSpans({ from: 5, to: 1_700 * span + 4 }, chance);
    expect(starts).toHaveLength(1_000);
    expect(starts).toEqual(starts.toSorted((one, other) => one - other));
    for (const first of starts) (seen[(first - 5) / span] as number) += 1;
  }
  // 200,000 over 1,700 spans: about 118 each.
  expect(Math.min(...seen)).toBeGreaterThan(70);
  expect(Math.max(...seen)).toBeLessThan(170);
});

test.each<[name: string, matches: (position: number) => boolean]>([
  ['everywhere the same', (position) => position % 3 === 0],
  ['all of it', () => true],
  ['nothing', () => false],
  ['in one stretch', (position) => position > 100_000 && position <= 100_080],
  ['in a few stretches, one of them huge', (position) => position % 90_000 < 300 || position > 350_000],
  ['rarely', (position) => position % 9_973 === 0],
  ['more and more', (position) => (position * 7_919) % positions < position],
])('the interval of what matches %s contains the truth in at least 95 of 100 cases', (_, matches) => {
  expect(covered(matches, 1, 100)).toBeGreaterThanOrEqual(0.95);
  expect(covered(matches, 3, 40)).toBeGreaterThanOrEqual(0.95);
});

test('what is spread evenly is known within a few hundredths, what nobody saw may be there', () => {
  const even = predictSum({ drawn: 8_000, sum: 64_000, sumOfSquares: 540_000, most: span }, 625_000);
  expect(even.likely).toBe(5_000_000);
  expect(even.high - even.low).toBeLessThan(150_000);
  const unseen = predictSum({ drawn: 8_000, sum: 0, sumOfSquares: 0, most: span }, 625_000);
  expect(unseen).toMatchObject({ likely: 0, low: 0 });
  expect(unseen.high).toBeGreaterThan(3_000);
});
