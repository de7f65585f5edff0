import {
  type ConsumerDefinition,
  type LiveDanger,
  orderingKey,
  orderingKeyHash,
  readLiveDanger,
} from '../../consumers/index.ts';
import { FactlineError, type Telemetry } from '../../foundation/index.ts';
import { readPositions } from '../../log/index.ts';
import { type Database, engineTransaction, run } from '../../postgres/index.ts';
import type { ReplayState } from '../lifecycle/lifecycle.ts';
import { type Replay, readReplay } from '../request/replay.ts';
import { isOpen, windowText } from '../request/window.ts';
import {
  advanceReplay,
  advanceState,
  nextSelected,
  noteRate,
  otherCodeRunning,
  replaysUnderWay,
} from '../run-port.ts';
import { allowance, canaryTarget, type Failures, trippedGuard } from './guards.ts';
import { askForRelease, releaseFacts, settleReleased, withdrawReleases } from './release-events.ts';
import { runQueries } from './run-queries.ts';
import { verifyReplay } from './verify.ts';
import { rateAtFirst, YieldingRate } from './yielding.ts';

export interface CarryOutOptions {
  readonly database: Database;
  readonly telemetry: Telemetry;
  /** The operational consumers that this process runs, by id. */
  readonly consumers: () => ReadonlyMap<number, ConsumerDefinition>;
  /** How live consumers are; what fails counts as danger. */
  readonly look?: () => Promise<LiveDanger>;
  readonly testStep?: (step: ReplayRunStep) => Promise<void> | void;
}

/** Every step of a run that the crash explorer can stop at. */
export const replayRunSteps = [
  'replay.before-hand-over',
  'replay.in-hand-over',
  'replay.after-hand-over',
  'replay.before-ramp',
  'replay.before-verify',
  'replay.before-finish',
  'replay.after-finish',
] as const;
export type ReplayRunStep = (typeof replayRunSteps)[number];

/** Handed over and not decided: seconds of work, at least so many, and no more than can be gone over often. */
const aheadSeconds = 2;
const aheadMin = 10;
const aheadMax = 250;

/**
 * Carries replays out, one bounded pass at a time. It keeps nothing that matters in memory: the cursor, the pace and the
 * rate are in the database, and events are handed over in the transaction that moves the cursor. So any process that
 * runs the consumer may do the next pass, two at once go no faster than one, and a kill at any point loses nothing.
 */
export class ReplayRun {
  readonly #options: CarryOutOptions;
  readonly #rates = new Map<number, YieldingRate>();

  constructor(options: CarryOutOptions) {
    this.#options = options;
  }

  /** Answers how many replays are under way. */
  async pass(): Promise<number> {
    const consumers = this.#options.consumers();
    const { operations } = this.#options.database;
    const ids = [...consumers.keys()];
    if (ids.length === 0) return 0;
    const underWay = await replaysUnderWay(operations, ids);
    for (const { id, due } of underWay) {
      if (!due) continue;
      await this.#carryOn(await readReplay(operations, id), consumers).catch((error: unknown) => {
        // Somebody paused or ended it, or another process was faster.
        if (!FactlineError.is(error, 'REPLAY_STEP_REFUSED')) throw error;
      });
    }
    return underWay.length;
  }

  /** Takes back what an aborted replay had handed over, and notes what became of the rest; now and then. */
  async clear(): Promise<void> {
    const ids = [...this.#options.consumers().keys()];
    if (ids.length === 0) return;
    const { operations } = this.#options.database;
    await run(operations, runQueries.clear_ended, [ids]);
    await settleReleased(operations, ids);
    await withdrawReleases(operations, ids);
  }

  async #carryOn(replay: Replay, consumers: ReadonlyMap<number, ConsumerDefinition>): Promise<void> {
    const definition = consumers.get(replay.consumerId);
    if (definition === undefined || replay.mode === 'blue-green' || replay.mode === 'shadow') return;
    const { database, testStep } = this.#options;
    if (replay.state === 'verifying') return verifyReplay(database.operations, replay, testStep);
    const facts = await this.#facts(replay);
    if (await this.#stopped(replay, facts)) return;
    const within = await this.#withinHours(replay);
    const rate = within === null ? 0 : await this.#rate(within);
    if (rate === null) return;
    const { canary } = replay.manifest;
    const target = replay.state === 'canary' ? canaryTarget(canary, { ...facts, ...replay.run }) : Infinity;
    if (target === null) {
      await testStep?.('replay.before-ramp');
      await this.#step(replay, 'ramp', 'the canary went through');
      return;
    }
    const aheadNow = Math.min(Math.max(Math.ceil(rate * aheadSeconds), aheadMin), aheadMax);
    const room = Math.min(
      allowance({ rate, elapsed: facts.elapsed }),
      aheadNow - facts.outstanding,
      target - replay.run.released,
    );
    await this.#handOver(replay, { definition, facts, rate, room });
  }

  async #facts(replay: Replay): Promise<RunFacts> {
    const { database } = this.#options;
    const { operations } = database;
    const [row = {}] =
      replay.mode === 'release'
        ? [await releaseFacts(operations, replay)]
        : await run(operations, runQueries.run_facts, [replay.id, replay.consumerId]);
    const count = (name: string): number => Number(row[name]);
    const outstanding = count('outstanding');
    return {
      failed: count('failed'),
      outstanding,
      decided: replay.run.released - count('behind') - outstanding,
      fingerprints: row['fingerprints'] as Record<string, number>,
      ...(row['run'] as { elapsed: number | null; seen: Partial<Failures> }),
    };
  }

  /** A guard, or a deploy, pauses it. */
  async #stopped(replay: Replay, facts: RunFacts): Promise<boolean> {
    const { operations } = this.#options.database;
    const { decided, failed, fingerprints, seen } = facts;
    const now = { decided, failed, fingerprints };
    const other = await otherCodeRunning(operations, replay);
    const reason =
      other ?? trippedGuard(replay.manifest.guards, { now, seen, canary: replay.state === 'canary' });
    if (reason === null) return false;
    await this.#step(replay, 'pause', reason);
    await run(operations, runQueries.note_failures, [replay.id, JSON.stringify(now)]);
    return true;
  }

  /** Outside of its hours nothing is handed over, and it says so; with them it begins again as at first. Null: outside. */
  async #withinHours(replay: Replay): Promise<Replay | null> {
    const { id, manifest, run: progress } = replay;
    const { window, rate } = manifest;
    if (window === null) return replay;
    const { operations } = this.#options.database;
    const [row] = await run(operations, runQueries.time_of_day, [window.zone]);
    const waits = `waits for its hours: ${windowText(window)}`;
    const waited = progress.yielding === waits;
    if (!isOpen(window, String(row?.['now']))) {
      await run(operations, runQueries.claim_look, [id]);
      if (!waited) await noteRate(operations, { id, rateNow: 0, yielding: waits });
      return null;
    }
    if (!waited) return replay;
    const rateNow = rateAtFirst(rate);
    await noteRate(operations, { id, rateNow, yielding: null });
    return { ...replay, run: { ...progress, rateNow, yielding: null } };
  }

  /** What the ceiling allows now, decided once a second over all processes; null: it does not run any more. */
  async #rate(replay: Replay): Promise<number | null> {
    const { id, run: progress, manifest } = replay;
    const { operations } = this.#options.database;
    const rate = progress.rateNow ?? rateAtFirst(manifest.rate);
    const [look] = await run(operations, runQueries.claim_look, [id]);
    if (look === undefined) return rate;
    const seen = await (this.#options.look?.() ?? readLiveDanger(operations)).catch(() => null);
    const yieldingRate = this.#rates.get(id) ?? new YieldingRate();
    this.#rates.set(id, yieldingRate);
    const strained = look['strained'] === true;
    const { released } = progress;
    const next = yieldingRate.next(
      rate,
      { seen, strained, released, head: Number(look['head']), now: Number(look['now']) },
      manifest.rate,
    );
    const yielding =
      next < rate || next === 0
        ? yieldReason(next, seen, strained)
        : next < manifest.rate.ceiling
          ? progress.yielding
          : null;
    await run(operations, runQueries.note_impact, [id, seen?.danger ?? null, yielding !== null]);
    return (await noteRate(operations, { id, rateNow: next, yielding })) === null ? null : next;
  }

  async #handOver(
    replay: Replay,
    {
      definition,
      facts,
      rate,
      room,
    }: {
      readonly definition: ConsumerDefinition;
      readonly facts: RunFacts;
      readonly rate: number;
      readonly room: number;
    },
  ): Promise<void> {
    const { database, testStep } = this.#options;
    const { id, run: progress } = replay;
    const next = await nextSelected(database.operations, replay, {
      after: progress.cursor,
      limit: Math.max(room, 1),
    });
    if (next.length === 0) {
      if (facts.outstanding > 0) return;
      await testStep?.('replay.before-verify');
      await this.#step(replay, 'verify', 'every event was handed over and is decided');
      return;
    }
    if (room < 1) return;
    const positions = next.map(({ position }) => position);
    const rows = replay.mode === 'redeliver' ? await this.#rows(replay, definition, positions) : [];
    if (rows === null) return;
    await testStep?.('replay.before-hand-over');
    await engineTransaction(database.operations, async (client) => {
      const to = positions.at(-1) ?? progress.cursor;
      // First: the lock that keeps a second process, a pause and an abort waiting.
      if (!(await advanceReplay(client, { id, from: progress.cursor, to, released: next.length }))) return;
      if (replay.mode === 'release') await askForRelease(client, replay, positions);
      else await run(client, runQueries.hand_over, [replay.consumerId, id, JSON.stringify(rows)]);
      await testStep?.('replay.in-hand-over');
      await run(client, runQueries.pace, [id, next.length / rate]);
    });
    await testStep?.('replay.after-hand-over');
  }

  /** What is parked under the replay; null: it was paused, since the log no longer holds all of it. */
  async #rows(
    replay: Replay,
    definition: ConsumerDefinition,
    positions: readonly number[],
  ): Promise<readonly HandedOver[] | null> {
    const events = await readPositions(this.#options.database.operations, positions);
    const missing = positions.length - events.length;
    if (missing > 0) {
      await this.#step(replay, 'pause', `the log no longer holds ${missing} of its events`);
      return null;
    }
    return events.map((event) => ({
      key: orderingKey(definition, event),
      keyHash: orderingKeyHash(definition, event),
      position: event.position,
    }));
  }

  async #step(replay: Replay, step: 'ramp' | 'verify' | 'pause', reason: string): Promise<ReplayState> {
    const { database, telemetry } = this.#options;
    const { to } = await advanceState(database.operations, { id: replay.id, step, reason });
    telemetry.emit('replay.moved', { replay: replay.id, consumer: replay.consumer, state: to, reason });
    return to;
  }
}

interface HandedOver {
  readonly key: string;
  readonly keyHash: number;
  readonly position: number;
}

interface RunFacts extends Failures {
  /** Handed over and not decided. */
  readonly outstanding: number;
  /** Seconds since events were last handed over; null before the first. */
  readonly elapsed: number | null;
  readonly seen: Partial<Failures>;
}

/** `strained`: live events take longer beside it. */
const yieldReason = (rate: number, seen: LiveDanger | null, strained: boolean): string => {
  if (seen === null) return 'stands still: nobody knows how live consumers are';
  if (rate > 0 && strained) return 'goes slower: live events take longer beside it';
  const whom = seen.consumer ?? 'live consumers';
  return rate === 0 ? `stands still: ${whom} would break its promise` : `goes slower for the sake of ${whom}`;
};
