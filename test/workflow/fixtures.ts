import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterEach, inject } from 'vitest';
import { z } from 'zod';
import { defineEvent } from '../../src/contracts/index.ts';
import { type TestFactline, type TestFactlineOptions, testFactline } from '../../src/testing/index.ts';

export const OrderPlaced = defineEvent({
  type: 'shop.order.placed.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), pence: z.int() }),
});
export const ParcelScanned = defineEvent({
  type: 'parcels.parcel.scanned.v1',
  key: 'parcelId',
  schema: z.object({ parcelId: z.string(), ok: z.boolean(), place: z.string() }),
});
export const Noted = defineEvent({
  type: 'shop.note.noted.v1',
  key: 'id',
  schema: z.object({ id: z.string(), text: z.string() }),
});

/** An app on a database of its own for each test that asks for it; it is stopped when the test has ended. */
export const useApps = (): ((options: TestFactlineOptions) => Promise<TestFactline>) => {
  const apps: TestFactline[] = [];
  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.stop()));
  });
  return async (options) => {
    const app = await testFactline({ server: inject('databaseUrl'), ...options });
    apps.push(app);
    return app;
  };
};

export type Row = Readonly<Record<string, unknown>>;

/** Reads the test's database. */
export const rows = async (
  { databaseUrl }: { readonly databaseUrl: string },
  text: string,
  values: readonly unknown[] = [],
): Promise<Row[]> => {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    return (await client.query(text, [...values])).rows as Row[];
  } finally {
    await client.end();
  }
};

/** Waits until it holds, but not for ever. */
export const eventually = async (
  holds: () => Promise<boolean>,
  what: string,
  withinMs = 15_000,
): Promise<void> => {
  const until = Date.now() + withinMs;
  while (!(await holds())) {
    if (Date.now() > until) throw new Error(`in vain: ${what}`);
    await sleep(20);
  }
};
