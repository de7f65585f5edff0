import type pg from 'pg';
import { FactlineError } from '../foundation/index.ts';
import { sqlState } from './connection-errors.ts';
import type { GuardedClient } from './guarded-client.ts';
import { loadQueries, run } from './queries.ts';
import { inFailedTransaction, transaction } from './transaction.ts';

const sql = loadQueries<'begin_rehearsal' | 'check_constraints' | 'count_changes'>(
  new URL('./rehearsal.sql', import.meta.url),
);

/** Rows that would have been written to one table. */
export interface TableChange {
  /** `public.orders`. */
  readonly table: string;
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
}

export interface Rehearsed<T> {
  readonly value: T;
  readonly changes: readonly TableChange[];
}

/**
 * A rehearsal that waits for a live transaction's lock, while that one waits for the rehearsal's, is a deadlock, and the server may
 * choose the live one as its victim. So it hardly waits: a circle lasts no longer than this.
 */
const lockWaitMsMax = 10;

/** Thrown at the end of the work, so that no way leads to COMMIT; carries the result out. */
class NothingStays<T> {
  readonly rehearsed: Rehearsed<T>;
  constructor(rehearsed: Rehearsed<T>) {
    this.rehearsed = rehearsed;
  }
}

/**
 * As `transaction`, but it always rolls back, and answers what it would have changed. What COMMIT would refuse is refused here, too:
 * deferred constraints, an error that was swallowed. It gives up (55P03) where it would have to wait for a lock.
 * @throws FactlineError TRANSACTION_ROLLED_BACK; what `work` throws
 */
export const rehearse = async <T>(
  pool: pg.Pool,
  work: (client: GuardedClient) => Promise<T>,
): Promise<Rehearsed<T>> => {
  try {
    const { value: never } = await transaction(pool, async (client): Promise<never> => {
      const [begun] = await run(client, sql.begin_rehearsal, [String(lockWaitMsMax)]);
      const value = await work(client);
      const changes = await changesSince(client, begun?.['counts'] as readonly Counted[]);
      throw new NothingStays({ value, changes });
    });
    return never;
  } catch (error) {
    if (error instanceof NothingStays) return (error as NothingStays<T>).rehearsed;
    throw error;
  }
};

type Counted = readonly [id: number, inserted: number, updated: number, deleted: number];

const changesSince = async (
  client: GuardedClient,
  counted: readonly Counted[],
): Promise<readonly TableChange[]> => {
  try {
    await client.query(sql.check_constraints.text);
    const before = new Map(counted.map((each) => [each[0], each]));
    const rows = await run(client, sql.count_changes);
    return rows
      .map((row) => {
        const [, inserted, updated, deleted] = before.get(Number(row['id'])) ?? [0, 0, 0, 0];
        return {
          table: String(row['name']),
          inserted: Number(row['inserted']) - inserted,
          updated: Number(row['updated']) - updated,
          deleted: Number(row['deleted']) - deleted,
        };
      })
      .filter(({ inserted, updated, deleted }) => inserted + updated + deleted > 0);
  } catch (error) {
    if (sqlState(error) !== inFailedTransaction) throw error;
    throw new FactlineError('TRANSACTION_ROLLED_BACK', { answer: 'ROLLBACK' }, { cause: error });
  }
};
