import { FactlineError } from '../../foundation/index.ts';
import { loadQueries, type Queryable, type Row, run } from '../../postgres/index.ts';
import type { ReplayEstimate, Within } from '../estimate/estimate.ts';
import type { ReplayState } from '../lifecycle/lifecycle.ts';
import { type ModeTerms, modeTerms, type ReplayMode } from './class-rules.ts';
import type { ReplayManifest } from './manifest.ts';

const sql = loadQueries<'read_replay' | 'is_worked' | 'list_replays'>(
  new URL('./request.sql', import.meta.url),
);

export interface ReplayApproval {
  readonly approver: string;
  readonly at: string;
  readonly reason: string | null;
  /** It was approved alone, in an emergency. */
  readonly breakGlass: boolean;
}

/** The selection as it was frozen. */
export interface FrozenSelection {
  /** What was recorded above this position is not part of it. */
  readonly ceiling: number;
  /** Events to be handled. */
  readonly selected: number;
  /** Null: they were counted. Else their number was estimated from a sample, and lies between these in 95 of 100 cases. */
  readonly selectedWithin: Within | null;
  /** Events that match and can't be replayed. */
  readonly excluded: number;
  /** What approvals hold for: SHA-256 over manifest, selection and code version. */
  readonly digest: string;
  readonly logEpoch: string;
  readonly at: string;
  readonly expiresAt: string;
  readonly expired: boolean;
}

/** A replay as it stands in the database. Times are ISO 8601, by the database's clock. */
export interface Replay extends ModeTerms {
  readonly id: number;
  readonly app: string;
  readonly consumer: string;
  readonly consumerId: number;
  readonly class: 'projection' | 'operational';
  readonly mode: ReplayMode;
  readonly state: ReplayState;
  readonly revision: number;
  readonly manifest: ReplayManifest;
  readonly manifestDigest: string;
  readonly codeVersion: string;
  /** Counts the estimates; rows of the selection carry it. */
  readonly freeze: number;
  readonly plannedBy: string;
  readonly requestedBy: string | null;
  readonly frozen: FrozenSelection | null;
  readonly estimate: ReplayEstimate | null;
  readonly approvals: { readonly required: number; readonly given: readonly ReplayApproval[] };
  /** One person approved it alone: shown wherever the replay is. */
  readonly breakGlass: boolean;
  readonly run: ReplayProgress;
  readonly paused: {
    readonly kind: 'person' | 'guard';
    readonly by: string;
    readonly reason: string | null;
  } | null;
  readonly outcome: Readonly<Record<string, unknown>> | null;
  readonly plannedAt: string;
  readonly changedAt: string;
  readonly beganAt: string | null;
  readonly endedAt: string | null;
}

export interface ReplayProgress {
  /** The highest selected position that was handed to the consumer; 0 before the first. */
  readonly cursor: number;
  /** Events handed to it. */
  readonly released: number;
  /** Events a second that the ceiling allows now; null while it does not run. */
  readonly rateNow: number | null;
  /** Why it goes slower than its ceiling; null when it does not. */
  readonly yielding: string | null;
}

/** @throws FactlineError REPLAY_UNKNOWN */
export const readReplay = async (on: Queryable, id: number): Promise<Replay> => {
  const [row] = await run(on, sql.read_replay, [id]);
  if (row === undefined) throw new FactlineError('REPLAY_UNKNOWN', { replay: id });
  return replayOf(row);
};

/** Whether a living process works the consumer: without one nothing carries a replay on. */
export const isWorked = async (on: Queryable, { consumerId }: Replay): Promise<boolean> =>
  (await run(on, sql.is_worked, [consumerId]))[0]?.['worked'] === true;

const text = (row: Row, column: string): string | null => (row[column] as string | null) ?? null;
const number = (row: Row, column: string): number | null => (row[column] as number | null) ?? null;

const replayOf = (row: Row): Replay => ({
  id: Number(row['id']),
  app: String(row['app']),
  consumer: String(row['consumer']),
  consumerId: Number(row['consumer_id']),
  class: row['class'] as Replay['class'],
  mode: row['mode'] as ReplayMode,
  ...modeTerms[row['mode'] as ReplayMode],
  state: row['state'] as ReplayState,
  revision: Number(row['revision']),
  manifest: row['manifest'] as ReplayManifest,
  manifestDigest: String(row['manifest_digest']),
  codeVersion: String(row['code_version']),
  freeze: Number(row['freeze_number']),
  plannedBy: String(row['planned_by']),
  requestedBy: text(row, 'requested_by'),
  frozen: row['digest'] === null ? null : frozenOf(row),
  estimate: row['estimate'] as ReplayEstimate | null,
  approvals: {
    required: Number(row['approvals_required']),
    given: row['approvals'] as ReplayApproval[],
  },
  breakGlass: row['break_glass'] === true,
  run: {
    cursor: Number(row['cursor']),
    released: Number(row['released']),
    rateNow: number(row, 'rate_now'),
    yielding: text(row, 'yielding'),
  },
  paused:
    row['paused_kind'] === null
      ? null
      : {
          kind: row['paused_kind'] as 'person' | 'guard',
          by: String(row['paused_by']),
          reason: text(row, 'paused_reason'),
        },
  outcome: row['outcome'] as Replay['outcome'],
  plannedAt: String(row['planned_at']),
  changedAt: String(row['changed_at']),
  beganAt: text(row, 'began_at'),
  endedAt: text(row, 'ended_at'),
});

const frozenOf = (row: Row): FrozenSelection => ({
  ceiling: Number(row['ceiling']),
  selected: Number(row['selected']),
  selectedWithin: withinOf(row),
  excluded: Number(row['excluded']),
  digest: String(row['digest']),
  logEpoch: String(row['log_epoch']),
  at: String(row['frozen_at']),
  expiresAt: String(row['expires_at']),
  expired: row['expired'] === true,
});

const withinOf = (row: Row): Within | null =>
  row['selected_low'] === null
    ? null
    : { low: Number(row['selected_low']), high: Number(row['selected_high']) };

/** One line of `replay list`. */
export interface ReplaySummary {
  readonly id: number;
  readonly title: string;
  readonly consumer: string;
  readonly class: Replay['class'];
  readonly mode: ReplayMode;
  readonly effects: 'skip' | 'reuse' | 'execute';
  readonly state: ReplayState;
  readonly revision: number;
  readonly selected: number | null;
  /** As of `FrozenSelection`. */
  readonly selectedWithin: Within | null;
  readonly released: number;
  readonly approvals: { readonly required: number; readonly given: number };
  readonly breakGlass: boolean;
  readonly plannedBy: string;
  readonly requestedBy: string | null;
  readonly plannedAt: string;
  readonly endedAt: string | null;
}

export interface ReplayFilter {
  readonly consumer?: string;
  /** Also those that have ended. */
  readonly all: boolean;
  readonly before?: number;
  readonly limit: number;
}

/** The latest first. */
export const listReplays = async (on: Queryable, filter: ReplayFilter): Promise<ReplaySummary[]> => {
  const { consumer = null, all, before = Number.MAX_SAFE_INTEGER, limit } = filter;
  const rows = await run(on, sql.list_replays, [consumer, !all, before, limit]);
  return rows.map((row) => ({
    id: Number(row['id']),
    title: String(row['title']),
    consumer: String(row['consumer']),
    class: row['class'] as Replay['class'],
    mode: row['mode'] as ReplayMode,
    effects: row['effects'] as ReplaySummary['effects'],
    state: row['state'] as ReplayState,
    revision: Number(row['revision']),
    selected: number(row, 'selected'),
    selectedWithin: withinOf(row),
    released: Number(row['released']),
    approvals: { required: Number(row['approvals_required']), given: Number(row['approvals']) },
    breakGlass: row['break_glass'] === true,
    plannedBy: String(row['planned_by']),
    requestedBy: text(row, 'requested_by'),
    plannedAt: String(row['planned_at']),
    endedAt: text(row, 'ended_at'),
  }));
};
