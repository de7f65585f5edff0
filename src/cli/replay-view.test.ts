import { expect, test } from 'vitest';
import type { Replay, ReplaySummary } from '../replay/index.ts';
import { replayLines, replayListLines } from './replay-view.ts';
import { styleOf } from './style.ts';

const view = { width: 120, style: styleOf(false) };
const within = { low: 9_968_411, high: 9_993_902 };

const summary: ReplaySummary = {
  id: 7,
  title: 'The fold was wrong',
  consumer: 'orders',
  class: 'projection',
  mode: 'blue-green',
  effects: 'skip',
  state: 'estimated',
  revision: 1,
  selected: 9_981_003,
  selectedWithin: within,
  released: 0,
  approvals: { required: 0, given: 0 },
  breakGlass: false,
  plannedBy: 'ada',
  requestedBy: null,
  plannedAt: '2030-01-31T09:00:00Z',
  endedAt: null,
};

/** As far as a replay is shown whose estimate is known. */
const replay = {
  ...summary,
  app: 'shop',
  consumerId: 1,
  codeVersion: '1.2.3',
  order: 'beside-live',
  parity: 'every-row',
  paused: null,
  manifest: {
    title: summary.title,
    reason: 'Refunds were added up.',
    owner: null,
    reference: null,
    window: null,
    rate: { ceiling: 50, floor: 1 },
    canary: [1, 10],
    guards: { failureRate: 0.05, sameFingerprint: 3 },
    rollback: null,
    effects: { policy: 'skip', max: null },
    publish: 'suppress',
    selection: {
      source: 'log',
      from: 1,
      to: 10_020_000,
      since: null,
      until: null,
      types: null,
      keys: null,
      where: null,
      ids: null,
    },
  },
  frozen: {
    ceiling: 10_020_000,
    selected: 9_981_003,
    selectedWithin: within,
    excluded: 0,
    digest: 'd'.repeat(64),
    expiresAt: '2030-02-01T09:00:00Z',
    expired: false,
  },
  approvals: { required: 0, given: [] },
  estimate: {
    sample: null,
    noSample: 'a rebuild is compared',
    fanOut: { derived: [] },
    blastRadius: {
      events: 9_981_003,
      eventsWithin: within,
      keys: { count: 49_000, exact: false },
      consumers: { direct: 'orders', derived: [] },
      effects: [],
      irreversible: null,
      promises: [],
      durationSeconds: null,
      unreplayable: [],
      warnings: [],
    },
  },
} as unknown as Replay;

test('what was estimated from a sample is shown in round numbers with its interval, in the card and where it is frozen', () => {
  const lines = replayLines(replay, { ...view, width: 200 })
    .join(' ')
    .replace(/\s+/g, ' ');
  const estimated = 'about 9,980,000 (9,960,000 to 10,000,000, estimated from a sample)';
  expect(lines).toContain(`frozen ${estimated} events up to position 10020000`);
  expect(lines).toContain(`events ${estimated} of at least 49,000 keys`);
  expect(replayListLines([summary], view).join('\n')).toContain('~9,980,000');
});

test('whoever approves sees its pace, its canary, what stops it and how it would be undone; of a rebuild there is none of it', () => {
  const handler = {
    ...replay,
    mode: 'redeliver',
    manifest: { ...replay.manifest, rollback: 'the refunds are booked back' },
  } as unknown as Replay;
  const lines = replayLines(handler, { ...view, width: 200 })
    .join(' ')
    .replaceAll(/\s+/g, ' ');
  expect(lines).toContain('down to 1/s and to a stop; first 1, 10, then the rest');
  expect(lines).toContain('stops by itself when more than 5 % fail, or 3 in the same way');
  expect(lines).toContain('undone by the refunds are booked back');
  expect(replayLines(replay, view).join('\n')).not.toMatch(/pace|stops|undone/);
});

test('what has to agree is shown where something has', () => {
  expect(replayLines(replay, view).join('\n')).toContain(
    'every row with the live table, before readers see it',
  );
  expect(replayLines({ ...replay, parity: 'none' }, view).join('\n')).not.toContain('every row');
});

test('what was counted is shown as it is, also where it was stored before there were estimates of it', () => {
  const { eventsWithin: _, ...card } = replay.estimate?.blastRadius ?? {};
  const counted = {
    ...replay,
    frozen: { ...replay.frozen, selected: 239, selectedWithin: null },
    estimate: { ...replay.estimate, blastRadius: { ...card, events: 239 } },
  } as unknown as Replay;
  const lines = replayLines(counted, view).join('\n');
  expect(lines).toContain('239 events up to position');
  expect(lines).toMatch(/events +239 of at least/);
  expect(replayListLines([{ ...summary, selected: 239, selectedWithin: null }], view).join('\n')).toContain(
    '239',
  );
});
