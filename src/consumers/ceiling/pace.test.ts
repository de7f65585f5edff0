import { expect, test } from 'vitest';
import { createManualClock } from '../../foundation/manual-clock.ts';
import type { LiveDanger } from './live-danger.ts';
import { Pace } from './pace.ts';

const ceiling = 6000;

const begin = () => {
  const clock = createManualClock();
  const world = { danger: 0, strained: false, blind: false };
  const pace = new Pace({
    clock,
    limits: { ceiling, floor: 60 },
    look: async (): Promise<LiveDanger> => {
      if (world.blind) throw new TypeError('no connection');
      return { consumer: 'payment', danger: world.danger };
    },
    strained: () => world.strained,
  });
  pace.start();
  /** Works batches of 500 as fast as it may; answers how many events were done in each second. */
  const work = async (seconds: number): Promise<number[]> => {
    const done: number[] = [];
    for (let second = 0; second < seconds; second += 1) {
      let events = 0;
      for (let ms = 0; ms < 1000; ms += 20) {
        if (pace.waitMs() === 0) {
          pace.spend(500);
          events += 500;
        }
        await clock.advance(20);
      }
      done.push(events);
    }
    return done;
  };
  return { clock, world, pace, work };
};

test('it keeps to the ceiling', async () => {
  const { work } = begin();
  const done = await work(10);
  expect(done.reduce((sum, events) => sum + events, 0)).toBeLessThanOrEqual(10 * ceiling + 500);
  expect(Math.min(...done.slice(1))).toBeGreaterThanOrEqual(ceiling - 1000);
});

test('what is done at one time is a second of it at most', async () => {
  const { world, pace, work } = begin();
  expect(pace.batchMax).toBe(ceiling);
  world.danger = 0.6;
  await work(2);
  expect(pace.batchMax).toBe(Math.floor(pace.rate));
  expect(pace.batchMax).toBeLessThan(ceiling);
  world.danger = 0.9;
  await work(5);
  expect([pace.rate, pace.batchMax]).toEqual([0, 1]);
});

test('a live burst halves it within two seconds, stops it within five, and it comes back by itself', async () => {
  const { world, pace, work } = begin();
  const [, before = 0] = await work(2);
  world.danger = 0.6;
  const [, second = 0] = await work(2);
  expect(second).toBeLessThanOrEqual(before / 2 + 500);
  expect(pace.reason).toMatch(/events\/s for the sake of payment/);
  world.danger = 0.9;
  const stopping = await work(3);
  expect(stopping.at(-1)).toBe(0);
  expect(pace.reason).toBe('stands still: payment would break its promise');
  world.danger = 0.1;
  await work(70);
  expect(pace.rate).toBe(ceiling);
  expect(pace.reason).toBeNull();
});

test('when nobody knows how the live consumers are, it stands still', async () => {
  const { world, pace, work } = begin();
  world.blind = true;
  await work(2);
  expect(pace.rate).toBe(0);
  expect(pace.waitMs()).toBeGreaterThan(0);
});

test('nothing is left running after the stop', async () => {
  const { clock, pace } = begin();
  await clock.advance(3500);
  await pace.stop();
  expect(clock.armed).toBe(0);
});
