import { type Database, loadQueries, lockNotAvailable, run, sqlState } from '../postgres/index.ts';

const sql = loadQueries<'create_partitions' | 'partitions_ahead'>(
  new URL('./start-checks.sql', import.meta.url),
);

/** As `create_partitions_ahead` of the migration makes them. */
const leafSize = 10_000_000;
export const leavesAhead = 4;

/** The number of the partition that holds a position. */
export const leafOf = (position: number): number => Math.floor(position / leafSize);

/**
 * Creates the partitions ahead of the newest position, if some are missing. Any process may call it at any time:
 * it waits at most two seconds for locks, and never blocks readers or publishers.
 * `ahead`: empty partitions beyond the newest position; fewer than three is a warning.
 */
export const ensurePartitions = async (database: Database): Promise<{ made: number; ahead: number }> => {
  const made = await run(database.operations, sql.create_partitions).then(
    ([row]) => Number(row?.['made']),
    (error: unknown) => {
      // Somebody else holds what ATTACH needs, most likely to do the same. The next look finds it done, or tries again.
      if (sqlState(error) === lockNotAvailable) return 0;
      throw error;
    },
  );
  const [row] = await run(database.operations, sql.partitions_ahead);
  return { made, ahead: Number(row?.['ahead']) };
};
