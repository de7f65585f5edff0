/**
 * Moves the view of a projection from the build that is read to another one, in one transaction: both stand still while it
 * happens, the other has everything that the one has, and a crash at any place leaves either the old or the new state.
 * The build that was read stays fed, so that the way back is the same.
 */
import type pg from 'pg';
import { type Clock, FactlineError } from '../../foundation/index.ts';
import { loadQueries, lockNotAvailable, type Queryable, run, sqlState } from '../../postgres/index.ts';
import { type Build, enterStage, readBuilds } from './build-record.ts';
import { stageSentences } from './build-stage.ts';
import { relationOf } from './relation.ts';
import { moveView } from './views.ts';

const sql = loadQueries<
  | 'lock_timeout'
  | 'lock_builds'
  | 'hold_lanes'
  | 'positions_of'
  | 'parked_only_here'
  | 'views_of'
  | 'wake_owners'
  | 'take_away'
  | 'forget_objectives'
  | 'hand_on_objectives'
>(new URL('./builds.sql', import.meta.url));

export interface SwitchRequest {
  /** Of the projection, with its former names. */
  readonly names: readonly string[];
  readonly build: number;
  /** Where the view is; null: where it shows the build that is read. */
  readonly schema: string | null;
  /** A person has seen that rows differ, or that events are parked, and wants it all the same. */
  readonly accepted: boolean;
  readonly clock: Clock;
}

export interface Switched {
  readonly from: Build | null;
  readonly to: Build;
  /** The position up to which both had come. */
  readonly position: number;
}

/** How long the build that is read may be held still for the other to come up to it. */
const holdMsMax = 250;
const catchUpMsMax = 2_000;
const lookMs = 5;

/** A projection's builds at this moment, the one that is read and the one that is asked for. */
const find = async (
  client: Queryable,
  { names, build }: SwitchRequest,
): Promise<{ readonly live: Build | null; readonly to: Build; readonly all: readonly Build[] }> => {
  const all = await readBuilds(client, names);
  const to = all.find((each) => each.build === build);
  if (to === undefined) {
    const known = all.map((each) => each.build).join(', ') || 'none';
    throw new FactlineError('PROJECTION_BUILD_UNKNOWN', { projection: names[0], build, known });
  }
  return { live: all.find(({ stage }) => stage === 'live') ?? null, to, all };
};

/** What speaks against reading a build, in a sentence; null when nothing does. `accepted` waives what a person may judge. */
export const switchObstacle = async (
  on: Queryable,
  { live, to, accepted }: { readonly live: Build | null; readonly to: Build; readonly accepted: boolean },
): Promise<string | null> => {
  if (to.stage === 'live') return 'readers see it already';
  if (to.lanes !== 1) return `its rows are still being made, by ${to.lanes} lanes side by side`;
  if (!to.fed && live?.fed === true)
    return `no running process has code for its version ${to.version}, so it is not fed`;
  if (accepted) return null;
  if (to.stage === 'filling' || to.stage === 'checking') return stageSentences[to.stage];
  if (to.stage === 'differs') return to.obstacle ?? stageSentences.differs;
  return live === null ? null : parkedObstacle(on, { live, to });
};

/** Events that only this build has not handled: their rows are not what they should be. */
export const parkedObstacle = async (
  on: Queryable,
  { live, to }: { readonly live: Build; readonly to: Build },
): Promise<string | null> => {
  const [row] = await run(on, sql.parked_only_here, [to.id, live.id]);
  const events = Number(row?.['events'] ?? 0);
  if (events === 0) return null;
  const what = events === 1 ? 'an event that' : `${events} events that`;
  const quarantined = Number(row?.['quarantined'] ?? 0);
  return `${what} build ${live.build} has handled did not pass here (${quarantined} in quarantine); begin with #${row?.['first']}`;
};

const refuse = (to: Build, reason: string): FactlineError =>
  new FactlineError('PROJECTION_SWITCH_REFUSED', { projection: to.name, build: to.build, reason });

/** Waits, holding nothing, until the one is as far as the other was a moment ago. */
const isNear = async (client: Queryable, ids: readonly [number, number], wait: Wait): Promise<boolean> => {
  const until = wait.clock.monotonic() + wait.ms;
  for (;;) {
    const [row] = await run(client, sql.positions_of, ids);
    if (Number(row?.['build']) >= Number(row?.['live'])) return true;
    if (wait.clock.monotonic() >= until) return false;
    await wait.clock.sleep(lookMs);
  }
};

interface Wait {
  readonly clock: Clock;
  readonly ms: number;
}

/**
 * In a transaction of the caller's, whose snapshots must be its statements' (READ COMMITTED).
 * @throws FactlineError PROJECTION_SWITCH_REFUSED with what speaks against it, PROJECTION_BUSY when it may work the
 *   next time: the build was not as far as the other in time, or somebody held the view or a lane.
 */
export const switchBuild = async (client: pg.PoolClient, request: SwitchRequest): Promise<Switched> => {
  const { clock, names, accepted } = request;
  try {
    const before = await find(client, request);
    const later = (reason: string): FactlineError =>
      new FactlineError('PROJECTION_BUSY', { projection: before.to.name, build: before.to.build, reason });
    const obstacle = await switchObstacle(client, { ...before, accepted });
    if (obstacle !== null) throw refuse(before.to, obstacle);
    const ids = [before.live?.id ?? before.to.id, before.to.id] as const;
    if (!(await isNear(client, ids, { clock, ms: catchUpMsMax })))
      throw later('it is behind the build that is read');
    await client.query(sql.lock_timeout.text);
    await run(client, sql.lock_builds, [names]);
    const { live, to, all } = await find(client, request);
    if (live?.id !== before.live?.id || to.stage !== before.to.stage)
      throw later('another build went live meanwhile');
    if (live !== null) await run(client, sql.hold_lanes, [live.id]);
    if (!(await isNear(client, ids, { clock, ms: holdMsMax })))
      throw later('it is behind the build that is read');
    await run(client, sql.hold_lanes, [to.id]);
    const [at] = await run(client, sql.positions_of, ids);
    const relation = await relationOf(client, to);
    for (const view of await viewsOf(client, request, live)) await moveView(client, { ...view, relation });
    await exchange(client, { live, to, all });
    return { from: live, to, position: Number(at?.['build']) };
  } catch (error) {
    throw laterWhenHeld(error, request);
  }
};

/** Somebody reads the view in a long transaction, or a commit takes long: nothing has happened. */
const laterWhenHeld = (error: unknown, { names, build }: SwitchRequest): unknown => {
  const state = sqlState(error);
  if (state !== lockNotAvailable && state !== '40P01') return error;
  const reason = 'a transaction holds the view, or a table that it shows';
  return new FactlineError('PROJECTION_BUSY', { projection: names[0], build, reason }, { cause: error });
};

/** The projection's own, and those of earlier names as long as somebody keeps them. */
const viewsOf = async (
  client: Queryable,
  { schema, names }: SwitchRequest,
  live: Build | null,
): Promise<readonly { readonly schema: string; readonly name: string }[]> => {
  const name = live?.name ?? names[0] ?? '';
  const shown = live === null ? [] : await run(client, sql.views_of, [live.id]);
  const place = schema ?? shown[0]?.['schema'];
  if (place !== undefined) {
    // What stands in other schemas is somebody's own.
    const here = shown.filter((row) => row['schema'] === place).map((row) => String(row['name']));
    return [...new Set([name, ...here])].map((each) => ({ schema: String(place), name: each }));
  }
  throw new FactlineError('PROJECTION_TABLE_MISSING', { projection: name, table: `the view ${name}` });
};

/** One way back is kept: whoever was it before is not needed any more. */
const exchange = async (
  client: Queryable,
  { live, to, all }: { readonly live: Build | null; readonly to: Build; readonly all: readonly Build[] },
): Promise<void> => {
  for (const each of all) {
    if (each.id === to.id || each.stage !== 'standby') continue;
    await enterStage(client, each.id, { stage: 'retired' });
    await run(client, sql.take_away, [each.id]);
  }
  if (live !== null) {
    await enterStage(client, live.id, { stage: 'standby' });
    // How the promise was kept is the projection's, whichever build readers see.
    await run(client, sql.forget_objectives, [to.id]);
    await run(client, sql.hand_on_objectives, [live.id, to.id]);
  }
  await enterStage(client, to.id, { stage: 'live' });
  for (const each of all) await run(client, sql.wake_owners, [String(each.id)]);
};
