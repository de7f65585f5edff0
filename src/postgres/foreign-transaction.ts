import { FactlineError } from '../foundation/index.ts';

/**
 * The user's own transaction in another library, as Factline needs it: one statement with ONE text parameter (`$1`), run
 * inside that transaction on its connection, answering its rows. Any library fits in a few lines:
 * @example
 * const fromMyLibrary = (tx: MyTransaction): ForeignTransaction => ({
 *   query: async (sql, parameter) => (await tx.execute(sql, [parameter])).rows,
 * })
 */
export interface ForeignTransaction {
  query(sql: string, parameter: string): Promise<ReadonlyArray<Readonly<Record<string, unknown>>>>;
}

interface PgClientLike {
  query(text: string, values: unknown[]): Promise<{ rows: ReadonlyArray<Readonly<Record<string, unknown>>> }>;
  /** A pool has it: each statement could go to another connection, outside the transaction. */
  readonly totalCount?: never;
}

/**
 * What the adapters throw when they get the database instead of a transaction on it: the event would be committed at once.
 * The types refuse that as well; this is for what they cannot see.
 */
export const outsideTransaction = (adapter: string, expected: string): FactlineError =>
  new FactlineError('TRANSACTION_NOT_OPEN', { adapter, expected });

/**
 * A pg client on which you have sent BEGIN yourself.
 * @example
 * await client.query('BEGIN')
 * await app.publish(OrderPlaced({ … }), { tx: fromPg(client) })   // publish last: see the docs on order
 * await client.query('COMMIT')
 */
export const fromPg = (client: PgClientLike): ForeignTransaction => {
  if ('totalCount' in client) throw outsideTransaction('fromPg', 'a client on which you have sent BEGIN');
  return { query: async (sql, parameter) => (await client.query(sql, [parameter])).rows };
};
