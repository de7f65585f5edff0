import { describe, expect, it } from 'vitest';
import type { Verdict } from '../verdict.ts';
import { type Condition, conditionsOf, dedupKeyOf } from './conditions.ts';

const fine = {
  consumer: 'payment',
  verdict: 'OK',
  state: 'live',
  reasons: [],
  lagSeconds: 0,
  handledWithinSeconds: 60,
  unhandled: 0,
  timeToBreachSeconds: null,
  timeToDrainSeconds: 0,
  breaker: null,
  paused: null,
  pausedParts: [],
  burn: [],
} as unknown as Verdict;

const observed = (verdict: Partial<Verdict>): Record<string, string> =>
  Object.fromEntries(
    conditionsOf([{ ...fine, ...verdict }]).map((each) => [dedupKeyOf(each), each.observed]),
  );
const met = (verdict: Partial<Verdict>): readonly Condition[] =>
  conditionsOf([{ ...fine, ...verdict }]).filter((each) => each.observed === 'met');

describe('the conditions of alerts', () => {
  it('are all there when nothing is wrong, so that what fired can end', () => {
    expect(observed({})).toEqual({
      'measurement-blind:payment:': 'clear',
      'consumer-stopped:payment:': 'clear',
      'falling-behind:payment:': 'clear',
      'dependency-down:payment:': 'clear',
      'pause-exceeded:payment:': 'clear',
    });
  });

  it('say only that nothing can be seen when the verdict is UNKNOWN', () => {
    const unknown = {
      verdict: 'UNKNOWN',
      burn: null,
      reasons: [{ code: 'clock-jumped', text: 'the clock jumped' }],
    } as const;
    expect(observed(unknown)).toEqual({
      'measurement-blind:payment:': 'met',
      'consumer-stopped:payment:': 'unknown',
      'falling-behind:payment:': 'unknown',
      'dependency-down:payment:': 'unknown',
      'pause-exceeded:payment:': 'unknown',
    });
    expect(met(unknown)[0]?.summary).toBe('payment cannot be measured: the clock jumped');
    const unregistered = {
      ...unknown,
      reasons: [{ code: 'not-registered', text: 'never started' }],
    } as const;
    expect(met(unregistered)).toEqual([]);
  });

  it('are met by a consumer that has stopped, is late, or will be within the hour', () => {
    const classes = (verdict: Partial<Verdict>): string[] => met(verdict).map((each) => each.class);
    expect(classes({ verdict: 'STALLED' })).toEqual(['consumer-stopped']);
    expect(classes({ verdict: 'LATE' })).toEqual(['falling-behind']);
    expect(classes({ timeToBreachSeconds: 3_599 })).toEqual(['falling-behind']);
    expect(classes({ timeToBreachSeconds: 3_600 })).toEqual([]);
    expect(met({ timeToBreachSeconds: 600 })[0]?.summary).toBe(
      'payment falls behind: at the present rate its promise breaks in 10 min',
    );
  });

  it('are met by a breaker that opened by itself, not by a pause that a person wanted', () => {
    const breaker = {
      kind: 'transient',
      reason: 'the provider is down',
      fingerprint: 'f',
      openedAt: '',
    } as const;
    expect(met({ verdict: 'PAUSED', breaker })).toMatchObject([
      {
        class: 'dependency-down',
        severity: 'page',
        summary: 'payment is paused by its breaker: the provider is down',
      },
    ]);
    expect(met({ verdict: 'PAUSED', breaker: { ...breaker, kind: 'person' } })).toEqual([]);
    expect(met({ verdict: 'PAUSED' })).toEqual([]);
  });

  it('have the severity of the rule that burns, and one alert a rule', () => {
    const window = (seconds: number, burn: number | null) => ({ seconds, burn, coverage: 1 });
    const burn = [
      { rate: 14.4, severity: 'page', state: 'BURNING', long: window(3_600, 20), short: window(300, 31.5) },
      { rate: 3, severity: 'ticket', state: 'UNKNOWN', long: window(86_400, null), short: window(7_200, 9) },
    ] as const;
    expect(observed({ burn })).toMatchObject({
      'burn-rate:payment:14.4x': 'met',
      'burn-rate:payment:3x': 'unknown',
    });
    expect(met({ burn })).toMatchObject([
      {
        severity: 'page',
        summary: 'payment spends its error budget 20 times as fast as it lasts (1 h; 31.5 times in 5 min)',
      },
    ]);
  });

  it('are met by a pause that buffers more than it may, unless it ends by itself; no key is named', () => {
    const pause = (events: number, resumes = false) => ({
      reason: 'deploy',
      by: 'ada',
      forSeconds: 60,
      resumesInSeconds: null,
      buffer: { max: 10, events, exact: true, resumes },
    });
    const key = (events: number) => ({ ...pause(events), scope: 'key', value: 'email=a@x.org' }) as const;
    const none = { ...pause(0), buffer: null };
    for (const paused of [pause(10), pause(11, true), none])
      expect(met({ verdict: 'PAUSED', paused, pausedParts: [key(10)] })).toEqual([]);
    expect(met({ verdict: 'PAUSED', paused: pause(11) })).toMatchObject([
      {
        class: 'pause-exceeded',
        severity: 'page',
        summary:
          'payment is paused, and more events have come than it may buffer: all of it, 11 events have come, 10 may',
      },
    ]);
    const [parts] = met({ pausedParts: [key(12), { ...key(13), scope: 'type', value: 'shop.x.y.v1' }] });
    expect(parts?.summary).toContain('a key of it, 12 events have come, 10 may, and 1 more part');
    expect(JSON.stringify(parts)).not.toContain('x.org');
  });

  it('are met by a workflow with stuck instances, with how many and since when; of other consumers nothing is asked', () => {
    const workflow = (stuck: number) =>
      ({ instances: { stuck }, stuckOldestSeconds: stuck === 0 ? null : 300 }) as Verdict['workflow'];
    const reasons = [
      { code: 'no-progress', text: 'nothing was done' },
      { code: 'instances-stuck', text: '2 instances are stuck and need a person, the oldest for 5 min' },
    ] as const;
    expect(met({ class: 'workflow', workflow: workflow(2), reasons })).toMatchObject([
      {
        class: 'workflow-stuck',
        severity: 'ticket',
        summary: 'payment has stuck instances: 2 instances are stuck and need a person, the oldest for 5 min',
        facts: { stuck: 2, oldestSeconds: 300 },
      },
    ]);
    const key = 'workflow-stuck:payment:';
    expect(observed({ class: 'workflow', workflow: workflow(0) })[key]).toBe('clear');
    expect(observed({ class: 'workflow', verdict: 'UNKNOWN', workflow: null })[key]).toBe('unknown');
    expect(observed({})).not.toHaveProperty(key);
  });

  it('leave out builds that nobody reads yet', () => {
    expect(conditionsOf([{ ...fine, state: 'building', verdict: 'STALLED' }])).toEqual([]);
  });
});
