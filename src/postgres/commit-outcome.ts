import type pg from 'pg';
import { type Clock, FactlineError } from '../foundation/index.ts';
import { sqlState } from './connection-errors.ts';
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
  /** Whether the work is there; null: it leaves nothing that could be looked for. */
  readonly findWork?: ((on: Queryable) => Promise<boolean | null>) | undefined;
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
      if (outcome === 'unknown') {
        reason = 'it left nothing that could be looked for';
        break;
      }
    } catch (error) {
      if (FactlineError.is(error, 'COMMIT_ABORTED')) throw error;
      reason = error instanceof Error ? error.message : String(error);
    }
    await lost.clock.sleep(waitMs);
  }
  throw new FactlineError('COMMIT_OUTCOME_UNKNOWN', { reason }, { cause: lost.cause });
};

type Outcome = 'committed' | 'aborted' | 'pending' | 'unknown';

/*
 * A server that crashes forgets the ids that had not reached its disk, and gives them to others: `committed` may be said of another's
 * transaction. The server holds the answer to the last statement, and the id in it, back until it has committed; an id without the answer
 * to COMMIT is what a process sends on its way out when the server crashes, or part of a row larger than the buffer of 8 kB. So it counts
 * only with the work that was done under it.
 */
const outcomeById = async (lost: LostCommit, transactionId: string): Promise<Outcome> => {
  const status = await statusOf(lost.pool, transactionId);
  if (status === 'committed') return outcomeOfWork(lost);
  if (status === 'aborted') return status;
  return status === 'in progress' ? 'pending' : 'unknown';
};

const outcomeOfWork = async (lost: LostCommit): Promise<Outcome> => {
  const isThere = (await lost.findWork?.(lost.pool)) ?? null;
  if (isThere === null) return 'unknown';
  return isThere ? 'committed' : 'aborted';
};

/** SQLSTATE for an id that the server has not given yet. */
const notGivenYet = '22023';

const statusOf = async (pool: pg.Pool, transactionId: string): Promise<unknown> => {
  try {
    return (await run(pool, sql.status, [transactionId]))[0]?.['status'];
  } catch (error) {
    if (sqlState(error) === notGivenYet) return 'aborted';
    throw error;
  }
};

/** Without an id the old backend is ended first: afterwards the work is there or never will be. */
const outcomeByWork = async (lost: LostCommit): Promise<Outcome> => {
  await run(lost.pool, sql.terminate, [lost.processId]);
  const [row] = await run(lost.pool, sql.alive, [lost.processId]);
  if (row?.['alive'] === true) return 'pending';
  return outcomeOfWork(lost);
};
