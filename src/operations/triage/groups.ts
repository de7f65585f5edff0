import { FactlineError } from '../../foundation/index.ts';
import { loadQueries, type Queryable, type Row, run } from '../../postgres/index.ts';
import type { ConsumerClassName } from '../facts.ts';
import {
  type EscalationLevel,
  escalationLevel,
  type GroupDisposition,
  groupDisposition,
  runbookOf,
  triageWithinMs,
} from './service-level.ts';

const sql = loadQueries<'list_groups' | 'list_notes'>(new URL('./groups.sql', import.meta.url));

/** Failures that look alike at events of one contract, of one consumer. Times are ISO 8601, by the database's clock. */
export interface QuarantineGroup {
  /** What people type: `quarantine release --group 3`. */
  readonly id: number;
  readonly consumer: string;
  readonly consumerId: number;
  readonly class: ConsumerClassName;
  readonly app: string;
  /** With the version of its contract. */
  readonly eventType: string;
  /** Equal for failures that look alike, whatever contract and consumer. */
  readonly fingerprint: string;
  readonly errorCode: string;
  /** Of the first such failure. */
  readonly errorMessage: string;
  /** The innermost call in the app's code. */
  readonly place: string | null;
  readonly disposition: GroupDisposition;
  /** In quarantine now. */
  readonly events: number;
  readonly keys: number;
  /** What waits behind its keys. */
  readonly followers: number;
  /** True: there is so much parked that events, keys and followers are lower bounds. */
  readonly partly: boolean;
  /** How often an event was quarantined with it, ever. */
  readonly failures: number;
  readonly firstSeenAt: string;
  readonly lastSeenAt: string;
  /** The code version that had it first. */
  readonly introducedBy: string | null;
  readonly lastCodeVersion: string | null;
  /** When the oldest of its events was parked; null: none is in quarantine. */
  readonly oldestAt: string | null;
  readonly oldestMs: number;
  /** The team that owns the contract; null: no contract is known. */
  readonly owner: string | null;
  readonly triageWithinMs: number;
  readonly escalation: EscalationLevel;
  readonly assignedTo: string | null;
  readonly assignedAt: string | null;
  readonly snoozedUntil: string | null;
  readonly notes: number;
  readonly runbook: string;
  /** The release that is under way. */
  readonly release: number | null;
}

/** What the detector saw of a group the last time. */
export interface WatchedGroup extends QuarantineGroup {
  readonly watched: {
    readonly at: string | null;
    readonly ms: number | null;
    readonly keys: number;
    readonly escalation: number;
    readonly growing: boolean;
  };
}

export interface GroupNote {
  readonly id: number;
  readonly author: string;
  readonly text: string;
  readonly notedAt: string;
}

export interface GroupFilter {
  readonly consumer?: string;
  /** Also those of which nothing is in quarantine any more. */
  readonly all?: boolean;
  readonly limit?: number;
}

/** Parked rows that one listing looks at. */
const rowsMax = 500_000;
const groupsMax = 1_000;

/** The groups with the most keys first. */
export const listGroups = async (on: Queryable, filter: GroupFilter = {}): Promise<QuarantineGroup[]> =>
  (await watchedGroups(on, filter)).map(({ watched: _watched, ...group }) => group);

export const watchedGroups = async (on: Queryable, filter: GroupFilter = {}): Promise<WatchedGroup[]> => {
  const { consumer = null, all = false, limit = groupsMax } = filter;
  return (await run(on, sql.list_groups, [consumer, null, all, limit, rowsMax])).map(groupOf);
};

/** @throws FactlineError QUARANTINE_GROUP_NOT_FOUND */
export const findGroup = async (on: Queryable, id: number): Promise<QuarantineGroup> => {
  const [row] = await run(on, sql.list_groups, [null, id, true, 1, rowsMax]);
  if (row === undefined) throw new FactlineError('QUARANTINE_GROUP_NOT_FOUND', { id });
  const { watched: _watched, ...group } = groupOf(row);
  return group;
};

/** The latest first, at most 100. */
export const listNotes = async (on: Queryable, group: number): Promise<GroupNote[]> =>
  (await run(on, sql.list_notes, [group])).map((row) => ({
    id: Number(row['id']),
    author: String(row['author']),
    text: String(row['text']),
    notedAt: String(row['noted_at']),
  }));

const text = (row: Row, column: string): string | null => (row[column] as string | null | undefined) ?? null;

const groupOf = (row: Row): WatchedGroup => {
  const keys = Number(row['keys']);
  const oldestMs = Number(row['oldest_ms'] ?? 0);
  const disposition = groupDisposition({
    disposition: row['disposition'] as Exclude<GroupDisposition, 'systemic'>,
    keys,
    keysOfConsumer: Number(row['keys_of_consumer']),
    trippedBreaker: row['tripped_breaker'] === true,
  });
  const assigned = row['assigned_to'] !== null;
  return {
    id: Number(row['id']),
    consumer: String(row['consumer']),
    consumerId: Number(row['consumer_id']),
    class: row['class'] as ConsumerClassName,
    app: String(row['app']),
    eventType: String(row['event_type']),
    fingerprint: String(row['fingerprint']),
    errorCode: String(row['error_code']),
    errorMessage: String(row['error_message']),
    place: text(row, 'place'),
    disposition,
    events: Number(row['events']),
    keys,
    followers: Number(row['followers']),
    partly: row['partly'] === true,
    failures: Number(row['failures']),
    firstSeenAt: String(row['first_seen_at']),
    lastSeenAt: String(row['last_seen_at']),
    introducedBy: text(row, 'first_code_version'),
    lastCodeVersion: text(row, 'last_code_version'),
    oldestAt: text(row, 'oldest_at'),
    oldestMs,
    owner: text(row, 'owner'),
    triageWithinMs: triageWithinMs[disposition],
    escalation: escalationLevel({ disposition, oldestMs, assigned, snoozed: row['snoozed'] === true }),
    assignedTo: text(row, 'assigned_to'),
    assignedAt: text(row, 'assigned_at'),
    snoozedUntil: row['snoozed'] === true ? text(row, 'snoozed_until') : null,
    notes: Number(row['notes']),
    runbook: runbookOf(disposition),
    release: row['release'] === null ? null : Number(row['release']),
    watched: {
      at: text(row, 'watched_at'),
      ms: row['watched_ms'] === null ? null : Number(row['watched_ms']),
      keys: Number(row['watched_keys']),
      escalation: Number(row['escalation']),
      growing: row['growing'] === true,
    },
  };
};
