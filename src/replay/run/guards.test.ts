import { describe, expect, it } from 'vitest';
import { allowance, canaryTarget, trippedGuard } from './guards.ts';

const guards = { failureRate: 0.05, sameFingerprint: 3 };
const none = { decided: 0, failed: 0, fingerprints: {} };

describe('guards', () => {
  it.each([
    ['nothing has failed', { decided: 500, failed: 0, fingerprints: {} }, false, null],
    [
      'one failure appears often',
      { decided: 500, failed: 3, fingerprints: { abc: 3 } },
      false,
      '3 events failed with abc',
    ],
    [
      'too many fail',
      { decided: 100, failed: 6, fingerprints: { a: 2, b: 2, c: 2 } },
      false,
      '6 of 100 events failed, more than 5 %',
    ],
    [
      'exactly the share that may',
      { decided: 100, failed: 5, fingerprints: { a: 2, b: 2, c: 1 } },
      false,
      null,
    ],
    ['few were decided', { decided: 3, failed: 1, fingerprints: { a: 1 } }, false, null],
    [
      'few were decided, in a canary',
      { decided: 1, failed: 1, fingerprints: { a: 1 } },
      true,
      '1 of 1 events failed in the canary, more than 5 %',
    ],
  ])('when %s', (_, now, canary, reason) => {
    expect(trippedGuard(guards, { now, seen: {}, canary })).toBe(reason);
  });

  it('do not stop it again for what a person has accepted, but for what comes on top', () => {
    const seen = { decided: 10, failed: 3, fingerprints: { abc: 3 } };
    const now = { decided: 60, failed: 5, fingerprints: { abc: 5 } };
    expect(trippedGuard(guards, { now, seen, canary: false })).toBeNull();
    const more = { decided: 60, failed: 6, fingerprints: { abc: 6 } };
    expect(trippedGuard(guards, { now: more, seen, canary: false })).toBe('3 events failed with abc');
    expect(trippedGuard(guards, { now: none, seen, canary: true })).toBeNull();
  });
});

describe('a canary', () => {
  const steps = [1, 10, 100];
  it.each([
    [0, 0, 1],
    [1, 1, 1],
    [1, 0, 10],
    [7, 3, 10],
    [10, 2, 10],
    [100, 1, 100],
    [100, 0, null],
  ])('with %i handed over and %i not decided goes to %j', (released, outstanding, target) => {
    expect(canaryTarget(steps, { released, outstanding })).toBe(target);
  });
});

describe('the allowance', () => {
  it.each([
    ['the first time one event', { rate: 50, elapsed: null }, 1],
    ['a quarter of a second', { rate: 50, elapsed: 0.26 }, 13],
    ['what was missed, up to a second', { rate: 50, elapsed: 3600 }, 50],
    ['less than one a second', { rate: 0.5, elapsed: 2 }, 1],
    ['not yet', { rate: 0.5, elapsed: 1.9 }, 0],
    ['paid ahead', { rate: 50, elapsed: -1 }, -50],
    ['standing still', { rate: 0, elapsed: 10 }, 0],
  ])('%s', (_, given, events) => {
    expect(allowance(given)).toBe(events);
  });
});
