import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type BurnState,
  burnRates,
  burnRules,
  type WindowFacts,
  windowsOfHours,
  windowsOfMinutes,
} from './burn-rate.ts';

const all = [...windowsOfMinutes, ...windowsOfHours];
/** Every window with the same share of failed events, fully sampled, but for what is said of some. */
const windows = (share: number, others: Readonly<Record<number, Partial<WindowFacts>>> = {}): WindowFacts[] =>
  all.map((seconds) => ({
    seconds,
    coveredMs: seconds * 1_000,
    events: 10_000,
    failed: Math.round(10_000 * share),
    ...others[seconds],
  }));
const states = (given: readonly WindowFacts[], budget = 0.01): BurnState[] =>
  burnRates(given, budget).map(({ state }) => state);

describe('burn rates', () => {
  it('follow the four rules of the workbook, each with its short window', () => {
    expect(
      burnRules.map(({ rate, longSeconds, shortSeconds, severity }) => [
        rate,
        longSeconds / 60,
        shortSeconds / 60,
        severity,
      ]),
    ).toEqual([
      [14.4, 60, 5, 'page'],
      [6, 360, 30, 'page'],
      [3, 1_440, 120, 'ticket'],
      [1, 4_320, 360, 'ticket'],
    ]);
  });

  it('burn when both windows reach the rate', () => {
    expect(states(windows(0.144))).toEqual(['BURNING', 'BURNING', 'BURNING', 'BURNING']);
    expect(states(windows(0.1439))).toEqual(['OK', 'BURNING', 'BURNING', 'BURNING']);
    expect(states(windows(0.01))).toEqual(['OK', 'OK', 'OK', 'BURNING']);
    expect(states(windows(0.0099))).toEqual(['OK', 'OK', 'OK', 'OK']);
    expect(states(windows(0.144), 0.1)).toEqual(['OK', 'OK', 'OK', 'BURNING']);
  });

  it('are over as soon as the short window is below the rate, and not yet there while only that one burns', () => {
    expect(states(windows(0.5, { 300: { failed: 0 } }))[0]).toBe('OK');
    expect(states(windows(0, { 300: { failed: 10_000 } }))[0]).toBe('OK');
  });

  it('are UNKNOWN, never OK, when less than 80 % of either window was sampled', () => {
    const of = (minutes: number, share: number): BurnState | undefined =>
      states(windows(0, { 3600: { coveredMs: share * 3_600_000 }, 300: { coveredMs: minutes * 60_000 } }))[0];
    expect(of(4, 0.8)).toBe('OK');
    expect(of(4, 0.79)).toBe('UNKNOWN');
    expect(of(3.9, 1)).toBe('UNKNOWN');
    expect(states([])).toEqual(['UNKNOWN', 'UNKNOWN', 'UNKNOWN', 'UNKNOWN']);
    expect(burnRates([], 0.01)[0]?.long).toEqual({ seconds: 3_600, burn: null, coverage: 0 });
  });

  it('of nothing that happened are nothing, and of a budget of nothing without end', () => {
    const idle = windows(0).map((window) => ({ ...window, events: 0 }));
    expect(states(idle)).toEqual(['OK', 'OK', 'OK', 'OK']);
    const [worst] = burnRates(windows(0.0001), 0);
    expect(worst).toMatchObject({ state: 'BURNING', long: { burn: 1_000_000 } });
  });

  it('know nothing of what they did not see, whatever the figures are', () => {
    const window = (seconds: number): fc.Arbitrary<WindowFacts> =>
      fc.record({
        seconds: fc.constant(seconds),
        coveredMs: fc.integer({ min: 0, max: seconds * 1_200 }),
        events: fc.nat(1_000),
        failed: fc.nat(1_000),
      });
    const budget = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.tuple(...all.map(window)), budget, (given, errorBudget) => {
        for (const { state, long, short, rate } of burnRates(given, errorBudget)) {
          const seen = [long, short].every(({ coverage }) => coverage >= 0.8);
          expect(state === 'UNKNOWN').toBe(!seen);
          if (seen) expect(state === 'BURNING').toBe((long.burn ?? 0) >= rate && (short.burn ?? 0) >= rate);
        }
      }),
    );
  });
});
