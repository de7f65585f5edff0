import { expect, test } from 'vitest';
import { Liveness, leaseMs, returnMs } from './liveness.ts';
import type { SeenProcess } from './picture.ts';

const process = (id: number, change: Partial<SeenProcess> = {}): SeenProcess => ({
  id,
  beat: 1,
  declared: {},
  session: 'none',
  ...change,
});

/** Looks of process 1, at these moments, at itself and one other; answers whether the other one lived. */
const looks = (...seen: readonly (readonly [number, Partial<SeenProcess>])[]): boolean[] => {
  const liveness = new Liveness();
  return seen.map(([nowMs, change]) =>
    liveness.observe([process(1), process(2, change)], { self: 1, nowMs }).live.includes(2),
  );
};

test('a process is dead after the same beat for the whole lease, by the observer’s clock', () => {
  expect(looks([0, {}], [leaseMs - 1, {}], [leaseMs, {}], [leaseMs + 1, { beat: 2 }])).toEqual([
    true,
    true,
    false,
    true,
  ]);
});

test('a process whose session lock is gone is dead at once, also while it beats', () => {
  expect(looks([0, { session: 'held' }], [10, { session: 'ended', beat: 2 }])).toEqual([true, false]);
});

test('a session lock that lives on does not save a process that stopped beating', () => {
  expect(looks([0, { session: 'held' }], [leaseMs, { session: 'held' }])).toEqual([true, false]);
});

// Lesson: a slow start was taken for death and the lanes bounced.
test('a process seen for the first time, however old its row, has a whole lease before it: a slow start was taken for death (Wolverine#3768)', () => {
  const liveness = new Liveness();
  liveness.observe([process(1)], { self: 1, nowMs: 0 });
  const seen = [process(1), process(2, { beat: 0 })];
  expect(liveness.observe(seen, { self: 1, nowMs: 60_000 }).live).toEqual([1, 2]);
});

test('after a restart of the server whoever had a session is awaited, and the next look comes when that is over', () => {
  const liveness = new Liveness();
  const look = (nowMs: number, change: Partial<SeenProcess>): ReturnType<Liveness['observe']> =>
    liveness.observe([process(1), process(2, change)], { self: 1, nowMs });
  look(0, { session: 'held' });
  expect(look(9_000, { session: 'awaited' })).toEqual({ live: [1, 2], lookMs: returnMs });
  expect(look(9_000 + returnMs - 1, { session: 'awaited' })).toEqual({ live: [1, 2], lookMs: 1 });
  expect(look(9_000 + returnMs, { session: 'awaited' })).toEqual({ live: [1], lookMs: null });
  expect(look(9_001 + returnMs, { session: 'held' })).toEqual({ live: [1, 2], lookMs: null });
});

test('who is awaited and beats has more time: it is on its way', () => {
  expect(
    looks(
      [0, { session: 'awaited' }],
      [returnMs - 1, { session: 'awaited', beat: 2 }],
      [2 * returnMs - 2, { session: 'awaited', beat: 2 }],
    ),
  ).toEqual([true, true, true]);
});

test('who was dead before a restart of the server is not awaited after it', () => {
  expect(looks([0, { session: 'ended' }], [10, { session: 'awaited' }], [20, { session: 'held' }])).toEqual([
    false,
    false,
    true,
  ]);
});
