import { type ForeignTransaction, outsideTransaction } from '../foreign-transaction.ts';
import { withPlainNames } from './plain-names.ts';

/** What is used of postgres.js: the `sql` that `begin` or `savepoint` passes to its callback. */
export interface PostgresJsTransaction {
  unsafe(query: string, parameters: string[]): PromiseLike<unknown>;
  /** Only the `sql` of a transaction has it. */
  readonly savepoint: unknown;
}

/**
 * A transaction of postgres.js. Pass the `sql` of the callback, not the one that was made by `postgres()`.
 * @example
 * await sql.begin(async (sql) => {
 *   await sql`insert into orders (id) values (${id})`
 *   await app.publish(OrderPlaced({ orderId: id }), { tx: fromPostgresJs(sql) })   // publish last
 * })
 */
export const fromPostgresJs = (sql: PostgresJsTransaction): ForeignTransaction => {
  if (!('savepoint' in sql))
    throw outsideTransaction('fromPostgresJs', 'the `sql` that sql.begin passes to its callback');
  return { query: async (text, parameter) => withPlainNames(await sql.unsafe(text, [parameter])) };
};
