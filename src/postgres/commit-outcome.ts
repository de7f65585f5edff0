import type pg from 'pg';
import { type Clock, FactlineError } from '../foundation/index.ts';
import { loadQueries, type Queryable, run } from './queries.ts';

const sql = loadQueries<'status' | 'terminate' | 'alive'>(new URL('./commit-outcome.sql', import.meta.url));

/** How long the outcome is asked for before it is called unknown: longer than a restart or a failover usually takes. */
const askForMs = 60_000;
const askEveryMsMin = 50;
const askEveryMsMax = 1_000;

export interface LostCommit {
  readonly pool: pg.Pool;
  readonly clock: Clock;
  /** pg_current_xact_id() of the lost transaction; null when even that answer did not arrive. */
  readonly transactionId: string | null;
  /** The lost connection's backend. */
  readonly processId: number;
  /** Finds the work itself when no transaction id is known: true when it is there. */
  readonly findWork?: ((on: Queryable) => Promise<boolean>) | undefined;
  readonly cause: unknown;
}

/**
 * Finds out what became of a COMMIT whose answer was lost. The work is never run again.
 * @throws FactlineError COMMIT_ABORTED, or COMMIT_OUTCOME_UNKNOWN when the server does not come back within a minute.
 */
export const resolveLostCommit = async (lost: LostCommit): Promise<'committed'> => {
  const start = lost.clock.monotonic();
  let reason = 'the server did not answer in time';
  for (
    let waitMs = askEveryMsMin;
    lost.clock.monotonic() - start < askForMs;
    waitMs = Math.min(waitMs * 2, askEveryMsMax)
  ) {
    try {
      const outcome =
        lost.transactionId === null ? await outcomeByWork(lost) : await outcomeById(lost, lost.transactionId);
      if (outcome === 'committed') return outcome;
      if (outcome === 'aborted') throw new FactlineError('COMMIT_ABORTED', {}, { cause: lost.cause });
      if (outcome === 'unknown') break;
    } catch (error) {
      // Nothing that could be looked for does not turn up later either.
      if (FactlineError.is(error, 'COMMIT_ABORTED') || FactlineError.is(error, 'COMMIT_OUTCOME_UNKNOWN'))
        throw error;
      reason = error instanceof Error ? error.message : String(error);
    }
    await lost.clock.sleep(waitMs);
  }
  throw new FactlineError('COMMIT_OUTCOME_UNKNOWN', { reason }, { cause: lost.cause });
};

type Outcome = 'committed' | 'aborted' | 'pending' | 'unknown';

const outcomeById = async (lost: LostCommit, transactionId: string): Promise<Outcome> => {
  const [row] = await run(lost.pool, sql.status, [transactionId]);
  if (row?.['status'] === 'committed' || row?.['status'] === 'aborted') return row['status'];
  return row?.['status'] === 'in progress' ? 'pending' : 'unknown';
};

/** Without an id the old backend is ended first: afterwards the work is there or never will be. */
const outcomeByWork = async (lost: LostCommit): Promise<Outcome> => {
  await run(lost.pool, sql.terminate, [lost.processId]);
  const [row] = await run(lost.pool, sql.alive, [lost.processId]);
  if (row?.['alive'] === true) return 'pending';
  if (lost.findWork === undefined) return 'unknown';
  return (await lost.findWork(lost.pool)) ? 'committed' : 'aborted';
};
