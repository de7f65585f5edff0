import { expect, test } from 'vitest';
import type { QuarantineGroup, Release } from '../operations/index.ts';
import { groupDetailLines, groupListLines, releaseLines } from './quarantine-group-view.ts';
import { styleOf, textWidth } from './style.ts';

const style = styleOf(false);
const group: QuarantineGroup = {
  id: 12,
  consumer: 'payment',
  consumerId: 3,
  class: 'operational',
  app: 'shop',
  eventType: 'shop.order.placed.v1',
  fingerprint: 'b214ec96828b49b1',
  errorCode: 'Error',
  errorMessage: 'the amount of the order is negative, which nobody can pay',
  place: 'handle (payment.ts)',
  disposition: 'authorisation',
  events: 1,
  keys: 1,
  followers: 0,
  partly: false,
  failures: 1,
  firstSeenAt: '2026-11-22T09:00:00Z',
  lastSeenAt: '2026-11-22T09:00:00Z',
  introducedBy: '1.0.0',
  lastCodeVersion: '1.0.0',
  oldestAt: '2026-11-22T09:00:00Z',
  oldestMs: 0,
  owner: 'orders',
  triageWithinMs: 60_000,
  escalation: 0,
  assignedTo: null,
  assignedAt: null,
  snoozedUntil: null,
  notes: 0,
  runbook: 'docs/quarantine.md#authorisation',
  release: null,
};
const nowMs = Date.parse('2026-11-22T09:12:34Z');
const release: Release = {
  id: 4,
  group: 12,
  consumer: 'payment',
  state: 'stopped',
  actor: 'ada',
  reason: null,
  rate: 20,
  stopAfter: 10,
  createdAt: '2026-11-22T09:00:00Z',
  endedAt: null,
  selected: 1,
  digest: 'b453b0ca4a97',
  canary: { selected: 1, sent: 0, handled: 0, failed: 1, gone: 0 },
  rest: { selected: 0, sent: 0, handled: 0, failed: 0, gone: 0 },
  outcome: '1 of the canary failed again',
  firstFailure: 'the amount of the order is negative, which nobody can pay',
};

test.each([60, 80, 120])('groups and releases fit %i columns, and what comes next is never cut', (width) => {
  const lines = [
    ...groupListLines([group], { width, style, nowMs }),
    ...releaseLines(release, { width, style }),
  ];
  for (const line of lines) expect(textWidth(line), line).toBeLessThanOrEqual(width);
  const text = lines.join(' ').replaceAll(/\s+/g, ' ');
  expect(text).toContain('factline quarantine release --group 12 --canary 5');
  expect(text).toContain(release.firstFailure);
});

test('one is one, also in a group', () => {
  const lines = groupDetailLines(group, [], { width: 80, style, nowMs }).join('\n');
  expect(lines).toContain('1 event of 1 key; 0 events wait behind them');
  const several = { ...group, partly: true, followers: 1 };
  expect(groupDetailLines(several, [], { width: 80, style, nowMs }).join('\n')).toContain(
    '1+ events of 1+ keys',
  );
});
