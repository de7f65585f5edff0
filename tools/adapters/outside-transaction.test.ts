import { PrismaPg } from '@prisma/adapter-pg';
import { drizzle } from 'drizzle-orm/node-postgres';
import { FactlineError, fromPg } from 'factline';
import { fromDrizzle } from 'factline/drizzle';
import { fromKysely } from 'factline/kysely';
import { fromPostgresJs } from 'factline/postgres-js';
import { fromPrisma } from 'factline/prisma';
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import postgres from 'postgres';
import { expect, test } from 'vitest';
import { PrismaClient } from './prisma/generated/client.ts';

/*
 * The database itself in place of a transaction on it would commit the event at once. None of these connects.
 * Each is refused by type (@ts-expect-error) and, for plain JavaScript, at the call.
 */
const pool = new pg.Pool({ connectionString: 'postgres://nobody@127.0.0.1:1/none' });

test.each([
  // @ts-expect-error a pool
  ['pg', () => fromPg(pool)],
  // @ts-expect-error a database
  ['Drizzle', () => fromDrizzle(drizzle({ client: pool }))],
  // @ts-expect-error a database
  ['Kysely', () => fromKysely(new Kysely({ dialect: new PostgresDialect({ pool }) }))],
  // @ts-expect-error a pool
  ['postgres.js', () => fromPostgresJs(postgres('postgres://nobody@127.0.0.1:1/none'))],
  // @ts-expect-error a client
  ['Prisma', () => fromPrisma(new PrismaClient({ adapter: new PrismaPg({ connectionString: 'x' }) }))],
])('%s outside a transaction is refused, with what is needed', (_library, adapt) => {
  expect(adapt).toThrowError(/outside a transaction; it needs/);
  try {
    adapt();
  } catch (error) {
    expect(FactlineError.is(error, 'TRANSACTION_NOT_OPEN')).toBe(true);
  }
});
