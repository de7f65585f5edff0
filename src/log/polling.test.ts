import { expect, test } from 'vitest';
import { pollDelayMs, reconnectDelayMs } from './polling.ts';

test('when idle the net costs one statement a second with LISTEN, and eight without', () => {
  expect(pollDelayMs({ silenceMs: 60_000, unfinishedReads: 0, listening: true })).toBe(1000);
  expect(pollDelayMs({ silenceMs: 60_000, unfinishedReads: 0, listening: false })).toBe(125);
});

test('the net widens with the silence', () => {
  expect(pollDelayMs({ silenceMs: 0, unfinishedReads: 0, listening: true })).toBe(5);
  expect(pollDelayMs({ silenceMs: 100, unfinishedReads: 0, listening: true })).toBe(50);
  expect(pollDelayMs({ silenceMs: 0, unfinishedReads: 0, listening: false })).toBe(2);
});

test('an unfinished position is looked at every 2 ms, growing to 20, whatever the silence', () => {
  expect(pollDelayMs({ silenceMs: 60_000, unfinishedReads: 1, listening: true })).toBe(2);
  expect(pollDelayMs({ silenceMs: 0, unfinishedReads: 3, listening: true })).toBeCloseTo(3.92);
  expect(pollDelayMs({ silenceMs: 0, unfinishedReads: 1000, listening: false })).toBe(20);
});

test('reconnecting waits 100 ms, doubling to 5 s', () => {
  expect([1, 2, 3, 50].map(reconnectDelayMs)).toEqual([100, 200, 400, 5000]);
});
