import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createManualClock, createTelemetry, defaultRetryPolicies } from '../../foundation/index.ts';
import { type LaneLease, noBarrier } from '../runner.ts';
import type { Entry } from './entry.ts';
import { Grouping } from './grouping.ts';
import { type KeyEvent, type KeyPhase, KeyQueue, nextPhase } from './key-queue.ts';
import { LaneWork } from './lane-work.ts';
import { decideRetry } from './retry-decision.ts';
import { Workload } from './workload.ts';

const leaseOf = (lane: number, over: Partial<LaneLease> = {}): LaneLease => ({
  consumerId: 1,
  lane,
  generation: 1,
  token: 1,
  position: 0,
  dispatchLimit: 1_000_000,
  settledAtTakeover: 0,
  clean: true,
  types: new Set(),
  laneCount: 1,
  stopAt: noBarrier,
  ...over,
});

const entryOf = (key: string, position: number): Entry => ({
  event: {
    position,
    id: `e${position}`,
    type: 't',
    source: 's',
    key,
    keyHash: 0,
    data: '{}',
    meta: '{}',
    time: '',
    recordedAt: '',
  },
  position,
  key,
  keyHash: 0,
  lane: 0,
  attempts: 0,
  open: true,
  parked: false,
  deletesRow: false,
  releasedId: null,
  repair: null,
  replay: null,
  suspect: false,
});

describe('the mark of a lane', () => {
  it('is below everything that is open, and reaches what was read when nothing is', () => {
    const gaps = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(gaps, fc.array(fc.nat({ max: 1_000 })), fc.nat({ max: 10 }), (steps, choices, tail) => {
        const lane = new LaneWork(leaseOf(0), new Set());
        let position = 0;
        const open = new Set<number>();
        for (const step of steps) {
          position += step;
          lane.open(entryOf('k', position));
          open.add(position);
        }
        lane.passTo(position + tail);
        const order = [...open];
        for (const choice of [...choices, ...order.map((_, index) => index)]) {
          const chosen = order[choice % order.length] as number;
          if (!open.delete(chosen)) continue;
          lane.finish(chosen);
          const expected = open.size === 0 ? position + tail : Math.min(...open) - 1;
          expect(lane.mark).toBe(expected);
          expect(lane.finishedAbove).toBe(order.filter((each) => !open.has(each) && each > lane.mark).length);
        }
      }),
    );
  });

  it('never passes the barrier of the next generation', () => {
    const lane = new LaneWork(leaseOf(0, { stopAt: 50 }), new Set());
    lane.passTo(70);
    expect(lane.mark).toBe(50);
  });

  it('stays cheap over many events', () => {
    const lane = new LaneWork(leaseOf(0), new Set());
    for (let position = 1; position <= 200_000; position += 1) {
      lane.open(entryOf('k', position));
      if (position > 100) lane.finish(position - 100);
    }
    lane.passTo(200_000);
    expect(lane.mark).toBe(199_900);
  });

  it('suspects what could have been in flight when the lane was not given up in order', () => {
    const unclean = new LaneWork(
      leaseOf(0, { clean: false, dispatchLimit: 100, settledAtTakeover: 80 }),
      new Set(),
    );
    expect([1, 80, 81, 100].map((position) => unclean.isSuspect(position, `k${position}`))).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(
      new LaneWork(leaseOf(0, { dispatchLimit: 100, settledAtTakeover: 80 }), new Set()).isSuspect(1, 'k1'),
    ).toBe(false);
  });

  it('suspects of each key only the first event: what is behind it had not begun', () => {
    const unclean = new LaneWork(
      leaseOf(0, { clean: false, dispatchLimit: 100, settledAtTakeover: 100 }),
      new Set(),
    );
    const keys = ['a', 'b', 'a', 'a', 'b', 'c'];
    expect(keys.map((key, index) => unclean.isSuspect(index + 1, key))).toEqual([
      true,
      true,
      false,
      false,
      false,
      true,
    ]);
  });
});

describe('the scheduler', () => {
  it('begins events of one key in order, one at a time, and lets no ready key wait behind a busy one', () => {
    const arrivals = fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 80 });
    fc.assert(
      fc.property(arrivals, fc.integer({ min: 1, max: 4 }), fc.array(fc.nat()), (keys, slots, endings) => {
        const workload = new Workload();
        const lane = new LaneWork(leaseOf(0), new Set());
        workload.addLane(lane);
        for (const [index, key] of keys.entries()) workload.arrive(lane, entryOf(`k${key}`, index + 1));
        const running = new Map<string, KeyQueue>();
        const begun: Entry[] = [];
        const fill = (): void => {
          for (const queue of workload.ready) {
            if (running.size >= slots) return;
            workload.ready.delete(queue);
            const entry = queue.begin(0);
            expect(entry).toBeDefined();
            expect(running.has(queue.key)).toBe(false);
            if (entry === undefined) return;
            begun.push(entry);
            running.set(queue.key, queue);
          }
        };
        for (let turn = 0; begun.length < keys.length || running.size > 0; turn += 1) {
          fill();
          // As many as there are slots, or every key that has something left.
          const waiting = new Set(
            [...workload.queuesOf(lane)].filter(
              (queue) => queue.arrivals.length > 0 || queue.running !== null,
            ),
          );
          expect(running.size).toBe(Math.min(slots, waiting.size));
          const ended = [...running.values()][
            (endings[turn % (endings.length + 1)] ?? 0) % running.size
          ] as KeyQueue;
          const entry = ended.running as Entry;
          ended.running = null;
          workload.release(lane, [entry]);
          running.delete(ended.key);
          workload.refresh(ended);
        }
        for (const key of new Set(keys)) {
          const own = begun.filter((entry) => entry.key === `k${key}`).map((entry) => entry.position);
          expect(own).toEqual([...own].sort((a, b) => a - b));
        }
        expect(workload.held).toBe(0);
        expect(workload.heldBytes).toBe(0);
        expect([...workload.queuesOf(lane)]).toEqual([]);
      }),
    );
  });

  it('gives a hot key no more than its turn', () => {
    const workload = new Workload();
    const lane = new LaneWork(leaseOf(0), new Set());
    workload.addLane(lane);
    for (let position = 1; position <= 50; position += 1) workload.arrive(lane, entryOf('hot', position));
    for (let position = 51; position <= 53; position += 1)
      workload.arrive(lane, entryOf(`k${position}`, position));
    const order: string[] = [];
    for (let turn = 0; turn < 6; turn += 1) {
      const [queue] = workload.ready;
      if (queue === undefined) break;
      workload.ready.delete(queue);
      const entry = queue.begin(0) as Entry;
      order.push(entry.key);
      queue.running = null;
      workload.release(lane, [entry]);
      workload.refresh(queue);
    }
    expect(order).toEqual(['hot', 'k51', 'k52', 'k53', 'hot', 'hot']);
  });
});

describe('the phases of a key', () => {
  it('allow exactly what the drawing shows', () => {
    const phases: KeyPhase[] = ['flowing', 'parking', 'parked', 'loading', 'draining'];
    const events: KeyEvent[] = [
      'failed',
      'spilled',
      'stored',
      'stored while running',
      'wanted',
      'rows',
      'no rows',
      'not yet',
      'used up',
      'last row done',
    ];
    const allowed = phases.flatMap((phase) =>
      events.flatMap((event) => {
        try {
          return [`${phase} + ${event} → ${nextPhase(phase, event)}`];
        } catch {
          return [];
        }
      }),
    );
    expect(allowed).toEqual([
      'flowing + failed → parking',
      'flowing + spilled → parking',
      'parking + stored → parked',
      'parking + stored while running → draining',
      'parked + wanted → loading',
      'loading + rows → draining',
      'loading + no rows → flowing',
      'loading + not yet → parked',
      'draining + failed → parking',
      'draining + used up → loading',
      'draining + last row done → flowing',
    ]);
  });

  it('begin nothing of a lane that is being given back', () => {
    const lane = new LaneWork(leaseOf(0), new Set());
    const queue = new KeyQueue(lane, 'k', 0);
    queue.arrivals.push(entryOf('k', 1));
    expect(queue.next).toBeDefined();
    lane.releasing = true;
    expect(queue.next).toBeUndefined();
  });
});

describe('the decision to retry', () => {
  const randomness = { float: () => 1, bytes: (count: number) => new Uint8Array(count) };
  const decide = (
    failureClass: Parameters<typeof decideRetry>[0]['failureClass'],
    attempts: number,
    retryAfterMs: number | null = null,
  ) => decideRetry({ failureClass, attempts, retryAfterMs }, defaultRetryPolicies, randomness);

  it('follows the class of the failure', () => {
    expect(decide('systemic', 500).verdict).toBe('again');
    for (const failureClass of ['permanent', 'poison', 'schema'] as const)
      expect(decide(failureClass, 1).verdict).toBe('quarantine');
    expect(decide('unclassified', 3).verdict).toBe('retry');
    expect(decide('unclassified', 4).verdict).toBe('quarantine');
    expect(decide('transient', 11).verdict).toBe('retry');
    expect(decide('transient', 12).verdict).toBe('quarantine');
  });

  it('waits longer each time, up to the cap, and at least as long as the handler asked', () => {
    const waits = Array.from({ length: 11 }, (_, index) => {
      const decision = decide('transient', index + 1);
      return decision.verdict === 'retry' ? decision.delayMs : Number.NaN;
    });
    expect(waits).toEqual([...waits].sort((a, b) => a - b));
    expect(waits.at(-1)).toBe(300_000);
    expect(decide('transient', 1, 40_000)).toEqual({ verdict: 'retry', delayMs: 40_000 });
  });
});

describe('grouped writes', () => {
  it('put everything that comes up during one statement into the next, and answer each', async () => {
    const batches: number[][] = [];
    const clock = createManualClock();
    const grouping = new Grouping<number, number>({
      unit: 'test',
      clock,
      telemetry: createTelemetry(),
      jobsMax: 4,
      givenUp: (job) => (job < 0 ? -1 : null),
      write: async (jobs) => {
        batches.push([...jobs]);
        await Promise.resolve();
        return jobs.map((job) => job * 2);
      },
    });
    const first = grouping.submit(1);
    await Promise.resolve();
    const rest = [2, 3, -4, 5, 6, 7].map((job) => grouping.submit(job));
    expect(await Promise.all([first, ...rest])).toEqual([2, 4, 6, -1, 10, 12, 14]);
    expect(batches.map(({ length }) => length).every((length) => length <= 4)).toBe(true);
    expect(batches.length).toBeLessThanOrEqual(3);
  });

  it('have as many statements under way as they may', async () => {
    const gate = Promise.withResolvers<void>();
    const begun: number[] = [];
    const grouping = new Grouping<number, number>({
      unit: 'test',
      clock: createManualClock(),
      telemetry: createTelemetry(),
      jobsMax: 10,
      statementsMax: 2,
      givenUp: () => null,
      write: async (jobs) => {
        begun.push(jobs.length);
        await gate.promise;
        return [...jobs];
      },
    });
    const answers: Promise<number>[] = [];
    for (const job of [1, 2, 3, 4]) {
      answers.push(grouping.submit(job));
      await new Promise(setImmediate);
    }
    expect(begun).toEqual([1, 1]);
    gate.resolve();
    expect(await Promise.all(answers)).toEqual([1, 2, 3, 4]);
    expect(begun).toEqual([1, 1, 2]);
  });

  it('try again what failed, in order, until it succeeds', async () => {
    const clock = createManualClock();
    let failures = 3;
    const grouping = new Grouping<number, number>({
      unit: 'test',
      clock,
      telemetry: createTelemetry(),
      jobsMax: 10,
      givenUp: () => null,
      write: async (jobs) => {
        if (failures-- > 0) throw new Error('away');
        return [...jobs];
      },
    });
    const answers = Promise.all([grouping.submit(1), grouping.submit(2)]);
    await clock.advance(10_000);
    expect(await answers).toEqual([1, 2]);
  });
});
