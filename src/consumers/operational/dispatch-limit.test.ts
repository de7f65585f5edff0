import { describe, expect, it } from 'vitest';
import { createManualClock } from '../../foundation/index.ts';
import { DispatchLimit } from './dispatch-limit.ts';
import { LaneWork } from './lane-work.ts';

const laneWith = (dispatchLimit: number): LaneWork =>
  new LaneWork(
    {
      consumerId: 1,
      lane: 0,
      generation: 1,
      token: 1,
      position: 0,
      dispatchLimit,
      settledAtTakeover: 0,
      clean: true,
      types: new Set(),
      laneCount: 1,
      stopAt: Number.MAX_SAFE_INTEGER,
    },
    new Set(),
  );

const start = (options: { failures?: number } = {}) => {
  const clock = createManualClock();
  const lane = laneWith(0);
  const writes: number[] = [];
  let failures = options.failures ?? 0;
  const limit = new DispatchLimit({
    clock,
    lanes: () => [lane],
    write: async (position) => {
      if (failures > 0) {
        failures -= 1;
        throw new RangeError('no');
      }
      writes.push(position);
      lane.dispatchLimit = Math.max(lane.dispatchLimit, position);
    },
    onRaised: () => {},
    onError: () => {},
  });
  return { clock, lane, limit, writes };
};

describe('the dispatch limit', () => {
  it('admits nothing above what is stored, and is raised for who waits', async () => {
    const { clock, lane, limit } = start();
    expect(limit.admits(lane, 40)).toBe(false);
    await clock.advance(0);
    expect(limit.admits(lane, 40)).toBe(true);
  });

  it('follows what was begun closely while there is a backlog, however much was read', async () => {
    const { clock, lane, limit } = start();
    for (let position = 1; position <= 20; position += 1) {
      while (!limit.admits(lane, position)) await clock.advance(0);
      await clock.advance(50);
    }
    // Twenty positions a second: a quarter of a second ahead would be five, the least is sixteen.
    expect(lane.dispatchLimit).toBeLessThanOrEqual(20 + 16);
  });

  it('goes in larger steps when events are begun quickly, so that a step still covers many', async () => {
    const { clock, lane, limit, writes } = start();
    for (let position = 1; position <= 10_000; position += 1) {
      while (!limit.admits(lane, position)) await clock.advance(0);
      if (position % 4 === 0) await clock.advance(1);
    }
    // The first tenth of a second goes in the smallest steps.
    expect(writes.length).toBeLessThan(150);
    expect(lane.dispatchLimit).toBeLessThanOrEqual(10_000 + 1_000);
  });

  it('stays ahead of a trickle, which waited for a batch that never filled (Wolverine GH-3490)', async () => {
    const { clock, lane, limit, writes } = start();
    for (let position = 1; position <= 1_000; position += 1) {
      limit.nothingWaits(position - 1);
      await clock.advance(5);
      expect(limit.admits(lane, position)).toBe(true);
    }
    expect(writes.length).toBeLessThan(12);
  });

  it('tries again after a write that failed', async () => {
    const { clock, lane, limit } = start({ failures: 2 });
    expect(limit.admits(lane, 1)).toBe(false);
    await clock.advance(1_500);
    expect(limit.admits(lane, 1)).toBe(true);
  });
});
