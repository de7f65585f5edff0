import { fromPostgresJs } from 'factline/postgres-js';
import postgres from 'postgres';
import { type Library, type Scope, testAdapter } from './conformance.ts';

const scopeOf = (sql: postgres.TransactionSql): Scope => ({
  tx: fromPostgresJs(sql),
  insertOrder: (id, total) => sql`insert into orders (id, total) values (${id}, ${total})`,
  nested: async (work) => {
    await sql.savepoint((inner) => work(scopeOf(inner)));
  },
});

const open =
  (options: postgres.Options<Record<string, never>>) =>
  (url: string): Library => {
    const sql = postgres(url, { max: 4, onnotice: () => undefined, ...options });
    return {
      transaction: async (work) => {
        await sql.begin((transaction) => work(scopeOf(transaction)));
      },
      close: () => sql.end(),
    };
  };

testAdapter('postgres.js', open({}));
testAdapter('postgres.js that renames columns', open({ transform: postgres.camel }));
testAdapter('postgres.js that renames columns in capitals', open({ transform: postgres.pascal }));
testAdapter('postgres.js without prepared statements (behind a pooler)', open({ prepare: false }));
