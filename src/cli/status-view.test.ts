import { describe, expect, it } from 'vitest';
import type { Verdict } from '../operations/index.ts';
import { statusLines, summaryLine } from './status-view.ts';
import { styleOf, textWidth } from './style.ts';

const style = styleOf(false);
const fine: Verdict = {
  consumer: 'orders',
  class: 'projection',
  verdict: 'OK',
  reasons: [],
  lagSeconds: 0,
  lagExact: true,
  handledWithinSeconds: 60,
  errorBudget: 0.01,
  budget: null,
  burn: null,
  timeToDrainSeconds: 0,
  timeToBreachSeconds: null,
  unhandled: 0,
  unhandledExact: true,
  retrying: 0,
  waiting: 0,
  quarantined: { keys: 0, events: 0, waiting: 0, oldestSeconds: null },
  handled: null,
  hottestKey: null,
  workflow: null,
  lanes: { total: 1, owned: 1, unowned: [] },
  owners: [],
  checkpoint: 10,
  head: 10,
  breaker: null,
  paused: null,
  pausedParts: [],
  held: 0,
  version: 1,
  build: 1,
  state: 'live',
  filling: null,
  generation: 1,
  startPosition: 0,
  measuredSecondsAgo: 0,
};
const stalled: Verdict = {
  ...fine,
  consumer: 'payment',
  class: 'operational',
  verdict: 'STALLED',
  reasons: [
    {
      code: 'no-progress',
      text: 'nothing was handled in lane 3 for 2 min, and the event at position 7 waits',
    },
    { code: 'quarantine', text: '1 key in quarantine, 2 events waiting behind' },
  ],
  lagSeconds: 125,
  lagExact: false,
  timeToDrainSeconds: null,
  unhandled: 2_000,
  unhandledExact: false,
  quarantined: { keys: 1, events: 1, waiting: 2, oldestSeconds: 900 },
  lanes: { total: 16, owned: 15, unowned: [3] },
};

describe('status', () => {
  it('shows a row per consumer and the reasons below', () => {
    expect(statusLines([fine, stalled], { width: 120, style })).toEqual([
      'CONSUMER  CLASS        VERDICT          LAG  UNHANDLED  QUARANTINE  DRAINS IN  BREACH IN  LANES',
      'orders    projection   OK                 0          0           0          0          –    1/1',
      'payment   operational  STALLED  ≤ 2 min 5 s    ≥ 2,000    1 key +2          –          –  15/16',
      '',
      'payment  nothing was handled in lane 3 for 2 min, and the event at position 7 waits',
      '         1 key in quarantine, 2 events waiting behind',
    ]);
  });

  it('says "–" for what is not known, never zero', () => {
    const unknown: Verdict = {
      ...fine,
      verdict: 'UNKNOWN',
      lagSeconds: null,
      unhandled: null,
      quarantined: null,
      timeToDrainSeconds: null,
      lanes: { total: 0, owned: 0, unowned: [] },
    };
    expect(statusLines([unknown], { width: 120, style })[1]).toMatch(
      /UNKNOWN {2,}– {2,}– {2,}– {2,}– {2,}– {2,}–$/,
    );
  });

  it.each([40, 50, 60, 80])('fits %i columns', (width) => {
    for (const line of statusLines([fine, stalled], { width, style }))
      expect(textWidth(line)).toBeLessThanOrEqual(width);
  });

  it('says what to do when there is no consumer', () => {
    expect(statusLines([], { width: 80, style })[1]).toContain('factline migrate');
  });

  it('counts a build that nobody reads yet as no promise', () => {
    const building: Verdict = {
      ...fine,
      state: 'building',
      build: 2,
      filling: { done: 0.4, etaSeconds: null },
    };
    expect(summaryLine([fine, building], style)).toBe('1 of 1 promise kept · 1 being built');
    const kept: Verdict = { ...building, verdict: 'LATE', filling: null };
    expect(summaryLine([fine, kept], style)).toBe('1 of 1 promise kept');
  });

  it('sums up in one sentence', () => {
    expect(summaryLine([fine, stalled], style)).toBe(
      '1 of 2 promises kept · 1 STALLED · 1 key in quarantine',
    );
  });
});
