import { expect, test } from 'vitest';
import type { DryRunOutcome } from '../../consumers/index.ts';
import { findingsOf, type RecordedOutcome } from './compare-outcome.ts';

const recorded = (change: Partial<RecordedOutcome> = {}): RecordedOutcome => ({
  published: [],
  effects: [],
  ...change,
});
const now = (change: Partial<DryRunOutcome> = {}): DryRunOutcome => ({
  position: 1,
  eventId: 'e',
  type: 't',
  outcome: 'no-op',
  effects: [],
  reusedEffects: [],
  published: [],
  changes: [],
  elapsedMs: 1,
  ...change,
});
const paid = (data: unknown, key = 'id=1', type = 'paid') => ({ type, key, data });

test('the same is nothing to find, whatever the order of fields', () => {
  const before = recorded({ effects: ['charge'], published: [paid({ a: 1, b: { c: [1] } })] });
  expect(
    findingsOf(before, now({ reusedEffects: ['charge'], published: [paid({ b: { c: [1] }, a: 1 })] })),
  ).toEqual([]);
});

test('fields that differ are named and their values are not, also where one is missing', () => {
  const before = recorded({
    published: [paid({ email: 'ada@x.org', lines: [1, 2], tax: { rate: 7 }, note: null })],
  });
  const [finding, ...more] = findingsOf(
    before,
    now({ published: [paid({ email: 'bob@x.org', lines: [2, 1], tax: {} }, 'id=2')] }),
  );
  expect(more).toEqual([]);
  expect(finding).toEqual({
    kind: 'published otherwise',
    type: 'paid',
    fields: ['(key)', 'email', 'lines', 'note', 'tax.rate'],
  });
});

test('what is published more, less, or in the place of something else', () => {
  expect(findingsOf(recorded({ published: [paid(1), paid(2)] }), now({ published: [paid(1)] }))).toEqual([
    { kind: 'published less', type: 'paid' },
  ]);
  expect(findingsOf(recorded(), now({ published: [paid(1)] }))).toEqual([
    { kind: 'published more', type: 'paid' },
  ]);
  expect(
    findingsOf(recorded({ published: [paid(1)] }), now({ published: [paid(1, 'id=1', 'refused')] })),
  ).toEqual([
    { kind: 'published less', type: 'paid' },
    { kind: 'published more', type: 'refused' },
  ]);
});

test('an effect that is not recorded ends it there: what may have followed is not missing', () => {
  const before = recorded({ effects: ['charge', 'mail'], published: [paid(1)] });
  expect(
    findingsOf(before, now({ outcome: 'effect-attempted', reusedEffects: ['charge'], effects: ['refund'] })),
  ).toEqual([{ kind: 'effect added', effect: 'refund' }]);
  expect(findingsOf(before, now({ reusedEffects: ['charge'], published: [paid(1)] }))).toEqual([
    { kind: 'effect missing', effect: 'mail' },
  ]);
});

test('code that fails is one finding', () => {
  const error = { code: 'X', message: 'no', failureClass: 'permanent' as const, fingerprint: 'f' };
  expect(findingsOf(recorded({ published: [paid(1)] }), now({ outcome: 'error', error }))).toEqual([
    { kind: 'failed', code: 'X', message: 'no', fingerprint: 'f' },
  ]);
});
