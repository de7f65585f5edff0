import { fromKysely } from 'factline/kysely';
import {
  CamelCasePlugin,
  type ControlledTransaction,
  Kysely,
  type KyselyPlugin,
  PostgresDialect,
  sql,
  type Transaction,
} from 'kysely';
import pg from 'pg';
import { type Library, type Scope, testAdapter } from './conformance.ts';

interface Tables {
  orders: { id: number; total: number };
}

const open = (url: string, plugins: KyselyPlugin[]): Kysely<Tables> =>
  new Kysely<Tables>({
    dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: url }) }),
    plugins,
  });

let savepoints = 0;

/** Callback transactions have no nesting of their own in Kysely: users write savepoints. */
const callbackScope = (trx: Transaction<Tables>): Scope => ({
  tx: fromKysely(trx),
  insertOrder: (id, total) => trx.insertInto('orders').values({ id, total }).execute(),
  nested: async (work) => {
    savepoints += 1;
    const name = sql.id(`inner_${savepoints}`);
    await sql`savepoint ${name}`.execute(trx);
    try {
      await work(callbackScope(trx));
      await sql`release savepoint ${name}`.execute(trx);
    } catch (error) {
      await sql`rollback to savepoint ${name}`.execute(trx);
      throw error;
    }
  },
});

const callbacks =
  (plugins: KyselyPlugin[]) =>
  (url: string): Library => {
    const database = open(url, plugins);
    return {
      transaction: (work) => database.transaction().execute((trx) => work(callbackScope(trx))),
      close: () => database.destroy(),
    };
  };

const controlledScope = (trx: ControlledTransaction<Tables, string[]>): Scope => ({
  tx: fromKysely(trx),
  insertOrder: (id, total) => trx.insertInto('orders').values({ id, total }).execute(),
  nested: async (work) => {
    savepoints += 1;
    const name = `inner_${savepoints}`;
    const inner = await trx.savepoint(name).execute();
    try {
      await work(controlledScope(inner as ControlledTransaction<Tables, string[]>));
      await inner.releaseSavepoint(name as never).execute();
    } catch (error) {
      await inner.rollbackToSavepoint(name as never).execute();
      throw error;
    }
  },
});

testAdapter('Kysely', callbacks([]));
testAdapter('Kysely that renames columns', callbacks([new CamelCasePlugin()]));
testAdapter('Kysely with a controlled transaction', (url): Library => {
  const database = open(url, []);
  return {
    transaction: async (work) => {
      const trx = await database.startTransaction().execute();
      try {
        await work(controlledScope(trx as ControlledTransaction<Tables, string[]>));
        await trx.commit().execute();
      } catch (error) {
        await trx.rollback().execute();
        throw error;
      }
    },
    close: () => database.destroy(),
  };
});
