import { dryRun, Pace, readLiveDanger } from '../../consumers/index.ts';
import { type Clock, FactlineError } from '../../foundation/index.ts';
import { readPositions } from '../../log/index.ts';
import { type Database, engineTransaction, loadQueries, type Queryable, run } from '../../postgres/index.ts';
import type { Actor } from '../authority/actor.ts';
import { assertSameCode } from '../estimate/estimate-replay.ts';
import { stepRefused } from '../lifecycle/move-replay.ts';
import { definitionOf, type ReplayCode } from '../request/plan.ts';
import { type Replay, readReplay } from '../request/replay.ts';
import { advanceReplay, beginReplay, nextSelected, noteRate } from '../run-port.ts';
import { advanceState, finishReplay } from '../run-steps.ts';
import { findingsOf, type ShadowFinding } from './compare-outcome.ts';
import { readRecorded } from './recorded.ts';

const sql = loadQueries<'note_compared' | 'compared_counts' | 'differences'>(
  new URL('./shadow.sql', import.meta.url),
);

export interface ShadowRequest {
  readonly actor: Actor;
  readonly id: number;
  readonly reason?: string | undefined;
  /** The code that is tried. */
  readonly code: ReplayCode;
  /** The app's name, as the source of what it would publish. */
  readonly source: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onProgress?: (replay: Replay) => void;
}

const batch = 50;
const differencesKept = 100;

/**
 * Tries the code at hand on the frozen selection, in this process: each event in a transaction that is rolled back, effects closed,
 * beside nothing of live; and compares what it came to with what is recorded. Begun by whoever calls it first; after the end of a
 * process, a pause or an abort of the signal the next call goes on at the cursor, which moves with what was found.
 * @throws FactlineError REPLAY_STEP_REFUSED, REPLAY_CHANGED, CONSUMER_UNKNOWN, FORBIDDEN
 */
export const runShadow = async (database: Database, request: ShadowRequest): Promise<Replay> => {
  const { id, actor, reason, code, clock, signal } = request;
  const pool = database.operations;
  const before = await readReplay(pool, id);
  assertSameCode(before, code);
  if (before.state === 'approved') await beginReplay(pool, { actor, id, reason });
  else if (before.state !== 'running') throw stepRefused(id, before.state, 'begin');
  const pace = new Pace({
    clock,
    limits: before.manifest.rate,
    look: () => readLiveDanger(pool),
    strained: () => false,
  });
  pace.start();
  try {
    while (!signal.aborted && (await nextBatch(database, request, pace))) {
      while (pace.waitMs() > 0 && !signal.aborted) await clock.sleep(pace.waitMs(), signal);
    }
  } catch (error) {
    // It ended in the middle of a batch, which the next call tries again.
    if (!signal.aborted) throw error;
  } finally {
    await pace.stop();
  }
  return readReplay(pool, id);
};

/** False: it is at its end, or was paused or ended. */
const nextBatch = async (database: Database, request: ShadowRequest, pace: Pace): Promise<boolean> => {
  const pool = database.operations;
  const replay = await readReplay(pool, request.id);
  request.onProgress?.(replay);
  if (replay.state === 'verifying') return finish(database, replay);
  if (replay.state !== 'running') return false;
  const limit = Math.max(1, Math.min(batch, Math.ceil(pace.rate)));
  const next = await nextSelected(pool, replay, { after: replay.run.cursor, limit });
  if (next.length === 0) {
    await advanceState(pool, { id: replay.id, step: 'verify', reason: 'every event was tried' });
    return finish(database, await readReplay(pool, replay.id));
  }
  await compareBatch(database, request, {
    replay,
    positions: next.map(({ position }) => position),
  });
  await noteRate(pool, { id: replay.id, rateNow: pace.rate, yielding: pace.reason });
  pace.spend(next.length);
  return true;
};

const compareBatch = async (
  database: Database,
  { code, source, clock, signal }: ShadowRequest,
  { replay, positions }: { readonly replay: Replay; readonly positions: readonly number[] },
): Promise<void> => {
  const { operations } = database;
  const { id, freeze, consumerId, run: progress } = replay;
  const events = await readPositions(operations, positions);
  if (events.length < positions.length) {
    const what = `the log no longer holds ${positions.length - events.length} of its events`;
    throw new FactlineError('REPLAY_CHANGED', { replay: id, what });
  }
  const recorded = await readRecorded(operations, consumerId, events);
  const consumer = definitionOf(code, replay.consumer);
  const outcomes = await dryRun({ consumer, source, events, database, clock, signal });
  const compared = outcomes.map((outcome) => {
    const { position, eventId, type } = outcome;
    const known = recorded.get(eventId) ?? { published: [], effects: [] };
    return { position, eventId, type, findings: findingsOf(known, outcome) };
  });
  const differing = compared.filter(({ findings }) => findings.length > 0);
  const equal = compared.filter(({ findings }) => findings.length === 0).map(({ position }) => position);
  await engineTransaction(operations, async (client) => {
    const to = positions.at(-1) ?? progress.cursor;
    if (!(await advanceReplay(client, { id, from: progress.cursor, to, released: positions.length }))) return;
    const values = [id, freeze, equal, JSON.stringify(differing), differencesKept];
    await run(client, sql.note_compared, values);
  });
};

const finish = async ({ operations }: Database, replay: Replay): Promise<false> => {
  const counts = await readCompared(operations, replay);
  const outcome = { ...counts };
  await finishReplay(operations, { id: replay.id, outcome, failures: counts.differs > 0 });
  return false;
};

export interface Compared {
  readonly selected: number;
  /** Came to what is recorded. */
  readonly equal: number;
  readonly differs: number;
}

export const readCompared = async (
  on: Queryable,
  { id, freeze }: Pick<Replay, 'id' | 'freeze'>,
): Promise<Compared> => {
  const [row] = await run(on, sql.compared_counts, [id, freeze]);
  return {
    selected: Number(row?.['selected']),
    equal: Number(row?.['equal']),
    differs: Number(row?.['differs']),
  };
};

export interface ShadowDifference {
  readonly position: number;
  readonly eventId: string;
  readonly type: string;
  readonly findings: readonly ShadowFinding[];
}

/** The first hundred, in order. */
export const readDifferences = async (
  on: Queryable,
  { id, freeze }: Pick<Replay, 'id' | 'freeze'>,
): Promise<readonly ShadowDifference[]> =>
  (await run(on, sql.differences, [id, freeze, differencesKept])).map((row) => ({
    position: Number(row['position']),
    eventId: String(row['event_id']),
    type: String(row['type']),
    findings: row['findings'] as ShadowFinding[],
  }));
