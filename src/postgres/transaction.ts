import type pg from 'pg';
import { type Clock, FactlineError, systemClock } from '../foundation/index.ts';
import { resolveLostCommit } from './commit-outcome.ts';
import { isConnectionLost, sqlState } from './connection-errors.ts';
import { FinishQuery, type LastRow, type LastStatement } from './finish-query.ts';
import { type GuardedClient, guardClient } from './guarded-client.ts';
import { LazyBegin } from './lazy-begin.ts';
import { loadQueries, type Queryable } from './queries.ts';

const sql = loadQueries<'nothing_last'>(new URL('./transaction.sql', import.meta.url));

export interface TransactionOptions<T> {
  /** The last statement, made when the work is done; sent in one round trip with COMMIT. Its first column is the transaction's id. */
  readonly last?: (value: T) => LastStatement | null;
  /** Once aborted, the transaction can no longer commit: it rolls back, also when its work ends well later. */
  readonly signal?: AbortSignal;
  /** When COMMIT's answer was lost: looks whether the work is there; null: it leaves nothing that could be looked for. */
  readonly findWork?: (on: Queryable) => Promise<boolean | null>;
  readonly clock?: Clock;
}

export interface TransactionResult<T> {
  readonly value: T;
  /** The columns of the last statement's row, as text; null without a last statement. */
  readonly last: LastRow | null;
}

/**
 * Runs the work in one transaction on a connection of the pool. The client it gets refuses to end or nest it. The work runs
 * once, never again: deadlocks and serialisation failures are thrown.
 * @throws FactlineError TRANSACTION_ROLLED_BACK when the server answers COMMIT with ROLLBACK (an error was swallowed),
 *   LEASE_LOST and ALREADY_HANDLED from the engine's own last statements, COMMIT_ABORTED, COMMIT_OUTCOME_UNKNOWN.
 */
export const transaction = async <T>(
  pool: pg.Pool,
  work: (client: GuardedClient) => Promise<T>,
  options: TransactionOptions<T> = {},
): Promise<TransactionResult<T>> =>
  inTransaction(pool, options, async (client, begin) => {
    const guard = guardClient(client, begin);
    try {
      return await work(guard.client);
    } finally {
      guard.close();
    }
  });

/** As `transaction`, with the bare client: for the engine's own statements. */
export const engineTransaction = <T>(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<T>,
  options: TransactionOptions<T> = {},
): Promise<TransactionResult<T>> =>
  inTransaction(pool, options, async (client, begin) => {
    begin.markSent();
    await client.query('BEGIN');
    return work(client);
  });

const inTransaction = async <T>(
  pool: pg.Pool,
  options: TransactionOptions<T>,
  work: (client: pg.PoolClient, begin: LazyBegin) => Promise<T>,
): Promise<TransactionResult<T>> => {
  const client = await pool.connect();
  const lost = watchConnection(client);
  const begin = new LazyBegin(client);
  let broken: unknown;
  let isReleased = false;
  const release = (): void => {
    if (isReleased) return;
    isReleased = true;
    lost.stop();
    client.release(broken instanceof Error ? broken : broken !== undefined);
  };
  // Before anybody asks on another connection what became of its COMMIT: the pool may have no other one left.
  const discard = (error: unknown): void => {
    broken = error;
    release();
  };
  try {
    const value = await work(client, begin);
    options.signal?.throwIfAborted();
    const last = options.last?.(value) ?? null;
    // Nothing was sent and nothing is to be: there is no transaction to end.
    const row =
      last === null && !begin.sent ? null : await finish(pool, client, { last, options, begin, discard });
    return { value, last: last === null ? null : row };
  } catch (error) {
    if (isReleased) throw explain(error);
    broken = lost.error ?? (isConnectionLost(error) ? error : undefined);
    if (broken === undefined && begin.sent) broken = await rollBack(client);
    throw explain(error);
  } finally {
    release();
  }
};

/** An earlier statement failed and its error was swallowed. */
export const inFailedTransaction = '25P02';

interface FinishOptions<T> {
  readonly last: LastStatement | null;
  readonly options: TransactionOptions<T>;
  readonly begin: LazyBegin;
  /** Gives a broken connection up. */
  readonly discard: (error: unknown) => void;
}

const finish = async <T>(
  pool: pg.Pool,
  client: pg.PoolClient,
  { last, options, begin, discard }: FinishOptions<T>,
): Promise<LastRow | null> => {
  const query = new FinishQuery(last ?? { query: sql.nothing_last, values: [] }, { alone: !begin.sent });
  try {
    client.query(query as unknown as pg.Submittable);
    await query.finished;
  } catch (error) {
    if (sqlState(error) === inFailedTransaction)
      throw new FactlineError('TRANSACTION_ROLLED_BACK', { answer: 'ROLLBACK' }, { cause: error });
    if (sqlState(error) !== undefined && !isConnectionLost(error)) throw error;
    discard(error);
    await resolveLostCommit({
      pool,
      clock: options.clock ?? systemClock,
      transactionId: query.row?.[0] ?? null,
      processId: (client as unknown as { processID: number }).processID,
      findWork: options.findWork,
      cause: error,
    });
    return query.row;
  }
  if (query.answer !== 'COMMIT')
    throw new FactlineError('TRANSACTION_ROLLED_BACK', { answer: query.answer ?? 'nothing' });
  return query.row;
};

/** A pooled client that breaks while checked out must not crash the process: pg emits 'error' on it. */
const watchConnection = (client: pg.PoolClient): { error: unknown; stop(): void } => {
  const watch = { error: undefined as unknown, stop: () => client.off('error', note) };
  const note = (error: unknown): void => {
    watch.error = error;
  };
  client.on('error', note);
  return watch;
};

/** Undefined when the connection can be used again; otherwise why it is to be thrown away. */
const rollBack = async (client: pg.PoolClient): Promise<unknown> => {
  try {
    await client.query('ROLLBACK');
    return undefined;
  } catch (error) {
    return error;
  }
};

const ourStates: Readonly<
  Record<string, 'LEASE_LOST' | 'ALREADY_HANDLED' | 'LOG_COMPACTED' | 'LOG_EPOCH_MISMATCH'>
> = {
  FL001: 'LEASE_LOST',
  FL002: 'ALREADY_HANDLED',
  FL004: 'LOG_COMPACTED',
  FL005: 'LOG_EPOCH_MISMATCH',
};

/** Errors raised by our own SQL become errors of the catalogue; all others stay as they are. */
export const explain = (error: unknown): unknown => {
  const code = ourStates[sqlState(error) ?? ''];
  if (code === undefined) return error;
  const { message, detail } = error as { message: string; detail?: string };
  return new FactlineError(code, { reason: message, detail }, { cause: error });
};
