import { fromPg } from 'factline';
import pg from 'pg';
import { type Library, type Scope, testAdapter } from './conformance.ts';

let savepoints = 0;

const scopeOf = (client: pg.ClientBase): Scope => ({
  tx: fromPg(client),
  insertOrder: (id, total) => client.query('insert into orders values ($1, $2)', [id, total]),
  nested: async (work) => {
    savepoints += 1;
    const name = `inner_${savepoints}`;
    await client.query(`savepoint ${name}`);
    try {
      await work(scopeOf(client));
      await client.query(`release ${name}`);
    } catch (error) {
      await client.query(`rollback to ${name}`);
      throw error;
    }
  },
});

const inTransaction = async (client: pg.ClientBase, work: (scope: Scope) => Promise<void>): Promise<void> => {
  await client.query('begin');
  try {
    await work(scopeOf(client));
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
};

testAdapter('pg', (url): Library => {
  const pool = new pg.Pool({ connectionString: url });
  return {
    transaction: async (work) => {
      const client = await pool.connect();
      try {
        await inTransaction(client, work);
      } finally {
        client.release();
      }
    },
    close: () => pool.end(),
  };
});
