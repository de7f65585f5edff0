import { describe, expect, it } from 'vitest';
import { createManualClock } from '../foundation/index.ts';
import type { Queryable } from '../postgres/index.ts';
import { ClockWatch } from './clock-watch.ts';
import type { ClockJump, ConsumerFacts } from './facts.ts';

const nobody: Queryable = { query: () => Promise.reject(new Error('read only')) };

const watching = (): ((nowMs: number, stored?: ClockJump | null) => Promise<ClockJump | null>) & {
  pass(ms: number): Promise<void>;
} => {
  const clock = createManualClock();
  const watch = new ClockWatch(clock);
  const look = async (nowMs: number, stored: ClockJump | null = null): Promise<ClockJump | null> => {
    const facts = { head: 70, databaseClock: { nowMs, headAheadMs: 0, jump: stored } } as ConsumerFacts;
    const [examined] = await watch.examine(nobody, [facts], clock.monotonic());
    return examined?.databaseClock.jump ?? null;
  };
  return Object.assign(look, { pass: (ms: number) => clock.advance(ms) });
};

describe("the watch over the database's clock", () => {
  it('sees a jump in either direction at the next measurement, also where it may store nothing', async () => {
    for (const byMs of [3_600_000, -3_600_000, 10_100, -10_100]) {
      const look = watching();
      expect(await look(1_000_000)).toBeNull();
      await look.pass(10_000);
      expect(await look(1_010_000)).toBeNull();
      await look.pass(10_000);
      expect(await look(1_020_000 + byMs)).toEqual({ agoMs: 0, byMs, head: 70 });
      await look.pass(30_000);
      expect(await look(1_050_000 + byMs)).toEqual({ agoMs: 30_000, byMs, head: 70 });
    }
  });

  it('is not disturbed by a slow statement, by drift over days, or by a clock that is corrected bit by bit', async () => {
    const look = watching();
    await look(0);
    await look.pass(10_000);
    expect(await look(19_000)).toBeNull();
    await look.pass(86_400_000);
    expect(await look(19_000 + 86_400_000 + 40_000)).toBeNull();
  });

  it('believes a stored jump that came after its own', async () => {
    const look = watching();
    await look(0);
    await look.pass(1_000);
    await look(3_601_000);
    await look.pass(60_000);
    const later = { agoMs: 5_000, byMs: -3_600_000, head: 80 };
    expect(await look(3_661_000, later)).toEqual(later);
    const earlier = { ...later, agoMs: 90_000 };
    expect(await look(3_661_000, earlier)).toMatchObject({ agoMs: 60_000, byMs: 3_600_000 });
  });
});
