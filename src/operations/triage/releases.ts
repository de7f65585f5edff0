import { FactlineError } from '../../foundation/index.ts';
import { loadQueries, type Queryable, type Row, run } from '../../postgres/index.ts';
import type { ReleaseCounts, ReleaseState } from './release-state.ts';

const sql = loadQueries<
  'lock_group' | 'active_release' | 'freeze' | 'cancel' | 'release_facts' | 'latest_releases'
>(new URL('./releases.sql', import.meta.url));

/** How a group is to be released. */
export interface ReleaseRequest {
  readonly group: number;
  /** So many events go first; the rest only when all of them were handled. 0: none. */
  readonly canary: number;
  /** Events a second at most. */
  readonly rate: number;
  /** Failures of the rest after which nothing more is sent. */
  readonly stopAfter: number;
  readonly actor: string;
  readonly reason?: string | undefined;
}

/** What was frozen: exactly these events, whatever arrives later. */
export interface FrozenSelection {
  readonly id: number;
  readonly selected: number;
  /** SHA-256 over number and position of every event, in order. */
  readonly digest: string;
}

/** Above this nothing is gained, and the owners are kept from their live work. */
export const rateMax = 500;
export const canaryMax = 100;

/**
 * Freezes what is in the group now and has it released by the running processes. In a transaction.
 * @throws FactlineError QUARANTINE_GROUP_NOT_FOUND, QUARANTINE_GROUP_EMPTY, RELEASE_UNDER_WAY, CONSUMER_UNKNOWN
 */
export const beginRelease = async (client: Queryable, request: ReleaseRequest): Promise<FrozenSelection> => {
  const { group, canary, rate, stopAfter, actor, reason = null } = request;
  const [found] = await run(client, sql.lock_group, [group]);
  if (found === undefined) throw new FactlineError('QUARANTINE_GROUP_NOT_FOUND', { id: group });
  const [active] = await run(client, sql.active_release, [group]);
  if (active !== undefined)
    throw new FactlineError('RELEASE_UNDER_WAY', {
      id: group,
      release: active['id'],
      actor: active['actor'],
    });
  const retired = found['consumer_state'] === 'retired';
  const [made] = retired
    ? []
    : await run(client, sql.freeze, [group, canary, rate, stopAfter, actor, reason]);
  if (made === undefined) throw new FactlineError('QUARANTINE_GROUP_EMPTY', { id: group });
  return { id: Number(made['id']), selected: Number(made['selected']), digest: String(made['digest']) };
};

/** Nothing more is sent; what was sent ends by itself. @throws FactlineError RELEASE_NOT_FOUND */
export const cancelRelease = async (client: Queryable, id: number, by: string): Promise<void> => {
  const [row] = await run(client, sql.cancel, [id, `cancelled by ${by}`]);
  if (row === undefined) throw new FactlineError('RELEASE_NOT_FOUND', { id });
};

/** How a release stands. Times are ISO 8601. */
export interface Release {
  readonly id: number;
  readonly group: number;
  readonly consumer: string;
  readonly state: ReleaseState;
  readonly actor: string;
  readonly reason: string | null;
  readonly rate: number;
  readonly stopAfter: number;
  readonly selected: number;
  readonly digest: string;
  readonly canary: ReleaseCounts;
  readonly rest: ReleaseCounts;
  /** Why it ended otherwise than done. */
  readonly outcome: string | null;
  /** What the first that failed again said. */
  readonly firstFailure: string | null;
  readonly createdAt: string;
  readonly endedAt: string | null;
}

/** A release as whoever drives it sees it. */
export interface DrivenRelease extends Release {
  /** The pace allows the next events. */
  readonly due: boolean;
  readonly retired: boolean;
}

/** Those under way first, then the latest. */
export const listReleases = async (on: Queryable, limit: number): Promise<Release[]> => {
  const ids = (await run(on, sql.latest_releases, [limit])).map((row) => Number(row['id']));
  const byId = new Map((await readReleases(on, ids)).map((release) => [release.id, release]));
  return ids
    .flatMap((id) => byId.get(id) ?? [])
    .map(({ due: _due, retired: _retired, ...release }) => release);
};

/** @throws FactlineError RELEASE_NOT_FOUND */
export const findRelease = async (on: Queryable, id: number): Promise<Release> => {
  const [found] = await readReleases(on, [id]);
  if (found === undefined) throw new FactlineError('RELEASE_NOT_FOUND', { id });
  const { due: _due, retired: _retired, ...release } = found;
  return release;
};

export const readReleases = async (on: Queryable, ids: readonly number[]): Promise<DrivenRelease[]> =>
  ids.length === 0 ? [] : (await run(on, sql.release_facts, [ids])).map(releaseOf);

const nothing: ReleaseCounts = { selected: 0, sent: 0, handled: 0, failed: 0, gone: 0 };

const releaseOf = (row: Row): DrivenRelease => {
  const counts = row['counts'] as Readonly<Partial<Record<'canary' | 'rest', Partial<ReleaseCounts>>>>;
  return {
    id: Number(row['id']),
    group: Number(row['group_id']),
    consumer: String(row['consumer']),
    state: row['state'] as ReleaseState,
    actor: String(row['actor']),
    reason: row['reason'] as string | null,
    rate: Number(row['rate']),
    stopAfter: Number(row['stop_after']),
    selected: Number(row['selected']),
    digest: String(row['digest']),
    canary: { ...nothing, ...counts.canary },
    rest: { ...nothing, ...counts.rest },
    outcome: row['outcome'] as string | null,
    firstFailure: row['first_failure'] as string | null,
    createdAt: String(row['created_at']),
    endedAt: row['ended_at'] as string | null,
    due: row['due'] === true,
    retired: row['consumer_state'] === 'retired',
  };
};
