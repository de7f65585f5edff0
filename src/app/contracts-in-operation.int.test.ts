import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { defineHandler, defineProjection, defineSqlProjection } from '../consumers/index.ts';
import { contractSchemas, defineEvent, defineUpcaster, schemaDigest } from '../contracts/index.ts';
import { listParked, liveContracts } from '../operations/index.ts';
import { fromPg } from '../postgres/index.ts';
import { createFactline, type Factline, type FactlineOptions, internals } from './index.ts';

const PlacedV1 = defineEvent({
  type: 'shop.order.placed.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), pence: z.int() }),
});
const PlacedV2 = defineEvent({
  type: 'shop.order.placed.v2',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), total: z.object({ pence: z.int(), currency: z.string() }) }),
});
const toV2 = defineUpcaster(PlacedV1, PlacedV2, ({ orderId, pence }) => {
  if (pence < 0) throw new RangeError('a negative amount has no currency');
  return { orderId, total: { pence, currency: 'GBP' } };
});

const folded = defineProjection({
  name: 'folded',
  on: [PlacedV2],
  primaryKey: 'orderId',
  columns: { orderId: 'text', pence: 'int8', currency: 'text' },
  evolve: (_row, { data }) => data.total,
});
const written = defineSqlProjection({
  name: 'written',
  on: [PlacedV2],
  create: (sql) =>
    sql.query(`create table ${sql.table} ("orderId" text primary key, pence int8, currency text)`),
  apply: (tx, { data: { orderId, total } }) =>
    tx.query(`insert into ${tx.table} values ($1, $2, $3)`, [orderId, total.pence, total.currency]),
});

let database: TestDatabase;
let apps: Factline[] = [];
let handled: unknown[] = [];
const watch = defineHandler({
  name: 'watch',
  on: [PlacedV2],
  reads: ['orderId', 'total'],
  startAt: 'beginning',
  handle: async ({ data, type, upcastFrom }) =>
    void handled.push([data.orderId, data.total.pence, type, upcastFrom]),
});
const create = (options: Partial<FactlineOptions> = {}): Factline => {
  const app = createFactline({
    name: 'shop',
    database: database.url,
    consumers: [folded, written, watch],
    upcasters: [toV2],
    handleSignals: false,
    ...options,
  });
  apps.push(app);
  return app;
};
const query = async (text: string): Promise<unknown[]> => {
  const { database } = await internals(apps[0] as Factline).open();
  return (await database.operations.query(text)).rows;
};

beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(async () => {
  await Promise.all(apps.map((app) => app.stop()));
  [apps, handled] = [[], []];
  await database.drop();
});

describe('events of an older contract', () => {
  it('that were in the log before are read by new code, by handlers and both forms of projections', async () => {
    const old = create({ consumers: [], upcasters: [], contracts: [PlacedV1] });
    await old.publish([PlacedV1({ orderId: 'A1', pence: 1 }), PlacedV1({ orderId: 'A2', pence: 2 })]);
    await old.stop();
    const app = create();
    await app.start();
    const { token } = await app.publish(PlacedV2({ orderId: 'A3', total: { pence: 3, currency: 'EUR' } }));
    for (const projection of [folded, written]) {
      expect(await app.read(projection as typeof folded, { orderId: 'A3' }, { token })).toMatchObject({
        currency: 'EUR',
      });
      expect(await app.read(projection as typeof folded, { orderId: 'A2' })).toMatchObject({
        currency: 'GBP',
      });
    }
    await app.catchUp({ within: '10s' });
    expect(handled.sort()).toEqual([
      ['A1', 1, PlacedV2.type, PlacedV1.type],
      ['A2', 2, PlacedV2.type, PlacedV1.type],
      ['A3', 3, PlacedV2.type, undefined],
    ]);
  });

  it('are waited for by a read with their token, also of an app that only reads', async () => {
    const app = create();
    const first = await app.publish(PlacedV1({ orderId: 'B', pence: 1 }));
    const inVain = app.read(folded, { orderId: 'B' }, { token: first.token, within: '100ms' });
    await expect(inVain).rejects.toMatchObject({ code: 'READ_TIMEOUT' });
    await app.start();
    const reader = create({ consumers: [] });
    for (let n = 0; n < 20; n += 1) {
      const orderId = `B${n}`;
      const { token } = await app.publish(PlacedV1({ orderId, pence: n }));
      expect(await reader.read(folded, { orderId }, { token })).toEqual({
        orderId,
        pence: n,
        currency: 'GBP',
      });
    }
  });

  it('that the upcaster cannot read are quarantined with their key; other keys go on', async () => {
    const app = create();
    await app.start();
    await app.publish([
      PlacedV1({ orderId: 'bad', pence: -1 }),
      PlacedV1({ orderId: 'good', pence: 1 }),
      PlacedV2({ orderId: 'bad', total: { pence: 2, currency: 'GBP' } }),
    ]);
    await app.catchUp({ within: '10s' });
    expect(handled).toEqual([['good', 1, PlacedV2.type, PlacedV1.type]]);
    const { database } = await internals(app).open();
    const filter = { states: ['quarantined'], after: 0, limit: 20 } as const;
    const quarantined = await listParked(database.operations, filter);
    expect(new Set(quarantined.map(({ consumer }) => consumer))).toEqual(
      new Set(['folded', 'written', 'watch']),
    );
    expect(
      await query('select distinct failure_class, error_code from factline.parked_events where attempts > 0'),
    ).toEqual([{ failure_class: 'schema', error_code: 'UPCAST_FAILED' }]);
  });
});

describe('an event with producers', () => {
  const Paid = defineEvent({
    type: 'shop.order.paid.v1',
    key: 'orderId',
    schema: z.object({ orderId: z.string() }),
    producers: ['billing'],
  });
  const refused = { code: 'PRODUCER_NOT_LISTED', details: { source: 'shop', producers: ['billing'] } };
  const eventCount = async (): Promise<number> =>
    ((await query('select count(*)::int as count from factline.events')) as { count: number }[])[0]?.count ??
    -1;

  it('is refused from another app at every door, and nothing of that transaction is written', async () => {
    const app = create({ consumers: [], contracts: [Paid] });
    const paid = Paid({ orderId: 'A1' });
    await expect(app.publish(paid)).rejects.toMatchObject(refused);
    await expect(app.publish(Paid({ orderId: 'A1' }, { dedupeKey: 'once' }))).rejects.toMatchObject(refused);
    let caughtAtTheCall: unknown;
    const transaction = app.transaction(async (tx) => {
      tx.publish(PlacedV1({ orderId: 'A1', pence: 1 }));
      await tx
        .savepoint(async (inner) => inner.publish(paid))
        .catch((error: unknown) => {
          caughtAtTheCall = error;
        });
    });
    await expect(transaction).resolves.toBeDefined();
    expect(caughtAtTheCall).toMatchObject(refused);
    const client = new pg.Client(database.url);
    await client.connect();
    await client.query('begin');
    await expect(app.publish(paid, { tx: fromPg(client) })).rejects.toMatchObject(refused);
    await client.query('commit');
    await client.end();
    expect(await eventCount()).toBe(1);
  });

  it('is refused from a handler of another app, and published by its own', async () => {
    const failures: unknown[] = [];
    const pay = defineHandler({
      name: 'pay',
      on: [PlacedV1],
      handle: async ({ data: { orderId } }, { transaction }) => {
        await transaction(async (tx) => tx.publish(Paid({ orderId }))).catch((error: unknown) => {
          failures.push(error);
          throw error;
        });
      },
    });
    const app = create({ consumers: [pay], upcasters: [], contracts: [Paid] });
    await app.start();
    await app.publish(PlacedV1({ orderId: 'A1', pence: 1 }));
    await vi.waitFor(() => expect(failures).not.toEqual([]));
    expect(failures[0]).toMatchObject(refused);
    await app.stop();
    expect(await eventCount()).toBe(1);
    const billing = create({ name: 'billing', consumers: [], contracts: [Paid] });
    await billing.publish(Paid({ orderId: 'A1' }));
    expect(await eventCount()).toBe(2);
  });
});

describe('what runs', () => {
  it('is told by each process from its start to its end', async () => {
    const app = create({ codeVersion: '1.4.0' });
    const second = create({ codeVersion: '1.4.0' });
    const newer = create({ codeVersion: '1.5.0', consumers: [folded, written, watch] });
    await Promise.all([app.start(), second.start(), newer.start()]);
    const { database } = await internals(app).open();
    const live = await liveContracts(database.operations);
    expect(live.map(({ app, codeVersion, processes }) => [app, codeVersion, processes]).sort()).toEqual([
      ['shop', '1.4.0', 2],
      ['shop', '1.5.0', 1],
    ]);
    expect(live[0]?.consumers).toMatchObject({
      watch: {
        class: 'operational',
        types: [PlacedV1.type, PlacedV2.type],
        reads: { [PlacedV2.type]: ['orderId', 'total'] },
      },
      folded: { class: 'projection', reads: null },
    });
    expect(live[0]?.contracts).toEqual({
      [PlacedV1.type]: schemaDigest(contractSchemas(PlacedV1)),
      [PlacedV2.type]: schemaDigest(contractSchemas(PlacedV2)),
    });
    await Promise.all([second.stop(), newer.stop()]);
    expect(await liveContracts(database.operations)).toMatchObject([{ codeVersion: '1.4.0', processes: 1 }]);
    const publisher = create({ name: 'till', consumers: [], contracts: [PlacedV1] });
    await publisher.start();
    expect(await liveContracts(database.operations)).toContainEqual(
      expect.objectContaining({ app: 'till', processes: 1, consumers: {} }),
    );
    await publisher.publish(PlacedV1({ orderId: 'T1', pence: 1 }));
    await app.catchUp({ within: '10s' });
    await publisher.stop();
  });
});
