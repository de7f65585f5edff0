import { createFactline, type DataOf, type Draft, defineEvent, defineHandler, type Factline } from 'factline';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { z } from 'zod';
import { OrderCancelled, OrderPlaced } from '../contracts/index.ts';
import { groupInvoices, newTally, readPrice, readRows } from '../input/index.ts';
import { customerSpend } from '../read-models/customer-spend.ts';
import { samplePath } from '../test/data.ts';
import { createTestDatabase, type TestDatabase } from '../test/database.ts';
import { customerSpendV2 } from './customer-spend-v2.ts';
import { OrderPlacedV2, placedInPounds } from './order-placed-v2.ts';

// `orders.order.placed` from v1 to v2 over a deprecation window, release by release, each beside the one before it.

vi.setConfig({ testTimeout: 60_000 });

interface Handled {
  readonly release: string;
  readonly orderId: string;
  readonly type: string;
  readonly upcastFrom: string | undefined;
}

let database: TestDatabase;
let pool: pg.Pool;
let orders: readonly DataOf<typeof OrderPlaced>[];
const releases: Factline[] = [];
const handled: Handled[] = [];

beforeAll(async () => {
  database = await createTestDatabase('evolution');
  pool = new pg.Pool({ connectionString: database.url, max: 1 });
  orders = await sampleOrders();
});
afterAll(async () => {
  await Promise.all(releases.map((app) => app.stop()));
  await pool?.end();
  await database?.drop();
});

async function sampleOrders(): Promise<DataOf<typeof OrderPlaced>[]> {
  const found: DataOf<typeof OrderPlaced>[] = [];
  for await (const invoice of groupInvoices(readRows(samplePath), newTally())) {
    const lines = invoice.rows.flatMap(({ stockCode, quantity, unitPrice }) => {
      const price = readPrice(unitPrice);
      if (price.kind !== 'pence' || quantity <= 0) return [];
      return [{ product: stockCode.toUpperCase(), quantity, unitPence: price.pence }];
    });
    if (invoice.kind !== 'order' || lines.length === 0) continue;
    const totalPence = lines.reduce((sum, { quantity, unitPence }) => sum + quantity * unitPence, 0);
    const { number: orderId, customerId, country } = invoice;
    found.push({ orderId, customerId: customerId || 'guest', country, totalPence, lines });
  }
  return found;
}

/** The orders of one part of the story: a third of the sample each. */
const part = (number: 0 | 1 | 2): readonly DataOf<typeof OrderPlaced>[] => {
  const size = Math.ceil(orders.length / 3);
  return orders.slice(number * size, (number + 1) * size);
};

const asV2 = (order: DataOf<typeof OrderPlaced>): Draft =>
  OrderPlacedV2(placedInPounds.upcast(order) as DataOf<typeof OrderPlacedV2>);

async function release(
  codeVersion: string,
  options: Pick<Parameters<typeof createFactline>[0], 'consumers' | 'upcasters' | 'contracts'>,
): Promise<Factline> {
  const app = createFactline({
    name: 'order-pipeline',
    codeVersion,
    database: database.url,
    pools: { transactions: 4, readers: 1, operations: 2 },
    handleSignals: false,
    ...options,
  });
  releases.push(app);
  await app.start();
  return app;
}

/** What a consumer of each release does with an order, here: remember it. */
const receipts = (codeVersion: string, on: typeof OrderPlaced | typeof OrderPlacedV2) =>
  defineHandler({
    name: 'receipts',
    on: on as typeof OrderPlaced,
    reads: ['orderId'],
    startAt: 'beginning',
    handle: async ({ data, type, upcastFrom }) => {
      handled.push({ release: codeVersion, orderId: data.orderId, type, upcastFrom });
    },
  });

const whoHandled = (wanted: readonly { orderId: string }[]): Promise<readonly Handled[]> => {
  const ids = new Set(wanted.map(({ orderId }) => orderId));
  return vi.waitFor(
    () => {
      const found = handled.filter(({ orderId }) => ids.has(orderId));
      expect(found.length).toBeGreaterThanOrEqual(ids.size);
      return found;
    },
    { timeout: 30_000, interval: 20 },
  );
};

/** The view's rows once the build of that version is the one that is read, and has seen `events` events. */
const spend = (version: number, orderCount: number): Promise<readonly unknown[]> =>
  vi.waitFor(
    async () => {
      const { rows: live } = await pool.query(
        `select version from factline.consumers where name = 'customer-spend' and state = 'live' order by build desc limit 1`,
      );
      expect(live).toEqual([{ version }]);
      const { rows } = await pool.query('select * from "customer-spend" order by 1, 2');
      expect(rows.reduce((sum, row) => sum + row.orders, 0)).toBe(orderCount);
      return rows;
    },
    { timeout: 30_000, interval: 50 },
  );

const expectedSpend = (placed: readonly DataOf<typeof OrderPlaced>[]): number =>
  placed.reduce((sum, { totalPence }) => sum + totalPence, 0);
const totalOf = (rows: readonly unknown[]): number =>
  (rows as { orderedPence: string }[]).reduce((sum, { orderedPence }) => sum + Number(orderedPence), 0);

describe('orders.order.placed, from v1 to v2', () => {
  it('release 1 publishes and handles v1', async () => {
    const app = await release('1', { consumers: [customerSpend, receipts('1', OrderPlaced)] });
    await app.publish(part(0).map((order) => OrderPlaced(order)));
    await app.publish(
      part(0)
        .slice(0, 1)
        .map(({ orderId, customerId, country, totalPence: pence, lines }) =>
          OrderCancelled({ orderId, cancellationId: 'C1', customerId, country, pence, lines, whole: true }),
        ),
    );
    expect(await whoHandled(part(0))).toHaveLength(part(0).length);
    expect(totalOf(await spend(1, part(0).length))).toBe(expectedSpend(part(0)));
  });

  it('release 2 has all consumers on v2, starts beside release 1, and the rebuilt read model is the same to the penny', async () => {
    const before = await spend(1, part(0).length);
    await release('2', {
      consumers: [customerSpendV2, receipts('2', OrderPlacedV2)],
      upcasters: [placedInPounds],
    });
    // Its rows were folded by the new code from events that were all written as v1.
    expect(await spend(2, part(0).length)).toEqual(before);
  });

  it('while release 1 still publishes v1, both read it, each as the version it was written for', async () => {
    const [old] = releases;
    await old?.publish(part(1).map((order) => OrderPlaced(order)));
    const seen = await whoHandled(part(1));
    expect(seen).toHaveLength(part(1).length);
    for (const { release: by, type, upcastFrom } of seen) {
      expect({ by, type, upcastFrom }).toEqual(
        by === '1'
          ? { by, type: OrderPlaced.type, upcastFrom: undefined }
          : { by: '2', type: OrderPlacedV2.type, upcastFrom: OrderPlaced.type },
      );
    }
    expect(totalOf(await spend(2, part(0).length + part(1).length))).toBe(
      expectedSpend([...part(0), ...part(1)]),
    );
  });

  it('then the producer switches: v2 is handled by release 2 alone, each order once', async () => {
    const [old, next] = releases;
    await next?.publish(part(2).map(asV2));
    const seen = await whoHandled(part(2));
    expect(seen).toHaveLength(part(2).length);
    for (const each of seen)
      expect(each).toMatchObject({ release: '2', type: OrderPlacedV2.type, upcastFrom: undefined });
    await old?.stop();
    expect(new Set(handled.map(({ orderId }) => orderId)).size).toBe(handled.length);
  });

  it('v1 is deprecated until a day: who still publishes it is told, and goes on', async () => {
    const [, next] = releases;
    const deprecated = { since: '2026-01-01', until: '2026-12-31', replacement: OrderPlacedV2.type } as const;
    // A producer that has not followed yet. Only it knows v1 as deprecated; the contract is the same.
    const Deprecated = defineEvent({
      type: OrderPlaced.type,
      owner: 'orders',
      producers: ['order-pipeline'],
      key: 'orderId',
      schema: OrderPlaced.schema as z.ZodType<DataOf<typeof OrderPlaced>, DataOf<typeof OrderPlaced>>,
      deprecated,
    });
    const straggler = await release('3', { consumers: [], contracts: [Deprecated] });
    const late = { ...(orders[0] as DataOf<typeof OrderPlaced>), orderId: 'late' };
    const { token } = await straggler.publish(Deprecated(late));
    const { customerId, country } = late;
    expect(await next?.read(customerSpendV2, { customerId, country }, { token })).toMatchObject({
      customerId,
    });
    expect(await whoHandled([late])).toMatchObject([{ release: '2', upcastFrom: OrderPlaced.type }]);
  });

  it('v1 is retired: no code reads or writes it, and its events are still there to rebuild from', async () => {
    const before = await spend(2, orders.length + 1);
    await Promise.all(releases.map((app) => app.stop()));
    await release('4', {
      consumers: [{ ...customerSpendV2, version: 3 }, receipts('4', OrderPlacedV2)],
      upcasters: [placedInPounds],
    });
    expect(await spend(3, orders.length + 1)).toEqual(before);
    const { rows } = await pool.query(
      'select type, count(*)::int as count from factline.events group by 1 order by 1',
    );
    expect(rows).toEqual([
      { type: OrderCancelled.type, count: 1 },
      { type: OrderPlaced.type, count: part(0).length + part(1).length + 1 },
      { type: OrderPlacedV2.type, count: part(2).length },
    ]);
  });
});
