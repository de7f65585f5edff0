import type pg from 'pg';
import { FactlineError } from '../foundation/index.ts';
import { loadQueries, type Queryable, run } from '../postgres/index.ts';
import { type Decision, expireIfDue } from './approval/approve.ts';
import { approvedDigest } from './estimate/digest.ts';
import type { Within } from './estimate/estimate.ts';
import { rowsDigest, wholeLog } from './freeze/freeze.ts';
import { beginRebuild } from './governed-rebuild.ts';
import { nextState, type ReplayState } from './lifecycle/lifecycle.ts';
import { actOnReplay, stepRefused } from './lifecycle/move-replay.ts';
import { digestOf } from './request/manifest.ts';
import { findReplayed, readLogEnd } from './request/plan.ts';
import { type Replay, readReplay } from './request/replay.ts';

export { advanceState, finishReplay } from './run-steps.ts';

const sql = loadQueries<
  | 'running_code'
  | 'under_way'
  | 'next_selected'
  | 'advance'
  | 'note_rate'
  | 'handled_counts'
  | 'build_share'
  | 'released_counts'
  | 'effects_of_released'
  | 'failures_of_released'
  | 'effects_of_replay'
  | 'failure_groups'
>(new URL('./run-port.sql', import.meta.url));

/**
 * Looks again, right before it begins, whether everything is as it was approved, and moves it to canary or running.
 * @throws FactlineError REPLAY_CHANGED, REPLAY_NOT_APPROVED, REPLAY_CONSUMER_BUSY, REPLAY_STEP_REFUSED,
 *   PROJECTION_REBUILD_UNDER_WAY, CONSUMER_UNKNOWN, FORBIDDEN
 */
export const beginReplay = async (pool: pg.Pool, { actor, id, reason }: Decision): Promise<Replay> => {
  const replay = await readReplay(pool, id);
  const rebuild = replay.mode === 'blue-green';
  const steps = !rebuild && replay.mode !== 'shadow';
  const step = steps && replay.manifest.canary.length > 0 ? 'begin_canary' : 'begin';
  await expireIfDue(pool, replay);
  if (nextState(replay.state, step) === null) throw stepRefused(id, replay.state, step);
  const what = await whatChanged(pool, replay);
  if (what !== null) throw new FactlineError('REPLAY_CHANGED', { replay: id, what });
  if (rebuild) await beginRebuild(pool, { actor, replay, reason });
  else await actOnReplay(pool, { actor, act: 'replay.run', id, step, reason });
  return readReplay(pool, id);
};

/** What is not as it was when it was approved; null: everything is. @throws FactlineError CONSUMER_UNKNOWN */
export const whatChanged = async (on: Queryable, replay: Replay): Promise<string | null> => {
  const { id, frozen, manifest, manifestDigest, freeze, codeVersion } = replay;
  if (frozen === null) return 'its selection is not frozen';
  if (digestOf(manifest) !== manifestDigest) return 'its manifest was changed in the database';
  const consumer = await findReplayed(on, replay.consumer);
  const rebuild = replay.mode === 'blue-green';
  if (!rebuild && consumer.id !== replay.consumerId) return 'its consumer is another one by that name';
  const rows = rebuild ? wholeLog : await rowsDigest(on, id, freeze);
  const { ceiling, selected, selectedWithin, excluded, logEpoch: epoch } = frozen;
  if (approvedDigest(replay, { ceiling, selected, selectedWithin, excluded, rows, epoch }) !== frozen.digest)
    return 'its selection was changed in the database';
  if ((await readLogEnd(on)).epoch !== epoch) return 'the log was restored meanwhile';
  // Whoever tries code in the shadow has it at hand; what runs elsewhere does not matter.
  return replay.mode === 'shadow' ? null : otherCodeRunning(on, { consumerId: consumer.id, codeVersion });
};

/** The version of other code that runs; null: none does. */
export const otherCode = async (
  on: Queryable,
  { consumerId, codeVersion }: Pick<Replay, 'consumerId' | 'codeVersion'>,
): Promise<string | null> => {
  const running = (await run(on, sql.running_code, [consumerId])).map((row) => String(row['code_version']));
  return running.find((version) => version !== codeVersion) ?? null;
};

/** That other code runs than was approved, in a sentence; null: none does. */
export const otherCodeRunning = async (
  on: Queryable,
  replay: Pick<Replay, 'consumerId' | 'codeVersion'>,
): Promise<string | null> => {
  const other = await otherCode(on, replay);
  return other === null
    ? null
    : `it was approved for the code ${replay.codeVersion}, and ${other} is running`;
};

export interface ReplayUnderWay {
  readonly id: number;
  /** There is something to do for it now. */
  readonly due: boolean;
}

/** Replays of these consumers that want work, the oldest first. */
export const replaysUnderWay = async (
  on: Queryable,
  consumerIds: readonly number[],
): Promise<ReplayUnderWay[]> =>
  (await run(on, sql.under_way, [consumerIds])).map((row) => ({
    id: Number(row['id']),
    due: row['due'] === true,
  }));

export interface SelectedPosition {
  readonly position: number;
  readonly keyHash: number;
}

/** The next events of the frozen selection, in position order. */
export const nextSelected = async (
  on: Queryable,
  replay: Pick<Replay, 'id' | 'freeze'>,
  { after, limit }: { readonly after: number; readonly limit: number },
): Promise<SelectedPosition[]> =>
  (await run(on, sql.next_selected, [replay.id, replay.freeze, after, limit])).map((row) => ({
    position: Number(row['position']),
    keyHash: Number(row['key_hash']),
  }));

/**
 * Moves the cursor in the transaction that hands those events over. False: it was paused or aborted, or somebody else moved it; roll
 * back. The row is locked to the commit, so a pause or an abort waits for the batch that is being handed over, and for no other.
 */
export const advanceReplay = async (
  client: Queryable,
  {
    id,
    from,
    to,
    released,
  }: { readonly id: number; readonly from: number; readonly to: number; readonly released: number },
): Promise<boolean> => (await run(client, sql.advance, [id, from, to, released])).length === 1;

/** What the control loop allows now, shown by `watch`. Null: it is not running any more. */
export const noteRate = async (
  on: Queryable,
  {
    id,
    rateNow,
    yielding,
  }: { readonly id: number; readonly rateNow: number; readonly yielding: string | null },
): Promise<ReplayState | null> =>
  ((await run(on, sql.note_rate, [id, rateNow, yielding]))[0]?.['state'] as ReplayState | undefined) ?? null;

/** What became of a replay's events, effects and failures so far; read from what proves it. */
export interface ReplayCounts {
  readonly selected: number;
  /** As of `FrozenSelection`. */
  readonly selectedWithin: Within | null;
  /** An inbox row of this replay is there; of a release: the parked row went with the proof; of a rebuild: as far as its build has come. */
  readonly handled: number;
  readonly quarantined: number;
  /** Handed over and not decided yet. */
  readonly parked: number;
  readonly effects: readonly {
    readonly name: string;
    readonly disposition: string;
    readonly count: number;
  }[];
  readonly failures: readonly {
    readonly fingerprint: string;
    readonly code: string | null;
    readonly message: string | null;
    readonly events: number;
    /** Live events failed with it as well. */
    readonly known: boolean;
  }[];
}

export const readCounts = async (on: Queryable, replay: Replay): Promise<ReplayCounts> => {
  if (replay.mode === 'blue-green') return countsOfRebuild(on, replay);
  const { id, freeze, consumerId } = replay;
  const release = replay.mode === 'release';
  const [counts] = await run(on, release ? sql.released_counts : sql.handled_counts, [
    id,
    freeze,
    consumerId,
  ]);
  const effects = release
    ? await run(on, sql.effects_of_released, [id, freeze, consumerId])
    : await run(on, sql.effects_of_replay, [id, consumerId]);
  const failures = release
    ? await run(on, sql.failures_of_released, [id, freeze, consumerId])
    : await run(on, sql.failure_groups, [id, consumerId]);
  return {
    selected: Number(counts?.['selected']),
    selectedWithin: null,
    handled: Number(counts?.['handled']),
    quarantined: Number(counts?.['quarantined']),
    parked: Number(counts?.['parked']),
    effects: effects.map((row) => ({
      name: String(row['name']),
      disposition: String(row['disposition']),
      count: Number(row['count']),
    })),
    failures: failures.map((row) => ({
      fingerprint: String(row['fingerprint']),
      code: row['error_code'] as string | null,
      message: row['message'] as string | null,
      events: Number(row['count']),
      known: row['known'] === true,
    })),
  };
};

const countsOfRebuild = async (on: Queryable, { state, consumer, frozen }: Replay): Promise<ReplayCounts> => {
  const { selected = 0, selectedWithin = null, ceiling = 0 } = frozen ?? {};
  const [row] = await run(on, sql.build_share, [consumer, ceiling]);
  const ended = state === 'done' || state === 'done_with_failures';
  const begun = state === 'running' || state === 'paused' || state === 'verifying';
  const share = ended ? 1 : begun ? Number(row?.['share'] ?? 0) : 0;
  const handled = Math.floor(selected * share);
  return { selected, selectedWithin, handled, quarantined: 0, parked: 0, effects: [], failures: [] };
};
