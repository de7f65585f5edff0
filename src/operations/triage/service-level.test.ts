import { describe, expect, it } from 'vitest';
import { escalationLevel, groupDisposition, triageWithinMs } from './service-level.ts';

const hour = 3_600_000;
const day = 24 * hour;

describe('the escalation of a group', () => {
  it.each([
    [0, 7.9 * hour],
    [1, 8 * hour],
    [1, 15.9 * hour],
    [2, 16 * hour],
    [3, 32 * hour],
    [3, 13.9 * day],
    [4, 14 * day],
  ])('is %i for a poison after %i ms', (level, oldestMs) => {
    expect(escalationLevel({ disposition: 'poison', oldestMs, assigned: false, snoozed: false })).toBe(level);
  });

  it('goes no higher than 1 once somebody has taken it, and rests while it is snoozed', () => {
    const facts = { disposition: 'poison', oldestMs: 40 * hour } as const;
    expect(escalationLevel({ ...facts, assigned: true, snoozed: false })).toBe(1);
    expect(escalationLevel({ ...facts, assigned: false, snoozed: true })).toBe(0);
    expect(escalationLevel({ ...facts, oldestMs: 0, assigned: true, snoozed: false })).toBe(0);
    expect(escalationLevel({ ...facts, oldestMs: 14 * day, assigned: true, snoozed: true })).toBe(4);
  });

  it('comes soonest for what stops a whole consumer', () => {
    const soonest = Object.entries(triageWithinMs).sort(([, one], [, other]) => one - other);
    expect(soonest[0]?.[0]).toBe('systemic');
    expect(soonest.at(-1)?.[0]).toBe('poison');
  });
});

describe('the disposition of a group', () => {
  it.each([
    ['schema', { keys: 99, keysOfConsumer: 99, trippedBreaker: false }],
    ['systemic', { keys: 100, keysOfConsumer: 200, trippedBreaker: false }],
    ['schema', { keys: 100, keysOfConsumer: 201, trippedBreaker: false }],
    ['systemic', { keys: 1, keysOfConsumer: 1, trippedBreaker: true }],
  ])('is %s of %o', (expected, facts) => {
    expect(groupDisposition({ disposition: 'schema', ...facts })).toBe(expected);
  });
});
