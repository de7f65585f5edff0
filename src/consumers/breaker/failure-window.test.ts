import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FailureWindow, tripsOn } from './failure-window.ts';

const windowWith = (worked: number, failed: number): FailureWindow => {
  const window = new FailureWindow();
  for (let key = 0; key < failed; key += 1) window.failed(`f${key}`, 'print', 1_000);
  for (let key = 0; key < worked; key += 1) window.handled(`h${key}`, 1_000);
  return window;
};

describe('the failure window', () => {
  it('trips on five keys alike that are 30 % of at least twenty', () => {
    expect(tripsOn(windowWith(15, 5).sums(1_000))).toBeNull();
    expect(tripsOn(windowWith(14, 6).sums(1_000))).toBe('print');
    expect(tripsOn(windowWith(0, 19).sums(1_000))).toBeNull();
    expect(tripsOn(windowWith(0, 20).sums(1_000))).toBe('print');
  });

  it('counts a key once, however often it fails', () => {
    const window = new FailureWindow();
    for (let time = 0; time < 100; time += 1) window.failed('one', 'print', time);
    for (let key = 0; key < 30; key += 1) window.handled(`h${key}`, 100);
    expect(window.sums(100)).toEqual({ keys: 31, failures: [{ fingerprint: 'print', failed: 1 }] });
  });

  it('keeps different ways of failing apart', () => {
    const window = new FailureWindow();
    for (let key = 0; key < 30; key += 1) window.failed(`k${key}`, `print${key % 10}`, 0);
    expect(tripsOn(window.sums(0))).toBeNull();
  });

  it('forgets after a minute', () => {
    const window = windowWith(0, 30);
    expect(tripsOn(window.sums(60_999))).toBe('print');
    expect(window.sums(61_000)).toEqual({ keys: 0, failures: [] });
    expect(window.failing(61_001)).toBe(false);
  });

  it('counts nothing while nothing fails, and stays bounded', () => {
    const window = new FailureWindow();
    for (let key = 0; key < 10; key += 1) window.handled(`h${key}`, 0);
    expect(window.sums(0).keys).toBe(0);
    for (let key = 0; key < 20_000; key += 1) window.failed(`f${key}`, `print${key % 100}`, 0);
    const { keys, failures } = window.sums(0);
    expect(keys).toBeLessThanOrEqual(5_000);
    expect(failures.length).toBeLessThanOrEqual(20);
  });

  it('agrees with counting by hand', () => {
    const step = fc.record({
      key: fc.integer({ min: 0, max: 12 }),
      fails: fc.boolean(),
      after: fc.integer({ min: 0, max: 9_000 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const window = new FailureWindow();
        const failed = new Map<number, number>();
        const worked = new Map<number, number>();
        let now = 0;
        for (const { key, fails, after } of steps) {
          now += after;
          const failing = [...failed.values()].some((time) => time > now - 60_000);
          if (fails) {
            window.failed(String(key), 'print', now);
            failed.set(key, now);
            worked.set(key, now);
          } else {
            window.handled(String(key), now);
            if (failing) worked.set(key, now);
          }
        }
        const recent = (times: Map<number, number>): number =>
          [...times.values()].filter((time) => time > now - 60_000).length;
        const sums = window.sums(now);
        expect(sums.keys).toBe(recent(worked));
        expect(sums.failures[0]?.failed ?? 0).toBe(recent(failed));
      }),
    );
  });
});
