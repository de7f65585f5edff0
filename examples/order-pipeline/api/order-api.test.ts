import { createFactline, type Factline } from 'factline';
import type { Hono } from 'hono';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as contracts from '../contracts/index.ts';
import { createTables } from '../database.ts';
import { customerSpend } from '../read-models/customer-spend.ts';
import { orderSummary } from '../read-models/order-summary.ts';
import { createTestDatabase, type TestDatabase } from '../test/database.ts';
import { orderApi, TOKEN_HEADER } from './order-api.ts';
import { problemName } from './problems.ts';

let database: TestDatabase;
let pool: pg.Pool;
let app: Factline;
let api: Hono;
beforeAll(async () => {
  database = await createTestDatabase('api');
  await createTables(database.url);
  pool = new pg.Pool({ connectionString: database.url });
  app = createFactline({
    name: 'order-pipeline',
    database: database.url,
    consumers: [orderSummary, customerSpend],
    contracts,
  });
  await app.start();
  api = orderApi(app);
});
afterAll(async () => {
  await app?.stop();
  await pool?.end();
  await database?.drop();
});

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly token: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever JSON the API answers with
  readonly body: any;
}

async function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await api.request(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return answerOf(response);
}

async function get(path: string, token?: string): Promise<Answer> {
  return answerOf(await api.request(path, { headers: token === undefined ? {} : { [TOKEN_HEADER]: token } }));
}

async function answerOf(response: Response): Promise<Answer> {
  const { status, headers } = response;
  return {
    status,
    type: headers.get('Content-Type') ?? '',
    token: headers.get(TOKEN_HEADER) ?? '',
    body: await response.json(),
  };
}

const order = (orderId: string, customerId: string, change: object = {}): object => ({
  orderId,
  customerId,
  country: 'EIRE',
  placedAt: '2011-01-18T10:01:00Z',
  lines: [{ stockCode: '23166a', quantity: 10, unitPrice: '1.04' }],
  ...change,
});

const cancellation = (cancellationId: string, customerId: string, quantity: number): object => ({
  cancellationId,
  customerId,
  country: 'EIRE',
  requestedAt: '2011-01-18T10:17:00Z',
  lines: [{ stockCode: '23166A', quantity }],
});

const events = async (): Promise<number> =>
  Number((await pool.query('select count(*) from factline.events')).rows[0].count);

describe('an order', () => {
  it('can be read at once with the token of the answer', async () => {
    const { status, body, token } = await post('/orders', order('1001', '1'));
    expect([status, body]).toEqual([201, expect.objectContaining({ orderId: '1001', totalPence: 1040 })]);
    expect(await get('/orders/1001', token)).toMatchObject({
      status: 200,
      body: { status: 'placed', totalPence: 1040 },
    });
    expect((await get('/customers/1/EIRE', token)).body).toMatchObject({ orders: 1, orderedPence: 1040 });
  });

  it('is placed once, however often and concurrently it is posted under one Idempotency-Key', async () => {
    const before = await events();
    const headers = { 'Idempotency-Key': 'k-1002' };
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => post('/orders', order('1002', '2'), headers)),
    );
    for (const answer of answers) expect(answer).toMatchObject({ status: 201, body: answers[0]?.body });
    expect(await events()).toBe(before + 1);
  });

  it('is refused when its Idempotency-Key was used for another body, and when its number is taken', async () => {
    await post('/orders', order('1003', '3'), { 'Idempotency-Key': 'k-1003' });
    const reused = await post('/orders', order('1004', '3'), { 'Idempotency-Key': 'k-1003' });
    expect([reused.status, problemName(reused.body.type)]).toEqual([422, 'idempotency-key-reused']);
    for (const headers of [{}, { 'Idempotency-Key': 'k-other' }]) {
      const taken = await post('/orders', order('1003', '3'), headers);
      expect([taken.status, problemName(taken.body.type)]).toEqual([409, 'order-exists']);
    }
    // The refused request left nothing behind: its key is still free.
    expect((await post('/orders', order('1005', '3'), { 'Idempotency-Key': 'k-other' })).status).toBe(201);
  });

  it('that is refused is answered with problem details, and nothing is written', async () => {
    const before = await events();
    const lines = [{ stockCode: '21777', quantity: -10, unitPrice: '0' }];
    const { status, type, body } = await post('/orders', order('1006', '3', { lines }));
    expect([status, type]).toEqual([422, 'application/problem+json']);
    expect(body).toMatchObject({ title: 'A quantity must be positive', detail: 'line 1: quantity is -10' });
    expect(await events()).toBe(before);
    expect((await get('/orders/1006')).status).toBe(404);
  });
});

describe('a cancellation', () => {
  it('finds the newest order of the customer and product, whatever the case of the code', async () => {
    await post('/orders', order('2001', '20'));
    await post('/orders', order('2002', '20', { country: 'France' }));
    const { status, body, token } = await post('/cancellations', cancellation('C2003', '20', 12));
    expect(status).toBe(201);
    expect(body.orders).toEqual([
      { orderId: '2002', pence: 1040, whole: true },
      { orderId: '2001', pence: 208, whole: false },
    ]);
    expect((await get('/orders/2002', token)).body).toMatchObject({
      cancelledPence: 1040,
      cancelledWhole: true,
    });
    // The money goes back to the account that it came from, not to the cancellation's country.
    expect((await get('/customers/20/France', token)).body).toMatchObject({ cancelledPence: 1040 });
  });

  it('that matches no earlier order is rejected, on record, and again when repeated', async () => {
    const before = await events();
    const headers = { 'Idempotency-Key': 'k-C2100' };
    for (const _ of [1, 2]) {
      const { status, body } = await post('/cancellations', cancellation('C2100', '21', 1), headers);
      expect([status, problemName(body.type)]).toEqual([422, 'cancellation-matches-no-order']);
    }
    expect(await events()).toBe(before + 1);
  });

  it('of more than is left is rejected, also when two come at once', async () => {
    await post('/orders', order('2201', '22'));
    const both = await Promise.all(
      ['C2202', 'C2203'].map((id) => post('/cancellations', cancellation(id, '22', 6))),
    );
    expect(both.map(({ status }) => status).sort()).toEqual([201, 422]);
    const { body } = await post('/cancellations', cancellation('C2204', '22', 4));
    expect(body.orders).toEqual([{ orderId: '2201', pence: 416, whole: true }]);
  });

  it('of two lines of one order at once makes it whole exactly once', async () => {
    const lines = ['11111', '22222'].map((stockCode) => ({ stockCode, quantity: 1, unitPrice: '1' }));
    await post('/orders', order('2301', '23', { lines }));
    const one = (id: string, stockCode: string): object => ({
      ...cancellation(id, '23', 1),
      lines: [{ stockCode, quantity: 1 }],
    });
    const both = await Promise.all([
      post('/cancellations', one('C2302', '11111')),
      post('/cancellations', one('C2303', '22222')),
    ]);
    expect(both.map(({ body }) => body.orders[0].whole).sort()).toEqual([false, true]);
  });
});

describe('a request that is none', () => {
  it.each([
    ['not JSON', '{', { 'Content-Type': 'application/json' }, 400, 'malformed-json'],
    ['another media type', '{}', { 'Content-Type': 'text/plain' }, 415, 'unsupported-media-type'],
    ['too large', JSON.stringify('x'.repeat(1_100_000)), {}, 413, 'body-too-large'],
    ['an empty key', '{}', { 'Idempotency-Key': '' }, 400, 'malformed-idempotency-key'],
    ['unknown fields', '{"colour":"red"}', {}, 422, 'schema-violation'],
  ])('is refused: %s', async (_, body, headers, status, name) => {
    const answer = await post('/orders', body, headers);
    expect([answer.status, problemName(answer.body.type)]).toEqual([status, name]);
  });

  it('names no route, or carries a token that cannot be read', async () => {
    expect((await get('/nowhere')).status).toBe(404);
    const { status, body } = await get('/orders/1', 'not a token');
    expect([status, problemName(body.type)]).toEqual([400, 'malformed-token']);
  });

  it('does not disturb the health of the API', async () => {
    expect((await get('/health')).status).toBe(200);
  });
});
