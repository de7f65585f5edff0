import { describe, expect, test } from 'vitest';
import { systemClock } from './clock.ts';
import { createManualClock } from './manual-clock.ts';

describe('the system clock', () => {
  test('sleeps and measures', async () => {
    const start = systemClock.monotonic();
    await systemClock.sleep(20);
    expect(systemClock.monotonic() - start).toBeGreaterThanOrEqual(15);
  });

  test('ends a sleep early when the signal aborts, without rejecting', async () => {
    const abort = new AbortController();
    const sleeping = systemClock.sleep(60_000, abort.signal);
    abort.abort();
    await sleeping;
    await systemClock.sleep(60_000, abort.signal);
  });

  test('does not turn a very long time into one millisecond', async () => {
    let fired = false;
    const timer = systemClock.timer(1e12, () => {
      fired = true;
    });
    await systemClock.sleep(10);
    timer.cancel();
    expect(fired).toBe(false);
  });

  test('a cancelled timer never runs', async () => {
    let fired = false;
    const timer = systemClock.timer(1, () => {
      fired = true;
    });
    timer.cancel();
    timer.cancel();
    await systemClock.sleep(10);
    expect(fired).toBe(false);
  });
});

describe('the manual clock', () => {
  test('runs timers in order of time, those too that a timer arms', async () => {
    const clock = createManualClock();
    const seen: string[] = [];
    clock.timer(30, () => seen.push(`c ${clock.monotonic()}`));
    clock.timer(10, () => {
      seen.push(`a ${clock.monotonic()}`);
      clock.timer(10, () => seen.push(`b ${clock.monotonic()}`));
    });
    await clock.advance(29);
    expect(seen).toEqual(['a 10', 'b 20']);
    await clock.advance(1);
    expect(seen).toEqual(['a 10', 'b 20', 'c 30']);
    expect(clock.armed).toBe(0);
  });

  test('lets a loop of sleeps run as often as its time passes', async () => {
    const clock = createManualClock(new Date('2026-01-01T00:00:00Z'));
    let passes = 0;
    const abort = new AbortController();
    const loop = (async () => {
      while (!abort.signal.aborted) {
        passes += 1;
        await clock.sleep(1_000, abort.signal);
      }
    })();
    await clock.advance(5_500);
    expect(passes).toBe(6);
    expect(clock.wall().toISOString()).toBe('2026-01-01T00:00:05.500Z');
    abort.abort();
    await loop;
    expect(clock.armed).toBe(0);
  });
});
