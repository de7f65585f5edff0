import type pg from 'pg';
import { type Build, readBuilds } from '../consumers/index.ts';
import { type Clock, FactlineError } from '../foundation/index.ts';
import { type Database, loadQueries, type Row, run } from '../postgres/index.ts';
import { type Actor, engineActor } from './authority/actor.ts';
import { hasEnded } from './lifecycle/lifecycle.ts';
import { actOnReplay } from './lifecycle/move-replay.ts';
import { retireProjection, switchProjection } from './rebuild/switch-projection.ts';
import { findReplayed } from './request/plan.ts';
import { type Replay, readReplay } from './request/replay.ts';
import { advanceState, finishReplay } from './run-steps.ts';

const sql = loadQueries<'ask_for_rebuild' | 'rebuilds_to_follow' | 'withdraw_request'>(
  new URL('./governed-rebuild.sql', import.meta.url),
);

/** Begins the run of a replay of a projection: the transition and the request for a build commit together. */
export const beginRebuild = async (
  pool: pg.Pool,
  {
    actor,
    replay,
    reason,
  }: { readonly actor: Actor; readonly replay: Replay; readonly reason?: string | undefined },
): Promise<void> => {
  const { id, manifest } = replay;
  const consumer = await findReplayed(pool, replay.consumer);
  const builds = await readBuilds(pool, [consumer.name]);
  if (builds.some(({ stage }) => stage !== 'live' && stage !== 'standby'))
    throw new FactlineError('PROJECTION_REBUILD_UNDER_WAY', { projection: consumer.name });
  await actOnReplay(pool, { actor, act: 'replay.run', id, step: 'begin', reason }, async (client) => {
    const values = [id, consumer.id, actor.name, `replay ${id}: ${manifest.reason}`];
    await run(client, sql.ask_for_rebuild, values);
  });
};

export interface FollowOptions {
  readonly clock: Clock;
  readonly signal?: AbortSignal;
}

/**
 * Goes on with replays of projections as their builds go on: lets readers see a build that was compared and found equal, pauses
 * where it differs, gives up the build of a replay that was aborted. One bounded pass; whoever looks may do it, and
 * it does nothing twice. Answers how many there are.
 */
export const followRebuilds = async (database: Database, options: FollowOptions): Promise<number> => {
  const rows = await run(database.operations, sql.rebuilds_to_follow);
  for (const row of rows) {
    const replay = await readReplay(database.operations, Number(row['id']));
    await follow(database, { replay, row, ...options }).catch((error: unknown) => {
      // Somebody else was faster, or is in the way for a moment.
      if (!FactlineError.is(error, 'REPLAY_STEP_REFUSED') && !FactlineError.is(error, 'PROJECTION_BUSY'))
        throw error;
    });
  }
  return rows.length;
};

interface Followed extends FollowOptions {
  readonly replay: Replay;
  readonly row: Row;
}

const follow = async (database: Database, followed: Followed): Promise<void> => {
  const { replay, row } = followed;
  const pool = database.operations;
  const answer = (row['answer'] ?? {}) as {
    readonly build?: number;
    readonly reason?: string;
    readonly error?: string;
  };
  const build = (await readBuilds(pool, [replay.consumer])).find((each) => each.build === answer.build);
  if (hasEnded(replay.state)) return giveUp(database, followed, build);
  if (row['state'] === 'open') return;
  const { id } = replay;
  if (row['state'] === 'refused' || build === undefined) {
    const reason =
      row['state'] === 'refused'
        ? (answer.reason ?? answer.error ?? 'it was refused')
        : 'its build was given up';
    await advanceState(pool, { id, step: 'fail', reason });
    return;
  }
  await goOn(database, followed, build);
};

const switchWithinMs = 5_000;

const goOn = async (database: Database, { replay, clock, signal }: Followed, build: Build): Promise<void> => {
  const pool = database.operations;
  const { id, state, consumer } = replay;
  const isRead = build.stage === 'live' || build.stage === 'standby';
  if (build.stage === 'differs' && state === 'running') {
    const reason = `the rows of build ${build.build} differ from the live ones: factline projection compare ${consumer}`;
    await advanceState(pool, { id, step: 'pause', reason });
  }
  if (!isRead && (build.stage !== 'ready' || state === 'paused')) return;
  // A person has let readers see it meanwhile.
  if (state === 'paused')
    await actOnReplay(pool, { actor: engineActor('replay'), act: 'replay.advance', id, step: 'resume' });
  if (state !== 'verifying')
    await advanceState(pool, {
      id,
      step: 'verify',
      reason: `build ${build.build} has caught up and was compared`,
    });
  if (!isRead) {
    await switchProjection({
      database,
      clock,
      actor: engineActor('replay'),
      projection: consumer,
      build: build.build,
      reason: `replay ${id}`,
      withinMs: switchWithinMs,
      accepted: false,
      ...(signal === undefined ? {} : { signal }),
    });
  }
  const outcome = {
    build: build.build,
    version: build.version,
    finding: build.finding,
    rolledBack: build.stage === 'standby',
  };
  await finishReplay(pool, { id, outcome, failures: build.stage === 'standby' });
};

/** What nobody has seen yet is dropped with the replay that wanted it. */
const giveUp = async (
  database: Database,
  { replay, row, clock }: Followed,
  build: Build | undefined,
): Promise<void> => {
  await run(database.operations, sql.withdraw_request, [row['request']]);
  if (build === undefined || build.stage === 'live' || build.stage === 'standby') return;
  await retireProjection({
    database,
    clock,
    actor: engineActor('replay'),
    projection: replay.consumer,
    build: build.build,
    role: 'on its way',
    reason: `replay ${replay.id} was ${replay.state}`,
    withinMs: switchWithinMs,
  });
};
