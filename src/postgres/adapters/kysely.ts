import { type ForeignTransaction, outsideTransaction } from '../foreign-transaction.ts';

/** What is used of Kysely: the `trx` of `db.transaction().execute(…)`, or a controlled transaction. */
export interface KyselyTransaction {
  readonly isTransaction: true;
  withoutPlugins(): { executeQuery(query: never): PromiseLike<{ readonly rows: readonly unknown[] }> };
}

let queries = 0;

/** Kysely's CompiledQuery, made here so that Kysely need not be imported. */
const compiledQuery = (sql: string, parameter: string) => {
  queries += 1;
  return {
    sql,
    parameters: [parameter],
    query: { kind: 'RawNode', sqlFragments: [sql], parameters: [] },
    queryId: { queryId: `factline-${queries}` },
  };
};

/**
 * A transaction of Kysely.
 * @example
 * await db.transaction().execute(async (trx) => {
 *   await trx.insertInto('orders').values({ id }).execute()
 *   await app.publish(OrderPlaced({ orderId: id }), { tx: fromKysely(trx) })   // publish last
 * })
 */
export const fromKysely = (trx: KyselyTransaction): ForeignTransaction => {
  if (!trx.isTransaction)
    throw outsideTransaction('fromKysely', 'the `trx` that db.transaction().execute passes to its callback');
  return {
    query: async (sql, parameter) => {
      // Plugins would rewrite the answer: CamelCasePlugin renames its columns.
      const { rows } = await trx.withoutPlugins().executeQuery(compiledQuery(sql, parameter) as never);
      return rows as ReadonlyArray<Readonly<Record<string, unknown>>>;
    },
  };
};
