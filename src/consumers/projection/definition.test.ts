import { describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import { defineEvent } from '../../contracts/index.ts';
import { FactlineError, type Issue } from '../../foundation/index.ts';
import { defineProjection, type Projection } from './definition.ts';
import { defineSqlProjection } from './sql-definition.ts';

const OrderPlaced = defineEvent({
  type: 'shop.order.placed.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), customerId: z.string(), pence: z.int() }),
});
const OrderPaid = defineEvent({
  type: 'shop.order.paid.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string() }),
});

const columns = { orderId: 'text', pence: 'int8', status: 'text', paidAt: 'timestamptz?' } as const;

const issuesOf = (declare: () => unknown): readonly Issue[] => {
  try {
    declare();
  } catch (error) {
    if (FactlineError.is(error, 'CONSUMER_INVALID')) return error.details['issues'] as readonly Issue[];
    throw error;
  }
  return [];
};

describe('defineProjection: what the compiler knows', () => {
  it('infers row and key from columns and primaryKey', () => {
    const orders = defineProjection({
      name: 'orders',
      on: [OrderPlaced, OrderPaid],
      primaryKey: 'orderId',
      columns,
      evolve: (row, event, key) => {
        expectTypeOf(key).toEqualTypeOf<{ readonly orderId: string }>();
        if (OrderPlaced.is(event)) {
          expectTypeOf(event.data.pence).toEqualTypeOf<number>();
          return { pence: event.data.pence, status: 'placed', paidAt: null };
        }
        return row && { ...row, status: 'paid', paidAt: event.time };
      },
    });
    type Row = {
      readonly orderId: string;
      readonly pence: number;
      readonly status: string;
      readonly paidAt: string | null;
    };
    expectTypeOf(orders).toEqualTypeOf<Projection<Row, { readonly orderId: string }>>();
    expect([...orders.types]).toEqual(['shop.order.placed.v1', 'shop.order.paid.v1']);
    expect(orders).toMatchObject({ class: 'projection', lanes: 1, version: 1, startAt: 'beginning' });
  });

  it('demands rows exactly when a payload lacks the primary key', () => {
    const base = {
      name: 'spend',
      columns: { customerId: 'text', pence: 'int8' },
      primaryKey: 'customerId',
    } as const;
    const evolve = (row: { pence: number } | null) => ({ pence: row?.pence ?? 0 });
    defineProjection({ ...base, on: [OrderPlaced], evolve });
    // @ts-expect-error OrderPaid has no customerId
    defineProjection({ ...base, on: [OrderPlaced, OrderPaid], evolve });
    defineProjection({ ...base, on: [OrderPaid], evolve, rows: () => ({ customerId: 'c' }) });
    // @ts-expect-error the key has another column
    defineProjection({ ...base, on: [OrderPaid], evolve, rows: () => ({ orderId: 'c' }) });
  });

  it('refuses what evolve must not return', () => {
    const base = { name: 'orders', on: [OrderPlaced], primaryKey: 'orderId', columns } as const;
    // @ts-expect-error a promise
    expect(issuesOf(() => defineProjection({ ...base, evolve: async () => null }))).toHaveLength(1);
    // @ts-expect-error a column is missing
    defineProjection({ ...base, evolve: () => ({ pence: 1, status: 'placed' }) });
    // @ts-expect-error pence is a number
    defineProjection({ ...base, evolve: () => ({ pence: '1', status: 'placed', paidAt: null }) });
    // @ts-expect-error status is not nullable
    defineProjection({ ...base, evolve: () => ({ pence: 1, status: null, paidAt: null }) });
    // @ts-expect-error undefined is not null
    defineProjection({ ...base, evolve: () => undefined });
  });

  it('refuses unknown column types, keys and indexes', () => {
    const evolve = () => null;
    expect(
      issuesOf(() =>
        defineProjection({
          name: 'p',
          on: [OrderPlaced],
          primaryKey: 'orderId',
          // @ts-expect-error numeric is not offered in the folding form
          columns: { orderId: 'text', total: 'numeric' },
          evolve,
        }),
      ),
    ).toMatchObject([{ path: 'columns.total' }]);
    expect(
      // @ts-expect-error no such column
      issuesOf(() => defineProjection({ name: 'p', on: [OrderPlaced], primaryKey: 'id', columns, evolve })),
    ).toMatchObject([{ path: 'primaryKey' }]);
    expect(
      issuesOf(() =>
        defineProjection({
          name: 'p',
          on: [OrderPlaced],
          primaryKey: 'orderId',
          columns,
          // @ts-expect-error no such column
          indexes: [['customer']],
          evolve,
        }),
      ),
    ).toMatchObject([{ path: 'indexes' }]);
  });

  it('gives apply of the SQL form the events of on, and no way to publish', () => {
    defineSqlProjection({
      name: 'revenue',
      on: [OrderPlaced],
      create: (sql) => sql.query(`create table ${sql.table} (day date primary key)`),
      apply: (tx, event) => {
        expectTypeOf(event.data.customerId).toEqualTypeOf<string>();
        // @ts-expect-error a projection publishes nothing
        void tx.publish;
        return tx.query('select 1');
      },
    });
  });
});

describe('defineProjection: what is refused when it is called', () => {
  it('reports every fault at once', () => {
    const issues = issuesOf(() =>
      defineProjection({
        name: 'no spaces please',
        owner: '',
        version: 0,
        // @ts-expect-error no contract
        on: ['shop.order.placed.v1'],
        columns: { orderId: 'text?' },
        primaryKey: 'orderId',
        // @ts-expect-error not a function
        evolve: 1,
        primarykey: 'typo',
      }),
    );
    expect(issues.map((issue) => issue.path)).toEqual([
      'name',
      'on',
      'primarykey',
      'owner',
      'version',
      'primaryKey',
      'evolve',
    ]);
  });

  it('refuses names that cannot be a table', () => {
    const named = (name: string) =>
      issuesOf(() =>
        defineProjection({ name, on: [OrderPlaced], columns, primaryKey: 'orderId', evolve: () => null }),
      );
    expect(named('order-summary')).toEqual([]);
    for (const name of ['', 'ä', '1st', 'a"b', 'orders__b2', 'x'.repeat(46)])
      expect(named(name)).toMatchObject([{ path: 'name' }]);
  });
});
