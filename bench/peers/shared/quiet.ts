import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { type RunContext, type RunReport, sizeOf } from '../../harness/workload.ts';

/** The workload `idle` once the consumers run: waits until they are settled, then counts. */
export const measureIdle = async (context: RunContext): Promise<RunReport> => {
  await sleep(sizeOf(context, 'settleSeconds') * 1000);
  const elapsedMs = await context.measure(() => sleep(sizeOf(context, 'seconds') * 1000));
  const observer = new pg.Client({ connectionString: context.databaseUrl });
  await observer.connect();
  const { rows } = await observer.query<{ count: number }>(
    `select count(*)::int as count from pg_stat_activity
       where datname = current_database() and backend_type in ('client backend', 'walsender') and pid <> pg_backend_pid()`,
  );
  await observer.end();
  return { done: 0, elapsedMs, lost: 0, doubled: 0, connections: Number(rows[0]?.count ?? 0) };
};

/** Asks until it is so; for the end of a drain. */
export const until = async (isSo: () => boolean | Promise<boolean>, everyMs = 5): Promise<void> => {
  while (!(await isSo())) await sleep(everyMs);
};
