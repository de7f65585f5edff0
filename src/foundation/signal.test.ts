import { describe, expect, test } from 'vitest';
import { createManualClock } from './manual-clock.ts';
import { Signal } from './signal.ts';

describe('a signal', () => {
  test('wakes everybody who waits', async () => {
    const signal = new Signal();
    const waiting = [signal.wait(), signal.wait(60_000)];
    signal.fire();
    expect(await Promise.all(waiting)).toEqual([true, true]);
  });

  test('remembers one wake-up that found nobody, not two', async () => {
    const clock = createManualClock();
    const signal = new Signal(clock);
    signal.fire();
    signal.fire();
    expect(await signal.wait()).toBe(true);
    const second = signal.wait(100);
    await clock.advance(100);
    expect(await second).toBe(false);
  });

  test('ends by time and by abort, and leaves no timer behind', async () => {
    const clock = createManualClock();
    const signal = new Signal(clock);
    const abort = new AbortController();
    const byAbort = signal.wait(1_000, abort.signal);
    const byFire = signal.wait(1_000);
    expect(clock.armed).toBe(2);
    abort.abort();
    signal.fire();
    expect(await byAbort).toBe(false);
    expect(await byFire).toBe(true);
    expect(clock.armed).toBe(0);
    expect(await signal.wait(1_000, abort.signal)).toBe(false);
  });

  test('a wake-up that ended a wait is not remembered as well', async () => {
    const clock = createManualClock();
    const signal = new Signal(clock);
    const first = signal.wait();
    signal.fire();
    await first;
    const second = signal.wait(10);
    await clock.advance(10);
    expect(await second).toBe(false);
  });
});
