import { type Build, type Comparison, compareBuilds, readBuilds } from '../../consumers/index.ts';
import { type Clock, FactlineError } from '../../foundation/index.ts';
import type { Database, Queryable } from '../../postgres/index.ts';

/** A build with how far it is. */
export interface BuildProgress extends Build {
  /** The share of the log that it has dealt with, 0 to 1. */
  readonly done: number;
  /** When it will have caught up if it goes on as it has on average; null when it has, or when nothing can be said yet. */
  readonly etaMs: number | null;
}

/** Closer than that to the log's end it is called caught up: what was published just now is always ahead of it. */
const caughtUpWithin = 1_000;

const progressOf = (build: Build): BuildProgress => {
  const { startPosition, meanPosition, head, ageMs, stage } = build;
  const all = Math.max(0, head - startPosition);
  const handled = Math.max(0, meanPosition - startPosition);
  const left = all - handled;
  const done = all === 0 ? 1 : Math.min(1, handled / all);
  const knows = stage === 'filling' && handled > 0 && left > caughtUpWithin;
  return { ...build, done, etaMs: knows ? Math.round((left / handled) * ageMs) : null };
};

/** The builds of every projection, or of one by any of its names. */
export const listBuilds = async (on: Queryable, projection?: string): Promise<readonly BuildProgress[]> =>
  (await readBuilds(on, projection === undefined ? null : [projection])).map(progressOf);

/** What is meant when no number was given. */
export type BuildRole = 'to compare with' | 'on its way' | 'to go back to';

const roleOf: Readonly<Record<BuildRole, (build: Build) => boolean>> = {
  'to compare with': ({ stage }) => stage !== 'live',
  'on its way': ({ stage }) => stage !== 'live' && stage !== 'standby',
  'to go back to': ({ stage }) => stage === 'standby',
};

/** @throws FactlineError PROJECTION_BUILD_UNKNOWN */
export const chooseBuild = (
  builds: readonly Build[],
  {
    projection,
    build,
    role,
  }: { readonly projection: string; readonly build?: number | undefined; readonly role: BuildRole },
): Build => {
  const found =
    build === undefined ? builds.filter(roleOf[role]).at(-1) : builds.find((each) => each.build === build);
  if (found !== undefined) return found;
  const known = builds.map((each) => `${each.build} (${each.stage})`).join(', ') || 'none';
  throw new FactlineError('PROJECTION_BUILD_UNKNOWN', { projection, build: build ?? role, known });
};

export interface ComparisonRequest {
  readonly database: Database;
  readonly clock: Clock;
  readonly projection: string;
  readonly build?: number | undefined;
  readonly signal?: AbortSignal;
  /** Rows compared at a time. */
  readonly rangeRows?: number;
}

/**
 * Compares a build with the one that is read: whether all rows are the same where both have the same version, otherwise how
 * what they have in common differs. Needs no running process.
 * @throws FactlineError PROJECTION_BUILD_UNKNOWN
 */
export const compareProjection = async (request: ComparisonRequest): Promise<Comparison> => {
  const { database, projection, build } = request;
  const builds = await readBuilds(database.operations, [projection]);
  const chosen = chooseBuild(builds, { projection, build, role: 'to compare with' });
  const live = chooseBuild(
    builds.filter(({ stage }) => stage === 'live'),
    { projection, role: 'to compare with', build: builds.find(({ stage }) => stage === 'live')?.build },
  );
  return compareBuilds({ ...request, live, build: chosen });
};
