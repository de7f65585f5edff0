import { type ForeignTransaction, outsideTransaction } from '../foreign-transaction.ts';
import { withPlainNames } from './plain-names.ts';

/** What is used of Drizzle: the `tx` that `db.transaction` passes to its callback, on node-postgres or postgres.js. */
export interface DrizzleTransaction {
  execute(query: never): PromiseLike<unknown>;
  /** Only a transaction has it. */
  rollback(): never;
}

interface CompiledSql {
  readonly sql: string;
  readonly params: readonly string[];
}

/** What Drizzle asks of an SQL value, so that no class of its own is needed (and no import: there may be two copies). */
const compiled = (query: CompiledSql): { getSQL(): { toQuery(): CompiledSql } } => ({
  getSQL: () => ({ toQuery: () => query }),
});

/**
 * A transaction of Drizzle.
 * @example
 * await db.transaction(async (tx) => {
 *   await tx.insert(orders).values({ id })
 *   await app.publish(OrderPlaced({ orderId: id }), { tx: fromDrizzle(tx) })   // publish last
 * })
 */
export const fromDrizzle = (tx: DrizzleTransaction): ForeignTransaction => {
  if (!('rollback' in tx))
    throw outsideTransaction('fromDrizzle', 'the `tx` that db.transaction passes to its callback');
  return {
    query: async (sql, parameter) => {
      const result = await tx.execute(compiled({ sql, params: [parameter] }) as never);
      // postgres.js answers the rows themselves, node-postgres an object that has them.
      return withPlainNames(Array.isArray(result) ? result : (result as { rows: unknown }).rows);
    },
  };
};
