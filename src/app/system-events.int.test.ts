import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { defineHandler, type Handler } from '../consumers/index.ts';
import { defineEvent } from '../contracts/index.ts';
import { PermanentError, systemClock } from '../foundation/index.ts';
import {
  awaitAnswer,
  findConsumer,
  type PersonsRequest,
  sendRequest,
  systemEvents,
} from '../operations/index.ts';
import { createFactline, type Factline } from './index.ts';

const OrderPlaced = defineEvent({
  type: 'shop.order.placed.v1',
  key: 'card',
  sensitivity: { card: 'personal' },
  schema: z.object({ card: z.string(), good: z.boolean() }),
});

let database: TestDatabase;
let pool: pg.Pool;
let app: Factline | undefined;
let told: { type: string; data: Readonly<Record<string, unknown>> }[];

const payment = defineHandler({
  name: 'payment',
  on: OrderPlaced,
  handle: async ({ data }) => {
    if (!data.good) throw new PermanentError('no such card');
  },
});
const support = (handle: (type: string) => void = () => {}): Handler =>
  defineHandler({
    name: 'support',
    on: Object.values(systemEvents) as (typeof systemEvents)['keyQuarantined'][],
    handle: async (event) => {
      told.push({ type: event.type, data: event.data });
      handle(event.type);
    },
  });
const start = async (
  consumers: readonly Handler[],
  options: { systemEvents?: boolean } = { systemEvents: true },
): Promise<Factline> => {
  app = createFactline({ name: 'shop', database: database.url, consumers, handleSignals: false, ...options });
  await app.start();
  return app;
};
const ask = async (request: Omit<PersonsRequest, 'consumer' | 'actor'>): Promise<void> => {
  const whole = { ...request, consumer: await findConsumer(pool, 'payment'), actor: 'ada' };
  const id = await sendRequest(pool, whole);
  await awaitAnswer(pool, { id, request: whole, withinMs: 10_000, clock: systemClock });
};
const kinds = (): string[] => told.map(({ type }) => type.split('.').slice(1, 3).join(' '));

beforeEach(async () => {
  database = await createTestDatabase();
  pool = new pg.Pool({ connectionString: database.url, max: 2 });
  told = [];
});
afterEach(async () => {
  await app?.stop();
  app = undefined;
  await pool.end();
  await database.drop();
});

describe("Factline's own facts", () => {
  it('are events of the log, in the order of their consumer, and show no key that its contract hides', async () => {
    const running = await start([payment, support()]);
    await running.publish(OrderPlaced({ card: '4242', good: false }));
    await expect.poll(kinds, { timeout: 15_000 }).toEqual(['key quarantined']);
    await ask({ verb: 'pause', reason: 'tea', arguments: { forMs: 60_000 } });
    await ask({ verb: 'resume' });
    const { rows } = await pool.query('select id::integer from factline.parked');
    await ask({ verb: 'discard', parkedId: rows[0].id, reason: 'a test order' });
    await pool.query(`insert into factline.alerts (app, dedup_key, class, consumer, severity, state, summary, fired_at)
      values ('shop', 'burn-rate:payment:6x', 'burn-rate', 'payment', 'page', 'firing', 'it burns', factline.clock())`);
    await pool.query("update factline.alerts set state = 'resolved', resolved_at = factline.clock()");
    const all = [
      'key quarantined',
      'consumer paused',
      'consumer resumed',
      'key released',
      'alert fired',
      'alert resolved',
    ];
    await expect.poll(kinds, { timeout: 15_000 }).toEqual(all);
    const [quarantined, paused, , released, fired] = told.map(({ data }) => data);
    expect(quarantined).toMatchObject({
      consumer: 'payment',
      type: OrderPlaced.type,
      position: 1,
      number: rows[0].id,
    });
    expect(JSON.stringify(told)).not.toContain('4242');
    expect(paused).toMatchObject({
      consumer: 'payment',
      part: null,
      reason: 'tea',
      by: 'ada',
      until: expect.any(String),
    });
    expect(released).toMatchObject({ outcome: 'discarded', number: rows[0].id });
    expect(fired).toMatchObject({ class: 'burn-rate', severity: 'page', summary: 'it burns' });
    expect((await pool.query('select from factline.system_facts')).rowCount).toBe(0);
  }, 60_000);

  it('make no circle when their own consumer fails at them', async () => {
    const failing = support(() => {
      throw new PermanentError('support is closed');
    });
    const running = await start([payment, failing]);
    await running.publish(OrderPlaced({ card: '4242', good: false }));
    await expect.poll(kinds, { timeout: 15_000 }).toEqual(['key quarantined']);
    await expect
      .poll(
        async () => (await pool.query("select from factline.parked where state = 'quarantined'")).rowCount,
        { timeout: 15_000 },
      )
      .toBe(2);
    await running.publish(OrderPlaced({ card: '1111', good: false }));
    const ofSystem = async (): Promise<number> =>
      (await pool.query("select from factline.events where type like 'factline.%'")).rowCount ?? 0;
    await expect.poll(ofSystem, { timeout: 15_000 }).toBe(2);
    // Nothing is on its way: what failed at a system event was never noted.
    expect((await pool.query('select from factline.system_facts')).rowCount).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(await ofSystem()).toBe(2);
  }, 60_000);

  it('are not even noted by an app that did not ask for them, nor after it was switched off', async () => {
    const running = await start([payment], {});
    await running.publish(OrderPlaced({ card: '4242', good: false }));
    await expect
      .poll(
        async () => (await pool.query("select from factline.parked where state = 'quarantined'")).rowCount,
        { timeout: 15_000 },
      )
      .toBe(1);
    await ask({ verb: 'pause', reason: 'tea' });
    expect((await pool.query('select from factline.system_facts')).rowCount).toBe(0);
    expect((await pool.query("select from factline.events where type like 'factline.%'")).rowCount).toBe(0);
  }, 60_000);
});
