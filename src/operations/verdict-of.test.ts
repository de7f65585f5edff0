import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ConsumerFacts, OldestUnhandled, VerdictContext } from './facts.ts';
import { verdictOf } from './verdict-of.ts';

const lane = { lane: 0, checkpoint: 90, movedMs: 0, owner: 7, unownedMs: null };

const quiet: ConsumerFacts = {
  id: 1,
  app: 'shop',
  consumer: 'orders',
  class: 'operational',
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
  probeMs: null,
  databaseClock: { nowMs: 0, headAheadMs: -1_000, jump: null },
  paused: null,
  pausedParts: [],
  heldEvents: 0,
  breaker: null,
  lanes: [lane],
  owners: [{ process: 7, host: 'a', pid: 100, codeVersion: '1' }],
  head: 100,
  oldest: null,
  unhandled: { events: 0, exact: true, retrying: 0, waiting: 0, withoutCode: 0, nextRetryMs: null },
  quarantined: { keys: 0, events: 0, waiting: 0, oldestMs: null, exact: true },
  hottestKey: null,
  workflow: null,
};
const now: VerdictContext = { measuredAgoMs: 0, trend: null, tail: null, runner: null };
const waiting = (oldest: Partial<OldestUnhandled>): ConsumerFacts => ({
  ...quiet,
  oldest: { where: 'log', position: 91, ageMs: 1_000, idleMs: 0, lane: 0, exact: true, ...oldest },
  unhandled: { ...quiet.unhandled, events: 10 },
});
const codes = (facts: ConsumerFacts, context: VerdictContext = now): string[] =>
  verdictOf(facts, context).reasons.map(({ code }) => code);

describe('the verdict', () => {
  it('is OK with lag 0 when nothing is unhandled', () => {
    expect(verdictOf(quiet, now)).toMatchObject({
      verdict: 'OK',
      lagSeconds: 0,
      timeToDrainSeconds: 0,
      reasons: [],
    });
  });

  it('is OK up to the promise and LATE beyond it, as long as the lane makes progress', () => {
    expect(verdictOf(waiting({ ageMs: 60_000 }), now).verdict).toBe('OK');
    expect(verdictOf(waiting({ ageMs: 60_001 }), now).verdict).toBe('LATE');
    expect(codes(waiting({ ageMs: 60_001 }))).toEqual(['older-than-promised']);
  });

  it('is STALLED when nothing was handled for longer than the promise', () => {
    const facts = waiting({ ageMs: 90_000, idleMs: 60_000 });
    expect(verdictOf(facts, now).verdict).toBe('STALLED');
    expect(codes(facts)).toEqual(['no-progress', 'older-than-promised']);
  });

  it('of a build that nobody reads is OK while its rows are made: no promise is late, and the time left is said', () => {
    const facts: ConsumerFacts = {
      ...waiting({ ageMs: 9_000_000, idleMs: 100 }),
      state: 'building',
      build: 2,
      filling: { done: 0.439, etaMs: 125_000, obstacle: null },
    };
    const verdict = verdictOf(facts, now);
    expect(verdict).toMatchObject({
      verdict: 'OK',
      timeToDrainSeconds: 125,
      timeToBreachSeconds: null,
      filling: { done: 0.439, etaSeconds: 125 },
    });
    expect(verdict.reasons.map(({ text }) => text)).toEqual([
      'build 2 is being filled, 43 %, about 2 min 5 s left; readers see another one',
    ]);
    expect(verdictOf({ ...facts, filling: null }, now).verdict).toBe('LATE');
  });

  it('of a build that nobody works, or that makes no progress, is STALLED; not of one that is held up on purpose', () => {
    const filling = { done: 0, etaMs: null, obstacle: null };
    const build = (idleMs: number) =>
      ({ ...waiting({ ageMs: 9_000_000, idleMs }), state: 'building', build: 2, filling }) as const;
    const moving = build(100);
    const unowned = { ...moving, lanes: [{ ...lane, owner: null, unownedMs: 20_000 }] };
    expect(verdictOf(unowned, now)).toMatchObject({
      verdict: 'STALLED',
      reasons: [
        { text: 'no process works it (for 20 s or longer)' },
        { text: expect.stringContaining('being filled') },
      ],
    });
    const still = build(9_000_000);
    expect(verdictOf(still, now).verdict).toBe('STALLED');
    expect(codes(still)[0]).toBe('no-progress');
    const held = { ...still, filling: { ...filling, obstacle: 'stands still: payment is late' } };
    expect(verdictOf(held, now).verdict).toBe('OK');
    expect(verdictOf(held, now).reasons.at(-1)?.text).toContain('readers see another one: stands still');
  });

  it('gives a strict promise thirty seconds before no progress means STALLED', () => {
    const strict = { ...waiting({ ageMs: 29_999, idleMs: 29_999 }), handledWithinMs: 1_000 };
    expect(verdictOf(strict, now).verdict).toBe('LATE');
    const longer = { ...waiting({ ageMs: 30_000, idleMs: 30_000 }), handledWithinMs: 1_000 };
    expect(verdictOf(longer, now).verdict).toBe('STALLED');
  });

  it('is not STALLED when the consumer was idle for an hour and an event has just come', () => {
    expect(verdictOf(waiting({ ageMs: 200, idleMs: 3_600_000 }), now).verdict).toBe('OK');
  });

  it('is LATE, not STALLED, while a retry is scheduled for later', () => {
    const retrying = waiting({ where: 'retrying', ageMs: 300_000, idleMs: 240_000 });
    const unhandled = { ...retrying.unhandled, retrying: 1, nextRetryMs: 12_000 };
    expect(verdictOf({ ...retrying, unhandled }, now).verdict).toBe('LATE');
    expect(codes({ ...retrying, unhandled })).toContain('retrying');
    expect(verdictOf({ ...retrying, unhandled: { ...unhandled, nextRetryMs: -1 } }, now).verdict).toBe(
      'STALLED',
    );
  });

  it('is STALLED when an event that nobody tried stands still, whatever else is being retried', () => {
    const facts = waiting({ where: 'log', ageMs: 300_000, idleMs: 240_000 });
    const unhandled = { ...facts.unhandled, retrying: 1, nextRetryMs: 12_000 };
    expect(verdictOf({ ...facts, unhandled }, now).verdict).toBe('STALLED');
  });

  it('is STALLED when lanes have no owner for longer than a takeover takes, even if nothing waits', () => {
    const moving = { ...quiet, lanes: [lane, { ...lane, lane: 1, owner: null, unownedMs: 14_000 }] };
    expect(verdictOf(moving, now)).toMatchObject({
      verdict: 'OK',
      lanes: { total: 2, owned: 1, unowned: [1] },
    });
    const dead = { ...quiet, lanes: [lane, { ...lane, lane: 1, owner: null, unownedMs: 16_000 }] };
    expect(verdictOf(dead, now).verdict).toBe('STALLED');
    expect(codes(dead)).toEqual(['lanes-unowned']);
  });

  it('is PAUSED by a person or a breaker, and names them', () => {
    const paused = {
      ...waiting({ ageMs: 600_000, idleMs: 600_000 }),
      paused: { reason: 'stocktaking', by: 'Ada', forMs: 60_000, resumesMs: null, buffer: null },
    };
    expect(verdictOf(paused, now)).toMatchObject({ verdict: 'PAUSED', lagSeconds: 600 });
    expect(verdictOf(paused, now).reasons[0]?.text).toBe('paused by Ada: stocktaking');
    const timed = { ...paused, paused: { ...paused.paused, resumesMs: 90_000 } };
    expect(verdictOf(timed, now)).toMatchObject({
      paused: { by: 'Ada', forSeconds: 60, resumesInSeconds: 90 },
      reasons: [{ text: 'paused by Ada: stocktaking (goes on in 1 min 30 s)' }, {}],
    });
    const buffer = { max: 1_000, events: 1_204, exact: false, resumes: false };
    const limited = { ...timed, paused: { ...timed.paused, buffer } };
    expect(verdictOf(limited, now)).toMatchObject({ paused: { buffer } });
    expect(verdictOf(limited, now).reasons[0]?.text).toBe(
      'paused by Ada: stocktaking (goes on in 1 min 30 s; at least 1,204 events have come, 1,000 may)',
    );
    const breaker = {
      kind: 'transient',
      reason: 'the provider is down',
      fingerprint: 'f',
      openedAt: '',
    } as const;
    expect(verdictOf({ ...quiet, breaker }, now).verdict).toBe('PAUSED');
  });

  it('is UNKNOWN, with no figures, when the measurement is older than 15 s', () => {
    expect(verdictOf(quiet, { ...now, measuredAgoMs: 15_000 }).verdict).toBe('OK');
    const unknown = verdictOf(quiet, { ...now, measuredAgoMs: 15_001 });
    expect(unknown).toMatchObject({
      verdict: 'UNKNOWN',
      lagSeconds: null,
      unhandled: null,
      quarantined: null,
    });
    expect(unknown.reasons.map(({ code }) => code)).toEqual(['not-measured']);
  });

  it("is UNKNOWN for a minute after the database's clock jumped, with nothing waiting and with something, never OK", () => {
    const jumped = (byMs: number, agoMs: number): ConsumerFacts['databaseClock'] => ({
      ...quiet.databaseClock,
      jump: { agoMs, byMs, head: 90 },
    });
    for (const byMs of [3_600_000, -3_600_000]) {
      for (const facts of [quiet, waiting({ ageMs: 100 })]) {
        const verdict = verdictOf({ ...facts, databaseClock: jumped(byMs, 59_000) }, now);
        expect(verdict).toMatchObject({ verdict: 'UNKNOWN', lagSeconds: null, burn: null });
        expect(verdict.reasons).toEqual([
          {
            code: 'clock-jumped',
            text: `the database's clock jumped by 1 h ${byMs < 0 ? 'back' : 'ahead'}`,
          },
        ]);
        expect(verdictOf({ ...facts, databaseClock: jumped(byMs, 60_000) }, now).verdict).toBe('OK');
      }
    }
    expect(verdictOf({ ...quiet, databaseClock: jumped(3_600_000, -5_000) }, now).verdict).toBe('UNKNOWN');
  });

  it('is UNKNOWN as long as the oldest unhandled event was written before the jump: its age is wrong', () => {
    const databaseClock = { ...quiet.databaseClock, jump: { agoMs: 600_000, byMs: -3_600_000, head: 91 } };
    expect(verdictOf({ ...waiting({ position: 91 }), databaseClock }, now).verdict).toBe('UNKNOWN');
    expect(verdictOf({ ...waiting({ position: 92 }), databaseClock }, now).verdict).toBe('OK');
  });

  it('is UNKNOWN when the newest event is dated later than now: the clock was put back before anybody looked', () => {
    const ahead = (headAheadMs: number): ConsumerFacts => ({
      ...quiet,
      databaseClock: { ...quiet.databaseClock, headAheadMs },
    });
    expect(verdictOf(ahead(10_000), now).verdict).toBe('OK');
    expect(verdictOf(ahead(10_001), now)).toMatchObject({
      verdict: 'UNKNOWN',
      reasons: [{ code: 'clock-jumped', text: "the database's clock is 10 s behind the newest event" }],
    });
  });

  it('is UNKNOWN, not OK, when probes are sent and none has come through for 30 s; what is certain stays so', () => {
    expect(verdictOf({ ...quiet, probeMs: 30_000 }, now).verdict).toBe('OK');
    const silent = { probeMs: 45_000 };
    expect(verdictOf({ ...quiet, ...silent }, now)).toMatchObject({
      verdict: 'UNKNOWN',
      lagSeconds: null,
      reasons: [{ code: 'probe-missing', text: 'no probe has come through for 45 s: events may not arrive' }],
    });
    expect(verdictOf({ ...waiting({ ageMs: 100 }), ...silent }, now).verdict).toBe('UNKNOWN');
    expect(verdictOf({ ...waiting({ ageMs: 61_000 }), ...silent }, now).verdict).toBe('LATE');
  });

  it('says how fast the error budget is spent, by the most urgent rule that holds', () => {
    const windows = [300, 1_800, 3_600, 21_600].map((seconds) => ({
      seconds,
      coveredMs: seconds * 1_000,
      events: 1_000,
      failed: 200,
    }));
    const verdict = verdictOf({ ...quiet, windows }, now);
    expect(verdict.burn?.map(({ state }) => state)).toEqual(['BURNING', 'BURNING', 'UNKNOWN', 'UNKNOWN']);
    expect(verdict).toMatchObject({
      verdict: 'OK',
      reasons: [
        {
          code: 'burning',
          text: 'the error budget is spent faster than it lasts: 20 times in 1 h, 20 times in 5 min',
        },
      ],
    });
  });

  it('shows quarantine beside the verdict without changing it', () => {
    const quarantined = { keys: 1, events: 1, waiting: 2, oldestMs: 9_000_000, exact: true };
    const verdict = verdictOf({ ...quiet, quarantined }, now);
    expect(verdict).toMatchObject({
      verdict: 'OK',
      quarantined: { keys: 1, waiting: 2, oldestSeconds: 9_000 },
    });
    expect(verdict.reasons[0]?.text).toBe('1 key in quarantine, 2 events waiting behind');
  });

  it('says when late and quarantined events have spent the error budget of thirty days', () => {
    const of = (late: number, quarantined: number, errorBudget = 0.01): ConsumerFacts => ({
      ...quiet,
      errorBudget,
      objective: { events: 10_000, late, quarantined },
    });
    expect(verdictOf(quiet, now).budget).toBeNull();
    expect(verdictOf(of(40, 10), now)).toMatchObject({ budget: { events: 10_000, spent: 0.5 }, reasons: [] });
    expect(verdictOf(of(140, 10), now)).toMatchObject({
      verdict: 'OK',
      budget: { late: 140, quarantined: 10, spent: 1.5 },
      reasons: [
        { code: 'budget-spent', text: '1.5 % of the events of 30 days were late or quarantined; 1 % may be' },
      ],
    });
    const text = (facts: ConsumerFacts): string | undefined => verdictOf(facts, now).reasons[0]?.text;
    expect(text(of(2_000, 0, 0.1))).toBe(
      '20 % of the events of 30 days were late or quarantined; 10 % may be',
    );
    // Failed again and again in quarantine, and counted each time.
    expect(text(of(0, 15_000))).toMatch(/^100 % of the events/);
    expect(verdictOf(of(140, 10, 0.1), now).reasons).toEqual([]);
    expect(verdictOf(of(0, 1, 0), now).reasons).toHaveLength(1);
    expect(verdictOf(of(0, 0, 0), now).reasons).toEqual([]);
  });

  it('names the key that most events wait for: as the runner knows it, else when ten or more are parked', () => {
    const runner = { handled: 0, hottestKey: { key: 'a"', waiting: 3 }, reasons: [] };
    const { reasons, hottestKey } = verdictOf(quiet, { ...now, runner });
    expect(reasons).toEqual([{ code: 'hot-key', text: '3 events of the key "a\\"" wait for one another' }]);
    expect(hottestKey?.waiting).toBe(3);
    expect(codes({ ...quiet, hottestKey: { key: 'b', waiting: 10 } })).toEqual(['hot-key']);
    expect(codes({ ...quiet, hottestKey: { key: 'b', waiting: 9 } })).toEqual([]);
  });

  it('adds what the runner says, without repeating what was measured', () => {
    const reasons = [
      'reading has stopped',
      'paused by Ada: tea',
      'breaker open (bug): x',
      'the key a has most of the waiting events',
    ];
    const verdict = verdictOf(quiet, { ...now, runner: { handled: 7, hottestKey: null, reasons } });
    expect(verdict.reasons).toEqual([{ code: 'runner', text: 'reading has stopped' }]);
    expect(verdict.handled).toBe(7);
  });

  it('names the transaction that holds up the log', () => {
    const tail = { pid: 4711, query: 'update  orders\nset x = 1', ageMs: 5_000 };
    const { reasons } = verdictOf(waiting({ ageMs: 5_000 }), { ...now, tail });
    expect(reasons[0]).toEqual({
      code: 'tail-blocked',
      text: 'the log is held up for 5 s by the transaction of process 4711: update orders set x = 1',
    });
  });

  it('says when the backlog will be worked off, and when the promise will be broken', () => {
    const facts = waiting({ ageMs: 30_000 });
    const shrinking = { lagMsPerSecond: -100, backlogPerSecond: -50, backlog: 1_000 };
    expect(verdictOf(facts, { ...now, trend: shrinking })).toMatchObject({
      timeToDrainSeconds: 20,
      timeToBreachSeconds: null,
    });
    const growing = { lagMsPerSecond: 500, backlogPerSecond: 50, backlog: 1_000 };
    expect(verdictOf(facts, { ...now, trend: growing })).toMatchObject({
      timeToDrainSeconds: null,
      timeToBreachSeconds: 60,
    });
    // Paused a moment ago: the trend is still that of a consumer that kept up.
    const paused = { reason: 'stocktaking', by: 'Ada', forMs: 5_000, resumesMs: null, buffer: null };
    const keptUp = { lagMsPerSecond: 50, backlogPerSecond: 50, backlog: 1_000 };
    expect(verdictOf({ ...facts, paused }, { ...now, trend: keptUp }).timeToBreachSeconds).toBe(30);
    expect(verdictOf({ ...facts, paused }, { ...now, trend: null }).timeToBreachSeconds).toBe(30);
  });
});

const ms = fc.integer({ min: 0, max: 10_000_000 });
const oldest = fc.option(
  fc.record<OldestUnhandled>({
    where: fc.constantFrom('log', 'running', 'retrying', 'waiting', 'without code'),
    position: fc.nat(),
    ageMs: ms,
    idleMs: ms,
    lane: fc.constant(0),
    exact: fc.boolean(),
  }),
  { nil: null },
);
const anyFacts = fc
  .record({
    oldest,
    handledWithinMs: fc.integer({ min: 1, max: 1_000_000 }),
    paused: fc.constantFrom(null, { reason: 'r', by: null, forMs: 1, resumesMs: null, buffer: null }),
    unowned: fc.option(ms, { nil: null }),
    nextRetryMs: fc.option(fc.integer({ min: -1_000_000, max: 1_000_000 }), { nil: null }),
  })
  .map(({ unowned, nextRetryMs, ...rest }): ConsumerFacts => {
    const lanes = [unowned === null ? lane : { ...lane, owner: null, unownedMs: unowned }];
    return { ...quiet, ...rest, lanes, unhandled: { ...quiet.unhandled, nextRetryMs } };
  });

describe('for all facts', () => {
  it('OK is said only with a fresh measurement, owned lanes, no pause and lag within the promise', () => {
    fc.assert(
      fc.property(anyFacts, fc.integer({ min: 0, max: 60_000 }), (facts, measuredAgoMs) => {
        const { verdict } = verdictOf(facts, { ...now, measuredAgoMs });
        if (verdict !== 'OK') return;
        expect(measuredAgoMs).toBeLessThanOrEqual(15_000);
        expect(facts.paused).toBeNull();
        expect(facts.lanes.every(({ unownedMs }) => (unownedMs ?? 0) <= 15_000)).toBe(true);
        expect(facts.oldest?.ageMs ?? 0).toBeLessThanOrEqual(facts.handledWithinMs);
      }),
    );
  });

  it('every verdict but OK gives its reason first, and no time is negative', () => {
    fc.assert(
      fc.property(anyFacts, fc.integer({ min: 0, max: 60_000 }), (facts, measuredAgoMs) => {
        const verdict = verdictOf(facts, { ...now, measuredAgoMs });
        if (verdict.verdict !== 'OK') expect(verdict.reasons.length).toBeGreaterThan(0);
        for (const seconds of [verdict.lagSeconds, verdict.timeToDrainSeconds, verdict.timeToBreachSeconds]) {
          expect(seconds ?? 0).toBeGreaterThanOrEqual(0);
        }
      }),
    );
  });

  it('more age never makes the verdict better', () => {
    const rank = { OK: 0, LATE: 1, STALLED: 2, PAUSED: 3, UNKNOWN: 4 } as const;
    fc.assert(
      fc.property(anyFacts, ms, (facts, more) => {
        if (facts.oldest === null) return;
        const older = { ...facts, oldest: { ...facts.oldest, ageMs: facts.oldest.ageMs + more } };
        expect(rank[verdictOf(older, now).verdict]).toBeGreaterThanOrEqual(
          rank[verdictOf(facts, now).verdict],
        );
      }),
    );
  });
});
