import type { ExtractTablesWithRelations } from 'drizzle-orm';
import { drizzle as drizzleOnPg } from 'drizzle-orm/node-postgres';
import {
  integer,
  type PgDatabase,
  type PgQueryResultHKT,
  type PgTransaction,
  pgTable,
} from 'drizzle-orm/pg-core';
import { drizzle as drizzleOnPostgresJs } from 'drizzle-orm/postgres-js';
import { fromDrizzle } from 'factline/drizzle';
import pg from 'pg';
import postgres from 'postgres';
import { type Library, type Scope, testAdapter } from './conformance.ts';

const orders = pgTable('orders', { id: integer().primaryKey(), total: integer().notNull() });

type NoSchema = Record<string, never>;
/** What the transactions of both drivers are. */
type DrizzleTransaction = PgTransaction<PgQueryResultHKT, NoSchema, ExtractTablesWithRelations<NoSchema>>;

const scopeOf = (tx: DrizzleTransaction): Scope => ({
  tx: fromDrizzle(tx),
  insertOrder: (id, total) => tx.insert(orders).values({ id, total }),
  nested: (work) => tx.transaction((inner) => work(scopeOf(inner))),
});

const open = (database: PgDatabase<PgQueryResultHKT>, close: () => Promise<unknown>): Library => ({
  transaction: (work) => database.transaction((tx) => work(scopeOf(tx))),
  close,
});

testAdapter('Drizzle on node-postgres', (url) => {
  const pool = new pg.Pool({ connectionString: url });
  return open(drizzleOnPg({ client: pool }), () => pool.end());
});

testAdapter('Drizzle on node-postgres with snake_case names', (url) => {
  const pool = new pg.Pool({ connectionString: url });
  return open(drizzleOnPg({ client: pool, casing: 'snake_case' }), () => pool.end());
});

testAdapter('Drizzle on postgres.js', (url) => {
  const client = postgres(url, { max: 4 });
  return open(drizzleOnPostgresJs({ client }), () => client.end());
});

testAdapter('Drizzle on postgres.js that renames columns', (url) => {
  const client = postgres(url, { max: 4, transform: postgres.camel });
  return open(drizzleOnPostgresJs({ client }), () => client.end());
});
