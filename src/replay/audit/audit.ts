import { createHash } from 'node:crypto';
import { canonicalJson } from '../../foundation/index.ts';
import { loadQueries, type Queryable, type Row, run } from '../../postgres/index.ts';

const sql = loadQueries<'lock_head' | 'append' | 'list'>(new URL('./audit.sql', import.meta.url));

/** What is put on record of one act. */
export interface AuditEntry {
  readonly actor: string;
  /** The account behind the name; null where there is none. */
  readonly account: string | null;
  readonly via: 'cli' | 'api' | 'engine';
  readonly act: string;
  readonly decision: 'done' | 'denied';
  readonly target: string;
  readonly reason: string | null;
  /** JSON. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** A row of the record. `hash` covers everything else in it, `previousHash` included. */
export interface AuditRecord extends AuditEntry {
  /** 1, 2, 3, … without a gap. */
  readonly number: number;
  /** ISO 8601 with microseconds, by the database's clock. */
  readonly at: string;
  readonly previousHash: string;
  readonly hash: string;
}

/** What the first row is chained to; the migration puts it into the head. */
export const genesisHash: string = '0'.repeat(64);

/** SHA-256 in hex over the canonical JSON of everything but the hash itself. */
export const auditHash = ({ hash: _own, ...record }: AuditRecord): string =>
  createHash('sha256').update(canonicalJson(record)).digest('hex');

/** PostgreSQL can hold neither U+0000 nor lone surrogates; what is hashed must be what is stored. */
const storable = (text: string): string => text.toWellFormed().replaceAll('\u0000', '\ufffd');

const storableJson = (details: unknown): Record<string, unknown> =>
  JSON.parse(
    JSON.stringify(details, (_name, value: unknown) => (typeof value === 'string' ? storable(value) : value)),
  ) as Record<string, unknown>;

/**
 * Adds one row to the chain, in the transaction of what it records. Call it last: the head stays locked until the commit.
 * Returns the row.
 */
export const appendAudit = async (client: Queryable, entry: AuditEntry): Promise<AuditRecord> => {
  const [head] = await run(client, sql.lock_head);
  const unsealed = {
    number: Number(head?.['number']) + 1,
    at: String(head?.['at']),
    actor: storable(entry.actor),
    account: entry.account === null ? null : storable(entry.account),
    via: entry.via,
    act: entry.act,
    decision: entry.decision,
    target: storable(entry.target),
    reason: entry.reason === null ? null : storable(entry.reason),
    details: storableJson(entry.details),
    previousHash: String(head?.['hash']),
    hash: '',
  };
  const record: AuditRecord = { ...unsealed, hash: auditHash(unsealed) };
  await run(client, sql.append, [
    record.number,
    record.at,
    record.actor,
    record.account,
    record.via,
    record.act,
    record.decision,
    record.target,
    record.reason,
    JSON.stringify(record.details),
    record.previousHash,
    record.hash,
  ]);
  return record;
};

export interface AuditFilter {
  /** An act (`replay.approve`), or all of one kind (`replay`). */
  readonly act?: string;
  readonly target?: string;
  readonly actor?: string;
  readonly denied?: boolean;
  /** Only rows before this number: the next page. */
  readonly before?: number;
  readonly limit: number;
}

/** The latest first. */
export const listAudit = async (on: Queryable, filter: AuditFilter): Promise<AuditRecord[]> => {
  const { act = null, target = null, actor = null, denied = false, limit } = filter;
  const before = filter.before ?? Number.MAX_SAFE_INTEGER;
  return (await run(on, sql.list, [act, target, actor, denied, before, limit])).map(auditRecord);
};

export const auditRecord = (row: Row): AuditRecord => ({
  number: Number(row['number']),
  at: String(row['at']),
  actor: String(row['actor']),
  account: row['account'] as string | null,
  via: row['via'] as AuditEntry['via'],
  act: String(row['act']),
  decision: row['decision'] as AuditEntry['decision'],
  target: String(row['target']),
  reason: row['reason'] as string | null,
  details: row['details'] as Record<string, unknown>,
  previousHash: String(row['previous_hash']),
  hash: String(row['hash']),
});
