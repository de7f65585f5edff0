import { type Build, readBuilds, retireBuild, type Switched, switchBuild } from '../../consumers/index.ts';
import { type Clock, FactlineError } from '../../foundation/index.ts';
import type { Database } from '../../postgres/index.ts';
import type { Actor } from '../authority/actor.ts';
import type { ActName } from '../authority/acts.ts';
import { perform } from '../authority/perform.ts';
import { type BuildRole, chooseBuild } from './projections.ts';

export interface BuildAct {
  readonly database: Database;
  readonly clock: Clock;
  readonly actor: Actor;
  readonly projection: string;
  /** Without it the one that the act is about: the build on its way, or the way back. */
  readonly build?: number | undefined;
  readonly reason?: string | undefined;
  /** How long it is tried when somebody holds the view, or the build is a little behind. */
  readonly withinMs: number;
  readonly signal?: AbortSignal;
}

const tryAgainMs = 200;

/**
 * Lets readers see another build: the one on its way. `accepted`: although rows differ, or events are parked.
 * @throws FactlineError FORBIDDEN, PROJECTION_BUILD_UNKNOWN, PROJECTION_SWITCH_REFUSED, PROJECTION_BUSY
 */
export const switchProjection = (request: BuildAct & { readonly accepted: boolean }): Promise<Switched> =>
  moveTo(request, { act: 'projection.switch', role: 'on its way', accepted: request.accepted });

/**
 * Lets readers see again what they saw before the last switch.
 * @throws FactlineError as `switchProjection`
 */
export const rollBackProjection = (request: BuildAct & { readonly accepted: boolean }): Promise<Switched> =>
  moveTo(request, { act: 'projection.rollback', role: 'to go back to', accepted: request.accepted });

/**
 * Gives a build up for good: the way back, or one on its way.
 * @throws FactlineError FORBIDDEN, PROJECTION_BUILD_UNKNOWN, PROJECTION_RETIRE_REFUSED
 */
export const retireProjection = (
  request: BuildAct & { readonly role: Extract<BuildRole, 'on its way' | 'to go back to'> },
): Promise<Build> =>
  patiently(request, async () => {
    const { build, names } = await find(request, request.role);
    const act = request.role === 'on its way' ? 'projection.cancel' : 'projection.retire';
    return perform(request.database.operations, recordOf(request, act, build), (client) =>
      retireBuild(client, { names, build: build.build }),
    );
  });

const moveTo = (
  request: BuildAct,
  { act, role, accepted }: { readonly act: ActName; readonly role: BuildRole; readonly accepted: boolean },
): Promise<Switched> =>
  patiently(request, async () => {
    const { build, names } = await find(request, role);
    const wanted = { names, build: build.build, schema: null, accepted, clock: request.clock };
    const record = {
      ...recordOf(request, act, build),
      details: ({ from, position }: Switched) => ({
        from: from?.build ?? null,
        to: build.build,
        position,
        accepted,
        finding: build.finding?.verdict ?? null,
      }),
    };
    return perform(request.database.operations, record, (client) => switchBuild(client, wanted));
  });

const find = async (
  { database, projection, build }: BuildAct,
  role: BuildRole,
): Promise<{ readonly build: Build; readonly names: readonly string[] }> => {
  const builds = await readBuilds(database.operations, [projection]);
  const chosen = chooseBuild(builds, { projection, build, role });
  return { build: chosen, names: [chosen.name, ...chosen.formerNames] };
};

const recordOf = ({ actor, reason }: BuildAct, act: ActName, { name, build, version }: Build) => ({
  actor,
  act,
  target: `projection ${name}`,
  reason,
  details: { build, version },
});

/** Tried again while somebody is in the way; nothing has happened then. */
const patiently = async <T>({ clock, withinMs, signal }: BuildAct, work: () => Promise<T>): Promise<T> => {
  const until = clock.monotonic() + withinMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!FactlineError.is(error, 'PROJECTION_BUSY') || clock.monotonic() >= until || signal?.aborted)
        throw error;
    }
    await clock.sleep(tryAgainMs, signal);
  }
};
