import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { defineHandler } from '../consumers/index.ts';
import { defineEvent } from '../contracts/index.ts';
import { claimProbe, ProbeSent, type VerdictName } from '../operations/index.ts';
import { createFactline, type Factline, internals } from './index.ts';

const OrderPlaced = defineEvent({
  type: 'shop.order.placed.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string() }),
});
const payment = defineHandler({ name: 'payment', on: OrderPlaced, handle: async () => {} });

let database: TestDatabase;
let pool: pg.Pool;
let app: Factline;
const start = async (probes: boolean): Promise<void> => {
  app = createFactline({
    name: 'shop',
    database: database.url,
    consumers: [payment],
    probes,
    handleSignals: false,
  });
  await app.start();
};
beforeEach(async () => {
  database = await createTestDatabase();
  pool = new pg.Pool({ connectionString: database.url, max: 2 });
});
afterEach(async () => {
  await app.stop();
  await pool.end();
  await database.drop();
});

const verdicts = async (): Promise<Record<string, VerdictName>> =>
  Object.fromEntries((await app.status()).map(({ consumer, verdict }) => [consumer, verdict]));
const probes = async (): Promise<number> =>
  (await pool.query("select from factline.events where type = 'factline.probe.sent.v1'")).rowCount ?? 0;
const seenMs = async (): Promise<number> =>
  Number(
    (
      await pool.query(
        'select extract(epoch from factline.clock() - seen_at) * 1000 as ms from factline.probes',
      )
    ).rows[0]?.ms,
  );
/** The next turn to send a probe has come, and so much time has passed since the last one came through. */
const pass = (seconds: number): Promise<unknown> =>
  pool.query(
    "update factline.probes set sent_at = sent_at - interval '10 s', seen_at = seen_at - make_interval(secs => $1)",
    [seconds],
  );
/** Another process of the app whose turn it is. */
const sendProbe = async (): Promise<void> => {
  const parts = await internals(app).open();
  if (await claimProbe(parts.database.operations, 'shop')) await app.publish(ProbeSent({ app: 'shop' }));
};

/** Null: none came through yet. */
const took = async (): Promise<number | null> =>
  (await pool.query('select took_ms from factline.probes')).rows[0].took_ms;

describe('probes', () => {
  it('go the whole way, from one process at a time, and say how long it took', async () => {
    await start(true);
    await expect.poll(took, { timeout: 10_000 }).toBeGreaterThanOrEqual(0);
    expect(await verdicts()).toEqual({ payment: 'OK', 'probe.shop': 'OK' });
    expect(await probes()).toBe(1);
    await Promise.all([sendProbe(), sendProbe(), sendProbe()]);
    expect(await probes()).toBe(1);
    await pass(0);
    await Promise.all([sendProbe(), sendProbe(), sendProbe()]);
    expect(await probes()).toBe(2);
  }, 60_000);

  it('make every verdict UNKNOWN, never OK, while the reader is frozen and nothing else is going on (marten#4961)', async () => {
    await start(true);
    await expect.poll(took, { timeout: 10_000 }).toBeGreaterThanOrEqual(0);
    const holder = await pool.connect();
    try {
      // It may still publish at this position: no reader may go past it.
      await holder.query("begin; select nextval('factline.events_position_seq')");
      await pass(20);
      await sendProbe();
      await pass(15);
      await expect.poll(seenMs).toBeGreaterThan(30_000);
      expect(
        (await app.status()).map(({ consumer, verdict, reasons }) => [consumer, verdict, reasons[0]?.code]),
      ).toEqual([
        ['payment', 'UNKNOWN', 'probe-missing'],
        ['probe.shop', 'UNKNOWN', 'probe-missing'],
      ]);
    } finally {
      await holder.query('rollback');
      holder.release();
    }
    await expect.poll(verdicts, { timeout: 10_000 }).toEqual({ payment: 'OK', 'probe.shop': 'OK' });
  }, 60_000);

  it('are not sent, and nobody waits for them, when they are switched off', async () => {
    await start(true);
    await expect.poll(probes, { timeout: 10_000 }).toBe(1);
    await app.stop();
    await start(false);
    expect((await pool.query('select from factline.probes')).rowCount).toBe(0);
    expect(await verdicts()).toMatchObject({ payment: 'OK' });
    expect(await probes()).toBe(1);
  }, 60_000);
});
