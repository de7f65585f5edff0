import { FactlineError } from '../../foundation/index.ts';
import { loadQueries, type Queryable, run } from '../../postgres/index.ts';

const sql = loadQueries<'list_discards' | 'discarded_consumer'>(new URL('./discards.sql', import.meta.url));

/** An event that a person has given up. Times are ISO 8601. */
export interface DiscardedEvent {
  /** The number under which it was in quarantine. */
  readonly id: number;
  readonly consumer: string;
  readonly position: number;
  readonly keys: readonly string[];
  /** personal or secret, when the contract says so of a field that forms the key. */
  readonly keyLevel: string | null;
  readonly type: string | null;
  readonly errorMessage: string | null;
  /** How many events waited behind it and went on. */
  readonly followers: number;
  readonly actor: string;
  readonly reason: string;
  readonly discardedAt: string;
  readonly restoreUntil: string;
  readonly restorable: boolean;
}

/** The latest first, without those that were restored. */
export const listDiscarded = async (
  on: Queryable,
  { consumer = null, limit }: { readonly consumer?: string | null; readonly limit: number },
): Promise<DiscardedEvent[]> =>
  (await run(on, sql.list_discards, [consumer, limit])).map((row) => ({
    id: Number(row['id']),
    consumer: String(row['consumer']),
    position: Number(row['position']),
    keys: (row['keys'] as { key: string }[]).map(({ key }) => key),
    keyLevel: row['key_level'] as string | null,
    type: row['type'] as string | null,
    errorMessage: row['error_message'] as string | null,
    followers: Number(row['followers']),
    actor: String(row['actor']),
    reason: String(row['reason']),
    discardedAt: String(row['discarded_at']),
    restoreUntil: String(row['restore_until']),
    restorable: row['restorable'] === true,
  }));

/** @throws FactlineError QUARANTINE_NOT_FOUND */
export const consumerOfDiscarded = async (
  on: Queryable,
  id: number,
): Promise<{ readonly id: number; readonly name: string }> => {
  const [row] = await run(on, sql.discarded_consumer, [id]);
  if (row === undefined) throw new FactlineError('QUARANTINE_NOT_FOUND', { id });
  return { id: Number(row['id']), name: String(row['name']) };
};
