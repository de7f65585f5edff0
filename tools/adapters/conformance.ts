import { createFactline, defineEvent, type Factline, FactlineError, type ForeignTransaction } from 'factline';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';

/* What every adapter must do, with the real library on a real server. Each library's test file calls `testAdapter`. */

const Placed = defineEvent({
  type: 'shop.order.placed.v1',
  key: 'orderId',
  schema: z.looseObject({ orderId: z.number() }),
});

/** A transaction (or a savepoint) of the library, while it is open. */
export interface Scope {
  readonly tx: ForeignTransaction;
  /** Writes a business row the way the library's users do. */
  insertOrder(id: number, total: number): Promise<unknown>;
  /** The library's own nesting; a rejection rolls back what was done inside and comes out again. */
  nested(work: (scope: Scope) => Promise<void>): Promise<void>;
}

export interface Library {
  /** Runs `work` in one transaction of the library: committed when it resolves, rolled back when it rejects. */
  transaction(work: (scope: Scope) => Promise<void>): Promise<void>;
  close(): Promise<unknown>;
}

const hostile = {
  quotes: `'"\\ ' or 1=1; --`,
  // biome-ignore lint/suspicious/noTemplateCurlyInString: what some drivers replace, on purpose
  placeholders: '$1 $2 ? ?? :name @name ${x} {{x}} %s',
  text: '\n\t\u2028 ☃ 🦄 \u0001',
  jsonInText: '{"a":"\\"b\\""}',
  nested: [{ a: [1, 2.5, -0.001, 1e21, 9_007_199_254_740_991] }, null, true, '', {}],
};

class Failure extends Error {}

interface Written {
  readonly orders: number[];
  readonly events: number[];
}

/** Runs the suite against one way of using a library. */
export const testAdapter = (name: string, open: (url: string) => Promise<Library> | Library): void => {
  describe(name, () => {
    let database: TestDatabase;
    let library: Library;
    let app: Factline;
    let observer: pg.Client;

    beforeAll(async () => {
      database = await createTestDatabase({ migrated: true });
      observer = new pg.Client({ connectionString: database.url });
      await observer.connect();
      await observer.query('create table orders (id int primary key, total int not null check (total >= 0))');
      app = createFactline({ name: 'shop', database: database.url, consumers: [], contracts: [Placed] });
      library = await open(database.url);
    });
    afterAll(async () => {
      await library.close();
      await app.stop();
      await observer.end();
      await database.drop();
    });
    beforeEach(async () => {
      await observer.query('truncate orders, factline.events, factline.event_ids');
    });

    const place = (scope: Scope, id: number) => app.publish(Placed({ orderId: id }), { tx: scope.tx });
    const written = async (): Promise<Written> => {
      const orders = await observer.query<{ id: number }>('select id from orders order by id');
      const events = await observer.query<{ key: string }>(
        'select key from factline.events order by position',
      );
      return {
        orders: orders.rows.map((row) => row.id),
        events: events.rows.map((row) => Number(row.key.replace('orderId=', ''))),
      };
    };
    const failing = (work: (scope: Scope) => Promise<void>) =>
      library.transaction(async (scope) => {
        await work(scope);
        throw new Failure('on purpose');
      });

    test('the event is there when the transaction commits, and not before', async () => {
      await library.transaction(async (scope) => {
        await scope.insertOrder(1, 5);
        await place(scope, 1);
        expect(await written()).toEqual({ orders: [], events: [] });
      });
      expect(await written()).toEqual({ orders: [1], events: [1] });
    });

    test('the event is gone when the transaction rolls back', async () => {
      const failed = failing(async (scope) => {
        await scope.insertOrder(1, 5);
        await place(scope, 1);
      });
      await expect(failed).rejects.toThrow('on purpose');
      expect(await written()).toEqual({ orders: [], events: [] });
    });

    test('the event is gone when the database refuses a later statement', async () => {
      const failed = library.transaction(async (scope) => {
        await place(scope, 1);
        await scope.insertOrder(1, -1);
      });
      await expect(failed).rejects.toThrow();
      expect(await written()).toEqual({ orders: [], events: [] });
    });

    test('a rolled back savepoint takes its events with it, and only those', async () => {
      await library.transaction(async (scope) => {
        await scope.insertOrder(1, 5);
        await place(scope, 1);
        const inner = scope.nested(async (nested) => {
          await nested.insertOrder(2, 5);
          await place(nested, 2);
          throw new Failure('on purpose');
        });
        await expect(inner).rejects.toThrow('on purpose');
        await scope.insertOrder(3, 5);
        await place(scope, 3);
      });
      expect(await written()).toEqual({ orders: [1, 3], events: [1, 3] });
    });

    test('nested transactions commit with the outer one, in the order of publishing', async () => {
      await library.transaction(async (scope) => {
        await place(scope, 1);
        await scope.nested(async (nested) => {
          await nested.insertOrder(2, 5);
          await place(nested, 2);
          await nested.nested((deepest) => place(deepest, 3).then(() => undefined));
        });
        await place(scope, 4);
      });
      expect(await written()).toEqual({ orders: [2], events: [1, 2, 3, 4] });
    });

    test('the outer rollback takes nested transactions along', async () => {
      const failed = failing((scope) =>
        scope.nested(async (nested) => {
          await nested.insertOrder(2, 5);
          await place(nested, 2);
        }),
      );
      await expect(failed).rejects.toThrow('on purpose');
      expect(await written()).toEqual({ orders: [], events: [] });
    });

    test('a payload arrives as it was, whatever the driver does to its parameters', async () => {
      const large = 'ä'.repeat(500_000);
      const draft = Placed({ orderId: 1, ...hostile, large });
      await library.transaction(async (scope) => {
        await app.publish(draft, { tx: scope.tx });
      });
      const { rows } = await observer.query(
        'select jsonb_typeof(data) as kind, data, key from factline.events',
      );
      expect(rows).toEqual([{ kind: 'object', data: { orderId: 1, ...hostile, large }, key: 'orderId=1' }]);
    });

    test('several hundred events go in one statement and keep their order', async () => {
      const ids = Array.from({ length: 500 }, (_, index) => index + 1);
      await library.transaction(async (scope) => {
        await app.publish(
          ids.map((orderId) => Placed({ orderId })),
          { tx: scope.tx },
        );
      });
      expect((await written()).events).toEqual(ids);
    });

    test('a repeated dedupeKey writes nothing and answers the first event, a contradiction throws', async () => {
      const publish = async (orderId: number, dedupeKey: string): Promise<string> => {
        let token = '';
        await library.transaction(async (scope) => {
          ({ token } = await app.publish(Placed({ orderId }, { dedupeKey }), { tx: scope.tx }));
        });
        return token;
      };
      const first = await publish(1, 'invoice-1');
      expect(await publish(1, 'invoice-1')).toBe(first);
      expect(await publish(2, 'invoice-2')).not.toBe(first);
      await expect(publish(3, 'invoice-1')).rejects.toSatisfy((error) =>
        FactlineError.is(error, 'DEDUPE_KEY_CONFLICT'),
      );
      expect((await written()).events).toEqual([1, 2]);
    });

    test('transactions side by side keep their events apart', async () => {
      const bothOpen = Promise.withResolvers<void>();
      let open = 0;
      const one = async (id: number, fails: boolean): Promise<void> => {
        const run = library.transaction(async (scope) => {
          await place(scope, id);
          open += 1;
          if (open === 2) bothOpen.resolve();
          await bothOpen.promise;
          if (fails) throw new Failure('on purpose');
        });
        if (fails) await expect(run).rejects.toThrow('on purpose');
        else await run;
      };
      await Promise.all([one(1, false), one(2, true)]);
      expect((await written()).events).toEqual([1]);
    });
  });
};
