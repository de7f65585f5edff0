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
}

/**
 * A pg client on which you have sent BEGIN yourself.
 * @example
 * await client.query('BEGIN')
 * await app.publish(OrderPlaced({ … }), { tx: fromPg(client) })   // publish last: see the docs on order
 * await client.query('COMMIT')
 */
export const fromPg = (client: PgClientLike): ForeignTransaction => ({
  query: async (sql, parameter) => (await client.query(sql, [parameter])).rows,
});
