import { expect, test } from 'vitest';
import { createManualClock } from '../../foundation/index.ts';
import { LiveDelays } from '../ceiling/index.ts';
import { RedeliveryPace } from './redelivery-pace.ts';

const begin = (perSecond: number) => {
  const clock = createManualClock();
  const world = { liveInFlight: 0, begun: 0, live: false };
  const liveDelays = new LiveDelays();
  const pace: RedeliveryPace = new RedeliveryPace({ clock, liveDelays }, () => pump());
  /** A live event of a consumer of the process, so long after it was recorded. */
  const live = (ms: number, consumer = 'mailing'): void =>
    liveDelays.handled(consumer, new Date(1_000_000 + clock.monotonic() - ms).toISOString());
  /** As the dispatcher: whatever may begin, with enough of it at hand. */
  const pump = (): void => {
    while (pace.mayBegin(world.liveInFlight)) {
      pace.began();
      pace.ended();
      world.begun += 1;
    }
  };
  pace.allow(perSecond);
  /** Answers how many begin in so many milliseconds. */
  const during = async (ms: number): Promise<number> => {
    const before = world.begun;
    for (let at = 0; at < ms; at += 10) {
      if (world.live) live(3);
      pump();
      await clock.advance(10);
    }
    return world.begun - before;
  };
  return { clock, world, pace, live, during };
};

test('events begin one by one, in even steps', async () => {
  const { during } = begin(50);
  const tenths: number[] = [];
  for (let tenth = 0; tenth < 20; tenth += 1) tenths.push(await during(100));
  expect(Math.max(...tenths)).toBeLessThanOrEqual(9);
  expect(Math.min(...tenths)).toBeGreaterThanOrEqual(7);
});

test('beside live events it rests a part of the time, and keeps to its rate all the same', async () => {
  const { world, during } = begin(50);
  world.live = true;
  const fiftieths: number[] = [];
  for (let at = 0; at < 10 * 1_730; at += 50) fiftieths.push(await during(50));
  const sum = fiftieths.reduce((all, count) => all + count, 0);
  expect(sum / 17.3).toBeGreaterThanOrEqual(50);
  expect(fiftieths.filter((count) => count === 0).length).toBeGreaterThanOrEqual(10 * 5);
});

test('at a rate of nothing nothing begins, and a new rate counts at once', async () => {
  const { world, pace, during } = begin(0.1);
  await during(1_000);
  expect(world.begun).toBe(1);
  pace.allow(0);
  expect(await during(1_000)).toBe(0);
  pace.allow(100);
  expect(await during(100)).toBeGreaterThanOrEqual(14);
});

test('who stood still goes on by itself', async () => {
  const { clock, world, pace, during } = begin(100);
  await during(10);
  pace.allow(0);
  await during(100);
  const stood = world.begun;
  pace.allow(10);
  await clock.advance(1_000);
  expect(world.begun).toBeGreaterThan(stood + 10);
});

test('it waits for a moment without live events, but not for long', async () => {
  const { world, during } = begin(50);
  world.liveInFlight = 1;
  const waiting = await during(1_000);
  expect(waiting).toBeGreaterThan(30);
  world.liveInFlight = 0;
  expect(await during(1_000)).toBeGreaterThan(waiting);
});

test.each(['mailing', 'of somebody else'])(
  'what live events of %s feel is told once, and then measured anew',
  async (consumer) => {
    const { clock, pace, live } = begin(50);
    let felt = 0;
    for (let at = 0; at < 20_000; at += 10) {
      const resting = clock.monotonic() % 1_730 < 350;
      if (!resting) {
        pace.began();
        pace.ended();
      }
      live(resting ? 2 : 9, consumer);
      if (pace.takeFelt()) felt += 1;
      await clock.advance(10);
    }
    expect(felt).toBeGreaterThanOrEqual(2);
    expect(felt).toBeLessThanOrEqual(20_000 / 1_730);
  },
);

test('as long as an event of the replay runs no live event has the process to itself', async () => {
  const { clock, pace, live } = begin(50);
  pace.began();
  for (let at = 0; at < 20_000; at += 10) {
    const resting = clock.monotonic() % 1_730 < 350;
    if (!resting) {
      pace.began();
      pace.ended();
    }
    live(resting ? 2 : 9);
    await clock.advance(10);
  }
  expect(pace.takeFelt()).toBe(false);
});
