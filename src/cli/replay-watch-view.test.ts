import { expect, test } from 'vitest';
import { type ReplayMoment, watchLines } from './replay-watch-view.ts';
import { styleOf } from './style.ts';

const moment: ReplayMoment = {
  id: 7,
  consumer: 'mailing',
  state: 'running',
  selected: 200,
  selectedWithin: null,
  released: 120,
  handled: 100,
  failed: 2,
  underWay: 18,
  ratePerSecond: 25,
  allowedPerSecond: 25.04,
  ceiling: 50,
  yielding: 'goes slower: live events take longer beside it',
  live: { consumer: 'mailing', danger: 0.31 },
  waitingFor: null,
  unworked: false,
  next: null,
  pausedReason: null,
};
const shown = (change: Partial<ReplayMoment>): string =>
  watchLines({ ...moment, ...change }, { width: 100, style: styleOf(false) }).join('\n');

test('a replay shows its rate against what is allowed and its ceiling, live danger, and why it yields', () => {
  expect(shown({})).toContain('100 of 200, 2 failed, 18 under way');
  expect(shown({})).toContain('25/s, allowed 25, ceiling 50');
  expect(shown({})).toContain('mailing: 31 % of its promise');
  expect(shown({})).toContain('goes slower: live events take longer beside it');
});

test('a rebuild has no ceiling of events: it goes as fast as live consumers allow', () => {
  const lines = shown({ ceiling: null, allowedPerSecond: null, yielding: null });
  expect(lines).toContain('25/s, as fast as live consumers allow');
  expect(lines).not.toContain('ceiling');
});

test('what was estimated from a sample is shown in round numbers, and as that', () => {
  const selectedWithin = { low: 9_968_411, high: 9_993_902 };
  const lines = shown({ selected: 9_981_003, selectedWithin, handled: 3_000_123, failed: 0 });
  expect(lines).toContain('~3,000,000 of ~9,980,000, 18 under way');
});

const waiting: NonNullable<ReplayMoment['waitingFor']> = {
  step: 'approval',
  approvals: { required: 2, given: ['bob'] },
  notBy: ['ada', 'bob'],
  expiresAt: '2026-11-23T09:10:11.123Z',
  expired: false,
};

test('a replay that has not begun says what it waits for, until when, and the command that brings it on', () => {
  const next = 'factline replay approve 7 --digest 3f3ee307e1cd';
  const lines = shown({ state: 'pending_approval', ceiling: null, waitingFor: waiting, next });
  expect(lines).toContain(
    'waits for approval by 1 more (1 of 2), not by ada, bob; holds until 2026-11-23T09:10:11Z',
  );
  expect(lines).toContain(`next  ${next}`);
  expect(lines).not.toContain('/s');
  const step = (change: Partial<typeof waiting>): string => shown({ waitingFor: { ...waiting, ...change } });
  expect(step({ step: 'estimate', expiresAt: null })).toMatch(
    /waits for its estimate, which freezes the selection$/m,
  );
  expect(step({ step: 'request' })).toContain('waits for somebody to ask for approval; holds until');
  expect(step({ step: 'run' })).toContain('approved; waits for somebody to begin it; holds until');
  expect(step({ expired: true })).toContain('what was frozen holds no longer (since 2026-11-23T09:10:11Z)');
});

test('what it says is wrapped, not cut, on a narrow terminal', () => {
  const yielding =
    'stands still: payment-with-a-long-name would break its promise, which is what it yields to';
  const lines = watchLines(
    { ...moment, yielding, waitingFor: waiting },
    { width: 60, style: styleOf(false) },
  );
  for (const line of lines.slice(2)) expect(line.length).toBeLessThanOrEqual(60);
  expect(lines.join(' ').replaceAll(/ +/g, ' ')).toContain(yielding);
});

test('that nothing carries it on is said', () => {
  expect(shown({ unworked: true })).toContain('no process works mailing: it goes on when one does');
  expect(shown({})).not.toContain('no process');
});
