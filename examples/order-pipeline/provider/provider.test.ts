import type { Hono } from 'hono';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../test/database.ts';
import { type Ledger, openLedger } from './ledger.ts';
import { providerApi } from './provider-api.ts';

let database: TestDatabase;
let pool: pg.Pool;
let ledger: Ledger;
let api: Hono;
beforeAll(async () => {
  database = await createTestDatabase('provider');
  pool = new pg.Pool({ connectionString: database.url });
  ledger = await openLedger(pool);
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});
beforeEach(async () => {
  await pool.query('truncate payment_provider.ledger');
  api = providerApi(ledger);
});

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

async function post(path: string, body: unknown, key: string | null): Promise<Answer> {
  const response = await api.request(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...(key !== null && { 'Idempotency-Key': key }) },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const behave = (behaviour: unknown): Promise<Response> | Response =>
  api.request('/admin/behaviour', { method: 'PUT', body: JSON.stringify(behaviour) });

const bookings = async (): Promise<number> =>
  Number((await pool.query('select count(*) from payment_provider.ledger')).rows[0].count);

describe('a charge', () => {
  it('is booked once under its key, however often and how concurrently it is asked for', async () => {
    const order = { orderId: '536365', pence: 13912 };
    const answers = await Promise.all(Array.from({ length: 20 }, () => post('/charges', order, 'k1')));
    const [first] = answers;
    expect(first).toMatchObject({ status: 201, body: { status: 'captured', pence: 13912 } });
    for (const answer of answers) expect(answer).toEqual(first);
    expect(await bookings()).toBe(1);
  });

  it('survives a restart of the provider', async () => {
    const first = await post('/charges', { orderId: '1', pence: 5 }, 'k1');
    api = providerApi(await openLedger(pool));
    expect(await post('/charges', { orderId: '1', pence: 5 }, 'k1')).toEqual(first);
  });

  it('is refused when its key was used for another body', async () => {
    await post('/charges', { orderId: '1', pence: 5 }, 'k1');
    const answer = await post('/charges', { orderId: '1', pence: 6 }, 'k1');
    expect(answer).toMatchObject({ status: 422, body: { title: 'idempotency key reused' } });
  });

  it('of nothing is refused, and so is one without a key or with a body that is none', async () => {
    expect(await post('/charges', { orderId: '1', pence: 0 }, 'k')).toMatchObject({
      status: 422,
      body: { title: 'amount is zero' },
    });
    expect((await post('/charges', { orderId: '1', pence: 5 }, null)).status).toBe(400);
    expect((await post('/charges', { orderId: '1', pence: 0.5 }, 'k')).status).toBe(400);
    expect((await post('/charges', { orderId: 'x'.repeat(20_000), pence: 5 }, 'k')).status).toBe(413);
    expect(await bookings()).toBe(0);
  });

  it('that was declined stays declined', async () => {
    await behave({ declinePercent: 100 });
    const declined = await post('/charges', { orderId: '1', pence: 5 }, 'k1');
    expect(declined.body['status']).toBe('declined');
    await behave({ declinePercent: 0 });
    expect(await post('/charges', { orderId: '1', pence: 5 }, 'k1')).toEqual(declined);
  });
});

describe('a refund', () => {
  it('is booked once under its key and never exceeds the charge, also when two come at once', async () => {
    const { body } = await post('/charges', { orderId: '1', pence: 100 }, 'charge');
    const refund = { orderId: '1', chargeId: body['id'], pence: 60 };
    const answers = await Promise.all([post('/refunds', refund, 'a'), post('/refunds', refund, 'b')]);
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 422]);
    const winner = answers[0]?.status === 201 ? 'a' : 'b';
    expect((await post('/refunds', refund, winner)).status).toBe(201);
    expect(await bookings()).toBe(2);
  });

  it('of an unknown charge, or of another order’s, is refused', async () => {
    const { body } = await post('/charges', { orderId: '1', pence: 100 }, 'charge');
    expect((await post('/refunds', { orderId: '1', chargeId: 'ch_x', pence: 1 }, 'a')).status).toBe(404);
    expect((await post('/refunds', { orderId: '2', chargeId: body['id'], pence: 1 }, 'b')).status).toBe(404);
  });
});

describe('an authorisation', () => {
  const authorise = async (key = 'a'): Promise<Answer> =>
    post('/authorisations', { orderId: '1', pence: 100 }, key);
  const end = (answer: Answer): object => ({ orderId: '1', authorisationId: answer.body['id'] });

  it('is captured once under its key, and what was captured can be refunded', async () => {
    const authorised = await authorise();
    expect(authorised).toMatchObject({ status: 201, body: { status: 'authorised', pence: 100 } });
    expect(await authorise()).toEqual(authorised);
    const captured = await post('/captures', end(authorised), 'c');
    expect(captured).toMatchObject({ status: 201, body: { status: 'captured', pence: 100 } });
    expect(await post('/captures', end(authorised), 'c')).toEqual(captured);
    const refund = { orderId: '1', chargeId: captured.body['id'], pence: 100 };
    expect((await post('/refunds', refund, 'r')).body['status']).toBe('refunded');
    expect((await post('/refunds', { ...refund, pence: 1 }, 'r2')).status).toBe(422);
    expect(await bookings()).toBe(3);
  });

  it('is voided or captured, whichever comes first, and never both', async () => {
    const authorised = await authorise();
    const ends = [post('/captures', end(authorised), 'c'), post('/voids', end(authorised), 'v')];
    const [captured, voided] = await Promise.all(ends);
    expect([captured?.status, voided?.status].sort()).toEqual([201, 409]);
    const loser = captured?.status === 409 ? captured : voided;
    expect(loser?.body['title']).toBe(loser === captured ? 'already voided' : 'already captured');
    expect(await bookings()).toBe(2);
  });

  it('is found by its order, for those who never got the answer, with what became of it', async () => {
    const standing = async (): Promise<unknown> => (await api.request('/authorisations?orderId=1')).json();
    expect(await standing()).toMatchObject({ status: 404 });
    const authorised = await authorise();
    const known = { authorisationId: authorised.body['id'], pence: 100 };
    expect(await standing()).toEqual({ ...known, status: 'authorised', chargeId: null });
    const { body } = await post('/captures', end(authorised), 'c');
    expect(await standing()).toEqual({ ...known, status: 'captured', chargeId: body['id'] });
    const other = await post('/authorisations', { orderId: '2', pence: 5 }, 'a2');
    await post('/voids', { orderId: '2', authorisationId: other.body['id'] }, 'v');
    const voided = await (await api.request('/authorisations?orderId=2')).json();
    expect(voided).toMatchObject({ status: 'voided', chargeId: null });
  });

  it('that was declined can be neither captured nor voided', async () => {
    await behave({ declinePercent: 100 });
    const declined = await authorise();
    expect(declined.body['status']).toBe('declined');
    expect(await post('/captures', end(declined), 'c')).toMatchObject({
      status: 404,
      body: { title: 'unknown authorisation' },
    });
    expect((await post('/voids', end(declined), 'v')).status).toBe(404);
  });

  it('of nothing is refused, as a charge is', async () => {
    const answer = await post('/authorisations', { orderId: '1', pence: 0 }, 'a');
    expect(answer).toMatchObject({ status: 422, body: { title: 'amount is zero' } });
  });
});

describe('on request', () => {
  it('the provider has an outage, books nothing meanwhile, and comes back', async () => {
    await behave({ outage: true });
    expect((await post('/charges', { orderId: '1', pence: 5 }, 'k')).status).toBe(503);
    expect(await bookings()).toBe(0);
    await behave({ outage: false });
    expect((await post('/charges', { orderId: '1', pence: 5 }, 'k')).status).toBe(201);
  });

  it('it suspends the account, which is no outage, and books nothing meanwhile', async () => {
    await behave({ suspended: true });
    expect((await post('/charges', { orderId: '1', pence: 5 }, 'k')).status).toBe(403);
    expect(await bookings()).toBe(0);
    await behave({ suspended: false });
    expect((await post('/charges', { orderId: '1', pence: 5 }, 'k')).status).toBe(201);
  });

  it('it is slow', async () => {
    await behave({ latencyMs: [80, 80] });
    const before = performance.now();
    await post('/charges', { orderId: '1', pence: 5 }, 'k');
    expect(performance.now() - before).toBeGreaterThan(70);
  });

  it('it refuses to behave in a way that it does not know', async () => {
    expect((await behave({ latencyMs: [5, 1] })).status).toBe(400);
    expect((await behave({ mood: 'bad' })).status).toBe(400);
  });
});
