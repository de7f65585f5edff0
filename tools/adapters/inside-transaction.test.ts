import { drizzle } from 'drizzle-orm/node-postgres';
import { integer, pgTable } from 'drizzle-orm/pg-core';
import { createFactline, defineEvent, type Factline, FactlineError, type Tx } from 'factline';
import { Kysely, PostgresDialect, type PostgresPool } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';

/*
 * The other way round: the library works on `tx.client` inside app.transaction (and a handler's transaction).
 * Its own transaction() there would commit the outer work, so it is refused.
 */
const Placed = defineEvent({
  type: 'shop.order.placed.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.number() }),
});
const orders = pgTable('orders', { id: integer().primaryKey(), total: integer().notNull() });

interface Tables {
  orders: { id: number; total: number };
}

/** The recipe of the docs: Kysely asks for a pool, and gets one that always hands out the transaction's client. */
const kyselyOn = (tx: Tx): Kysely<Tables> => {
  const client = { query: tx.client.query.bind(tx.client), release: () => undefined };
  const pool = {
    connect: async () => client,
    end: async () => undefined,
    options: {},
  } as unknown as PostgresPool;
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
};

interface Recipe {
  insert(tx: Tx, id: number): Promise<unknown>;
  read(tx: Tx): Promise<number[]>;
  ownTransaction(tx: Tx): Promise<unknown>;
}

const recipes: Record<string, Recipe> = {
  'the pg client': {
    insert: (tx, id) => tx.client.query('insert into orders values ($1, 5)', [id]),
    read: async (tx) =>
      (await tx.client.query<{ id: number }>('select id from orders order by id')).rows.map(({ id }) => id),
    ownTransaction: async (tx) => tx.client.query('begin'),
  },
  Drizzle: {
    insert: (tx, id) => drizzle({ client: tx.client }).insert(orders).values({ id, total: 5 }),
    read: async (tx) =>
      (await drizzle({ client: tx.client }).select().from(orders).orderBy(orders.id)).map(({ id }) => id),
    ownTransaction: (tx) =>
      drizzle({ client: tx.client }).transaction(async (inner) =>
        inner.insert(orders).values({ id: 9, total: 9 }),
      ),
  },
  Kysely: {
    insert: (tx, id) => kyselyOn(tx).insertInto('orders').values({ id, total: 5 }).execute(),
    read: async (tx) =>
      (await kyselyOn(tx).selectFrom('orders').select('id').orderBy('id').execute()).map(({ id }) => id),
    ownTransaction: (tx) =>
      kyselyOn(tx)
        .transaction()
        .execute((inner) => inner.insertInto('orders').values({ id: 9, total: 9 }).execute()),
  },
};

let database: TestDatabase;
let app: Factline;
let observer: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase({ migrated: true });
  observer = new pg.Client({ connectionString: database.url });
  await observer.connect();
  await observer.query('create table orders (id int primary key, total int not null)');
  app = createFactline({ name: 'shop', database: database.url, consumers: [], contracts: [Placed] });
});
afterAll(async () => {
  await app.stop();
  await observer.end();
  await database.drop();
});
beforeEach(async () => {
  await observer.query('truncate orders, factline.events');
});

const written = async () => {
  const rows = await observer.query<{ id: number }>('select id from orders order by id');
  const events = await observer.query<{ key: string }>('select key from factline.events order by position');
  return {
    orders: rows.rows.map(({ id }) => id),
    events: events.rows.map(({ key }) => Number(key.slice('orderId='.length))),
  };
};

describe.each(Object.entries(recipes))('%s inside app.transaction', (_name, recipe) => {
  test('commits with the events', async () => {
    const { value } = await app.transaction(async (tx) => {
      await recipe.insert(tx, 1);
      tx.publish(Placed({ orderId: 1 }));
      return recipe.read(tx);
    });
    expect(value).toEqual([1]);
    expect(await written()).toEqual({ orders: [1], events: [1] });
  });

  test('rolls back with the events', async () => {
    const failed = app.transaction(async (tx) => {
      await recipe.insert(tx, 1);
      tx.publish(Placed({ orderId: 1 }));
      throw new RangeError('on purpose');
    });
    await expect(failed).rejects.toThrow('on purpose');
    expect(await written()).toEqual({ orders: [], events: [] });
  });

  test('nests by tx.savepoint, which takes its events along', async () => {
    await app.transaction(async (tx) => {
      await recipe.insert(tx, 1);
      const inner = tx.savepoint(async (nested) => {
        await recipe.insert(nested, 2);
        nested.publish(Placed({ orderId: 2 }));
        throw new RangeError('on purpose');
      });
      await expect(inner).rejects.toThrow('on purpose');
      await tx.savepoint(async (nested) => {
        await recipe.insert(nested, 3);
        nested.publish(Placed({ orderId: 3 }));
      });
    });
    expect(await written()).toEqual({ orders: [1, 3], events: [3] });
  });

  test('may not open a transaction of its own, which would commit the outer work', async () => {
    const failed = app.transaction(async (tx) => {
      await recipe.insert(tx, 1);
      tx.publish(Placed({ orderId: 1 }));
      await recipe.ownTransaction(tx);
    });
    await expect(failed).rejects.toSatisfy((error) => {
      const refused = FactlineError.is(error) ? error : (error as Error).cause;
      return (
        FactlineError.is(refused, 'TRANSACTION_STATEMENT_REFUSED') && refused.remedy.includes('tx.savepoint')
      );
    });
    expect(await written()).toEqual({ orders: [], events: [] });
  });

  test('does not commit after an error that was swallowed', async () => {
    const failed = app.transaction(async (tx) => {
      await recipe.insert(tx, 1);
      await recipe.insert(tx, 1).catch(() => undefined);
      tx.publish(Placed({ orderId: 1 }));
    });
    await expect(failed).rejects.toSatisfy((error) => FactlineError.is(error, 'TRANSACTION_ROLLED_BACK'));
    expect(await written()).toEqual({ orders: [], events: [] });
  });
});
