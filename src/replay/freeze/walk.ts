import type pg from 'pg';
import { type Clock, FactlineError } from '../../foundation/index.ts';
import { engineTransaction, loadQueries, run, sqlState } from '../../postgres/index.ts';
import { compilePredicate } from '../request/predicate.ts';
import type { LogSelection } from '../request/selection.ts';

const sql = loadQueries<'limit_statement'>(new URL('./freeze.sql', import.meta.url));

/** What one statement goes over. */
export const spanPositions = 50_000;
const statementMs = 10_000;
const withinMs = 120_000;

/** Positions, both included. */
export interface PositionRange {
  readonly from: number;
  readonly to: number;
}

export const refused = (why: string, line: string): FactlineError =>
  new FactlineError('REPLAY_SELECTION_REFUSED', { why, line });

const tooLong = (): FactlineError =>
  refused(
    'looking through it takes too long',
    'Bound it closer by position (--from, --to) or by time (--since, --until).',
  );

/** One transaction whose statements the server ends after their time. */
export const bounded = async <T>(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<{ readonly value: T }> => {
  try {
    return await engineTransaction(pool, async (client) => {
      await run(client, sql.limit_statement, [String(statementMs)]);
      return work(client);
    });
  } catch (error) {
    if (sqlState(error) === '57014') throw tooLong();
    throw error;
  }
};

/** Spans of positions, as long as there is time. */
export async function* spans(
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
  range: PositionRange,
): AsyncGenerator<{ readonly after: number; readonly upTo: number }> {
  const until = clock.monotonic() + withinMs;
  for (let after = range.from - 1; after < range.to; after += spanPositions) {
    signal.throwIfAborted();
    if (clock.monotonic() > until) throw tooLong();
    yield { after, upTo: Math.min(after + spanPositions, range.to) };
  }
}

/** The parameters by which events match, the first of the statements that look for them. */
export const matching = (selection: LogSelection, types: readonly string[]): readonly unknown[] => {
  const { keys, since, until, ids, where } = selection;
  const compiled = where === null ? null : compilePredicate(where);
  return [
    selection.types ?? types,
    keys,
    since,
    until,
    ids,
    compiled?.path ?? null,
    compiled === null ? null : JSON.stringify(compiled.variables),
  ];
};
