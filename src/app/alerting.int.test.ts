import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { defineHandler } from '../consumers/index.ts';
import { defineEvent } from '../contracts/index.ts';
import { createTelemetry, systemClock } from '../foundation/index.ts';
import { awaitAnswer, checkAlerts, findConsumer, listAlerts, sendRequest } from '../operations/index.ts';
import { listAudit } from '../replay/index.ts';
import { Alerting } from './alerting.ts';
import { createFactline, type Factline, internals } from './index.ts';

const OrderPlaced = defineEvent({
  type: 'shop.order.placed.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string() }),
});

let database: TestDatabase;
let pool: pg.Pool;
let app: Factline;
let seen: string[];

beforeEach(async () => {
  database = await createTestDatabase();
  pool = new pg.Pool({ connectionString: database.url, max: 2 });
  seen = [];
  const payment = defineHandler({
    name: 'payment',
    on: OrderPlaced,
    handle: async ({ data }) => void seen.push(data.orderId),
  });
  app = createFactline({ name: 'shop', database: database.url, consumers: [payment], handleSignals: false });
  await app.start();
});
afterEach(async () => {
  await app.stop();
  await pool.end();
  await database.drop();
});

/** The chore of another process of the app: its pass is called here, its turn is given to it. */
const alerting = async (
  receivers: Parameters<typeof checkAlerts>[0]['receivers'] = {},
): Promise<() => Promise<void>> => {
  const chore = new Alerting({
    parts: await internals(app).open(),
    app: 'shop',
    receivers: checkAlerts({ receivers, groupWait: '0s' }),
    clock: systemClock,
    telemetry: createTelemetry(),
  });
  const pass = async (): Promise<void> => {
    await pool.query("update factline.alert_evaluations set evaluated_at = evaluated_at - interval '10 s'");
    await chore.runOnce();
  };
  // The app's own first turn, which comes with its start, shall not fall into the test.
  const evaluated = async (): Promise<number | null> =>
    (await pool.query('select from factline.alert_evaluations')).rowCount;
  await expect.poll(evaluated, { timeout: 10_000 }).toBe(1);
  await pass();
  return pass;
};

describe('a pause with an end', () => {
  it('skips nothing, goes on by itself in order, and both are on record', async () => {
    const consumer = await findConsumer(pool, 'payment');
    const request = {
      consumer,
      verb: 'pause',
      actor: 'ada',
      reason: 'deploy',
      arguments: { forMs: 600_000 },
    };
    const id = await sendRequest(pool, request);
    await awaitAnswer(pool, { id, request, withinMs: 10_000, clock: systemClock });
    expect((await app.status())[0]).toMatchObject({
      verdict: 'PAUSED',
      paused: { by: 'ada', reason: 'deploy', resumesInSeconds: expect.closeTo(600, -1) },
    });
    for (const orderId of ['A', 'B', 'C']) await app.publish(OrderPlaced({ orderId }));
    const pass = await alerting();
    await pass();
    expect((await app.status())[0]?.verdict).toBe('PAUSED');
    await pool.query('update factline.consumers set paused_until = factline.clock()');
    await pass();
    await expect.poll(() => seen.toSorted(), { timeout: 10_000 }).toEqual(['A', 'B', 'C']);
    await app.catchUp({ within: '10s' });
    expect((await app.status())[0]).toMatchObject({ verdict: 'OK', paused: null, unhandled: 0 });
    expect(
      await listAudit(pool, { act: 'consumer.resume', limit: 10, before: 1_000, denied: false }),
    ).toMatchObject([
      {
        actor: expect.stringContaining('the end of a pause'),
        target: 'consumer payment',
        via: 'engine',
        details: { pausedBy: 'ada', pausedFor: 'deploy', resumed: true },
      },
    ]);
  }, 60_000);
});

describe('a pause with a limit', () => {
  const pause = async (given: Readonly<Record<string, unknown>>): Promise<void> => {
    const consumer = await findConsumer(pool, 'payment');
    const request = { consumer, verb: 'pause', actor: 'ada', reason: 'deploy', arguments: given };
    const id = await sendRequest(pool, request);
    await awaitAnswer(pool, { id, request, withinMs: 10_000, clock: systemClock });
  };
  const place = (...ids: string[]) => app.publish(ids.map((orderId) => OrderPlaced({ orderId })));

  it('counts what comes while it lasts, also when what is counted is moved on, and fires when it is more', async () => {
    await place('before');
    await expect.poll(() => seen, { timeout: 10_000 }).toEqual(['before']);
    await pause({ buffer: 3 });
    const pass = await alerting();
    await place('A', 'B', 'C');
    await pass();
    const buffer = async () => (await app.status())[0]?.paused?.buffer;
    expect(await buffer()).toEqual({ max: 3, events: 3, exact: true, resumes: false });
    expect(await listAlerts(pool)).toEqual([]);
    await pool.query('update factline.log_mark set settled = (select max(position) from factline.events)');
    await pass();
    const stored = await pool.query('select buffer_counted::int as counted from factline.consumers');
    expect(stored.rows).toEqual([{ counted: 3 }]);
    await place('D');
    await pass();
    expect(await buffer()).toMatchObject({ events: 4 });
    expect(await listAlerts(pool)).toMatchObject([
      { key: 'pause-exceeded:payment:', state: 'firing', severity: 'page' },
    ]);
    expect((await app.status())[0]?.reasons[0]?.text).toBe(
      'paused by ada: deploy (4 events have come, 3 may)',
    );
    // Another pause begins to count anew.
    await pause({ buffer: 3 });
    expect(await buffer()).toMatchObject({ events: 0 });
  }, 60_000);

  it('ends by itself when it shall: of a consumer', async () => {
    await pause({ buffer: 2, thenResume: true });
    const pass = await alerting();
    await place('A', 'B');
    await pass();
    expect((await app.status())[0]?.verdict).toBe('PAUSED');
    await place('C');
    await pass();
    await expect.poll(() => seen.toSorted(), { timeout: 10_000 }).toEqual(['A', 'B', 'C']);
    expect(await listAlerts(pool)).toEqual([]);
    const [resumed] = await listAudit(pool, {
      act: 'consumer.resume',
      limit: 1,
      before: 1_000,
      denied: false,
    });
    expect(resumed).toMatchObject({
      reason: 'more events came than the pause may buffer: 3 of 2',
      details: { pausedBy: 'ada', resumed: true },
    });
  }, 60_000);

  it('ends by itself when it shall: of a key, for which only its own events count', async () => {
    await pause({ key: 'orderId=A', buffer: 2, thenResume: true });
    const pass = await alerting();
    await place('A', 'B', 'A', 'B', 'B');
    await pass();
    expect((await app.status())[0]?.pausedParts).toMatchObject([{ buffer: { events: 2, max: 2 } }]);
    await place('A');
    await pass();
    await expect.poll(() => seen.filter((id) => id === 'A'), { timeout: 10_000 }).toHaveLength(3);
  }, 60_000);
});

describe('a paused key with an end', () => {
  it('goes on by itself, in order, on record', async () => {
    const consumer = await findConsumer(pool, 'payment');
    const given = { key: 'orderId=A', forMs: 600_000 };
    const request = { consumer, verb: 'pause', actor: 'ada', reason: 'refund', arguments: given };
    const id = await sendRequest(pool, request);
    await awaitAnswer(pool, { id, request, withinMs: 10_000, clock: systemClock });
    await app.publish([OrderPlaced({ orderId: 'A' }), OrderPlaced({ orderId: 'B' })]);
    await expect.poll(() => seen, { timeout: 10_000 }).toEqual(['B']);
    const pass = await alerting();
    await pool.query('update factline.pauses set paused_until = factline.clock()');
    await pass();
    await expect.poll(() => seen, { timeout: 10_000 }).toEqual(['B', 'A']);
    const record = { act: 'consumer.resume', limit: 10, before: 1_000, denied: false };
    expect(await listAudit(pool, record)).toMatchObject([
      { target: 'consumer payment', details: { part: 'key orderId=A', pausedBy: 'ada', resumed: true } },
    ]);
  }, 60_000);
});

describe('the alerts of a running app', () => {
  let server: Server;
  const bodies: { state: string; alerts: { key: string }[] }[] = [];
  beforeEach(async () => {
    bodies.length = 0;
    server = createServer((request, response) => {
      let text = '';
      request.on('data', (part) => {
        text += part;
      });
      request.on('end', () => {
        bodies.push(JSON.parse(text));
        response.end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(() => {
    server.close();
    server.closeAllConnections();
  });

  it('reach a server when a breaker opens, and say when it is over', async () => {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const pass = await alerting({ onCall: { kind: 'webhook', url, secret: 'known to both sides' } });
    await pool.query(
      `insert into factline.breakers (consumer_id, state, kind, reason, code_version, probe_at)
       select id, 'open', 'transient', 'the provider is down', '1', factline.clock() + interval '1 hour' from factline.consumers`,
    );
    await pass();
    expect(await listAlerts(pool)).toMatchObject([{ key: 'dependency-down:payment:', state: 'pending' }]);
    await pool.query("update factline.alerts set met_at = met_at - interval '1 minute'");
    await pass();
    expect(bodies).toMatchObject([{ state: 'firing', alerts: [{ key: 'dependency-down:payment:' }] }]);
    await pool.query("update factline.breakers set state = 'closed'");
    await pass();
    await pool.query("update factline.alerts set clear_since = clear_since - interval '1 minute'");
    await pool.query("update factline.alert_messages set made_at = made_at - interval '5 minutes'");
    await pass();
    expect(bodies).toMatchObject([{ state: 'firing' }, { state: 'resolved' }]);
    expect(await listAlerts(pool)).toEqual([]);
    expect(await listAlerts(pool, { all: true })).toMatchObject([
      { state: 'resolved', told: [{ receiver: 'onCall' }] },
    ]);
  }, 60_000);
});
