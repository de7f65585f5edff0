import { describe, expect, test } from 'vitest';
import type { ConsumerFacts, LaneFacts } from '../facts.ts';
import type { Verdict } from '../verdict.ts';
import { verdictOf } from '../verdict-of.ts';
import type { DueFacts, VersionFacts } from './workflow-facts.ts';

const lane: LaneFacts = { lane: 0, checkpoint: 100, movedMs: 0, owner: 7, unownedMs: null };
const lost: LaneFacts = { ...lane, owner: null, unownedMs: 60_000 };
const none = { queued: 0, running: 0, waiting: 0, compensating: 0, stuck: 0 };

const version = (given: Partial<VersionFacts> = {}): VersionFacts => ({
  version: 1,
  lanes: [lane],
  instances: { ...none, waiting: 12 },
  exact: true,
  stuckMs: null,
  due: null,
  ...given,
});

const judged = (versions: readonly VersionFacts[], given: Partial<ConsumerFacts> = {}): Verdict => {
  const facts = {
    id: 1,
    app: 'shop',
    consumer: 'fulfil-order',
    class: 'workflow',
    version: 1,
    build: 1,
    state: 'live',
    filling: null,
    ordering: 'key',
    types: ['shop.order.placed.v1'],
    generation: 1,
    newerGeneration: null,
    startPosition: 0,
    handledWithinMs: 60_000,
    errorBudget: 0.01,
    objective: { events: 0, late: 0, quarantined: 0 },
    windows: [],
    earlier: null,
    databaseClock: { nowMs: 0, headAheadMs: 0, jump: null },
    paused: null,
    pausedParts: [],
    heldEvents: 0,
    breaker: null,
    lanes: [lane],
    owners: [],
    head: 100,
    oldest: null,
    unhandled: { events: 0, exact: true, retrying: 0, waiting: 0, withoutCode: 0, nextRetryMs: null },
    quarantined: { keys: 0, events: 0, waiting: 0, oldestMs: null, exact: true },
    hottestKey: null,
    workflow: { versions },
    ...given,
  } as ConsumerFacts;
  return verdictOf(facts, { measuredAgoMs: 0, trend: null, tail: null, runner: null });
};

const overdue = (ageMs: number, idleMs: number): ConsumerFacts['oldest'] => ({
  where: 'instance',
  instance: 12,
  position: 100,
  ageMs,
  idleMs,
  lane: 0,
  exact: true,
});
const texts = ({ reasons }: Verdict): string[] => reasons.map(({ code, text }) => `${code}: ${text}`);

describe('the verdict of a workflow', () => {
  test('is OK while instances sleep, and counts them', () => {
    const verdict = judged([version(), version({ version: 2, instances: { ...none, running: 3 } })]);
    expect(verdict).toMatchObject({ verdict: 'OK', reasons: [], lagSeconds: 0 });
    expect(verdict.workflow).toMatchObject({
      instances: { waiting: 12, running: 3 },
      exact: true,
      due: { instances: 0, oldestSeconds: null },
      versions: [
        { version: 1, instances: 12, lanes: { total: 1, owned: 1 } },
        { version: 2, instances: 3 },
      ],
    });
  });

  test('is LATE when an instance is due for longer than promised while others move, STALLED when nothing moves', () => {
    const due: DueFacts = { instances: 4, exact: true, instance: 12, lane: 0, ageMs: 90_000, idleMs: 1_000 };
    const late = judged([version({ due })], { oldest: overdue(90_000, 1_000) });
    expect(late).toMatchObject({
      verdict: 'LATE',
      lagSeconds: 90,
      workflow: { due: { instances: 4, oldestSeconds: 90 } },
    });
    expect(texts(late)).toEqual([
      'older-than-promised: instance 12 is due for 1 min 30 s; promised is 1 min',
    ]);
    const stalled = judged([version({ due })], { oldest: overdue(90_000, 80_000) });
    expect(stalled.verdict).toBe('STALLED');
    expect(texts(stalled)[0]).toBe(
      'no-progress: nothing was handled in lane 0 for 1 min 20 s, and instance 12 is due',
    );
  });

  test('is STALLED when a version has instances and no process its code, and names the version', () => {
    const verdict = judged([version({ lanes: [lost], exact: false }), version({ version: 2 })]);
    expect(verdict.verdict).toBe('STALLED');
    expect(texts(verdict)).toEqual([
      'no-code: no process has the code of version 1: at least 12 instances wait for it',
    ]);
    expect(judged([version({ lanes: [lost], instances: none }), version({ version: 2 })]).verdict).toBe('OK');
  });

  test('tells a lane that nobody works from missing code, and a stopped app from both', () => {
    expect(texts(judged([version({ lanes: [lane, lost] })]))).toEqual([
      'lanes-unowned: no process works 1 of the 2 lanes of version 1',
    ]);
    const stopped = judged([version({ lanes: [lost] })], { lanes: [lost] });
    expect(texts(stopped)).toEqual(['lanes-unowned: no process works it (for 1 min or longer)']);
  });

  test('stands beside what is stuck: that waits for a person, not for the workflow', () => {
    const one = judged([version({ instances: { ...none, stuck: 1 }, stuckMs: 7_200_000 })]);
    expect(one.verdict).toBe('OK');
    expect(texts(one)).toEqual([
      'instances-stuck: 1 instance is stuck and needs a person, the oldest for 2 h',
    ]);
    const two = judged([
      version({ instances: { ...none, stuck: 1 }, stuckMs: 5_000 }),
      version({ version: 2, instances: { ...none, stuck: 1 }, stuckMs: 60_000, exact: false }),
    ]);
    expect(texts(two)).toEqual([
      'instances-stuck: at least 2 instances are stuck and need a person, the oldest for 1 min',
    ]);
    expect(two.workflow?.stuckOldestSeconds).toBe(60);
  });

  test('of another class has none', () => {
    expect(judged([], { workflow: null, class: 'operational' }).workflow).toBeNull();
  });
});
