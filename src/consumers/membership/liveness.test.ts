import { expect, test } from 'vitest';
import { Liveness, leaseMs } from './liveness.ts';
import type { SeenProcess } from './picture.ts';

const process = (id: number, change: Partial<SeenProcess> = {}): SeenProcess => ({
  id,
  beat: 1,
  declared: {},
  provable: false,
  locked: false,
  ...change,
});

test('a process is dead after the same beat for the whole lease, by the observer’s clock', () => {
  const liveness = new Liveness();
  expect(liveness.observe([process(1), process(2)], { self: 1, nowMs: 0, locksProve: true })).toEqual([1, 2]);
  expect(
    liveness.observe([process(1), process(2)], { self: 1, nowMs: leaseMs - 1, locksProve: true }),
  ).toEqual([1, 2]);
  expect(liveness.observe([process(1), process(2)], { self: 1, nowMs: leaseMs, locksProve: true })).toEqual([
    1,
  ]);
  expect(
    liveness.observe([process(1), process(2, { beat: 2 })], {
      self: 1,
      nowMs: leaseMs + 1,
      locksProve: true,
    }),
  ).toEqual([1, 2]);
});

test('a process whose session lock is gone is dead at once', () => {
  const liveness = new Liveness();
  const other = process(2, { provable: true, locked: true });
  expect(liveness.observe([process(1), other], { self: 1, nowMs: 0, locksProve: true })).toEqual([1, 2]);
  expect(
    liveness.observe([process(1), { ...other, beat: 2, locked: false }], {
      self: 1,
      nowMs: 10,
      locksProve: true,
    }),
  ).toEqual([1]);
});

test('a session lock that lives on does not save a process that stopped beating', () => {
  const liveness = new Liveness();
  const other = process(2, { provable: true, locked: true });
  liveness.observe([process(1), other], { self: 1, nowMs: 0, locksProve: true });
  expect(liveness.observe([process(1), other], { self: 1, nowMs: leaseMs, locksProve: true })).toEqual([1]);
});

// Lesson: a slow start was taken for death and the lanes bounced.
test('a process seen for the first time, however old its row, has a whole lease before it', () => {
  const liveness = new Liveness();
  liveness.observe([process(1)], { self: 1, nowMs: 0, locksProve: true });
  expect(
    liveness.observe([process(1), process(2, { beat: 0 })], { self: 1, nowMs: 60_000, locksProve: true }),
  ).toEqual([1, 2]);
});

test('after a restart of the server a missing lock proves nothing', () => {
  const liveness = new Liveness();
  const other = process(3, { provable: true, locked: false });
  expect(liveness.observe([process(1), other], { self: 1, nowMs: 0, locksProve: false })).toEqual([1, 3]);
  expect(
    liveness.observe([process(1), process(2, { provable: false, locked: false })], {
      self: 1,
      nowMs: 0,
      locksProve: true,
    }),
  ).toEqual([1, 2]);
});
