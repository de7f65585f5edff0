import { loadQueries } from '../postgres/index.ts';
import { lowestHolder, type Settling } from './settling.ts';
import type { TailSession } from './tail-session.ts';

const sql = loadQueries<'describe_holder'>(new URL('./tail.sql', import.meta.url));

/** Whom the tail waits for. What the server hides from this role is null (pg_read_all_stats shows it). */
export interface TailBlocked {
  /** The position that is neither visible nor dead. */
  readonly position: number;
  /** How long it has been waited for. */
  readonly ageMs: number;
  /** Committed events wait behind it; false when it is the newest position, so that nothing waits. */
  readonly visibleBehind: boolean;
  readonly virtualTransaction: string | null;
  /** Null for a prepared transaction. */
  readonly pid: number | null;
  readonly applicationName: string | null;
  /** As in pg_stat_activity: 'active', 'idle in transaction' … */
  readonly state: string | null;
  readonly query: string | null;
  readonly transactionStartedAt: string | null;
  /** The prepared transactions of this database, when the holder is one of them: COMMIT PREPARED or ROLLBACK PREPARED. */
  readonly preparedTransactions: string | null;
  /** False: the session only used the sequence, so it will not publish; it is waited for all the same. */
  readonly holdsTable: boolean | null;
}

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);

/** Looks up the holder with the lowest floor. */
export const describeBlocker = async (
  session: TailSession,
  state: Settling,
  facts: Pick<TailBlocked, 'position' | 'ageMs' | 'visibleBehind'>,
): Promise<TailBlocked> => {
  const holder = lowestHolder(state);
  const [row] = holder === null ? [] : await session.run(sql.describe_holder, [holder.virtualTransaction]);
  return {
    ...facts,
    virtualTransaction: holder?.virtualTransaction ?? null,
    pid: typeof row?.['pid'] === 'number' ? row['pid'] : null,
    applicationName: text(row?.['application_name']),
    state: text(row?.['state']),
    query: text(row?.['query']),
    transactionStartedAt: text(row?.['xact_start']),
    preparedTransactions: text(row?.['prepared']),
    holdsTable: typeof row?.['holds_table'] === 'boolean' ? row['holds_table'] : null,
  };
};
