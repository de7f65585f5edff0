import { createHash, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type pg from 'pg';

export interface ChargeRequest {
  readonly orderId: string;
  readonly pence: number;
}

export interface RefundRequest {
  readonly orderId: string;
  readonly chargeId: string;
  readonly pence: number;
}

/** What the ledger says about one idempotency key; equal however often it is asked. */
export interface LedgerEntry {
  readonly reference: string;
  readonly status: 'captured' | 'declined' | 'refunded';
  readonly pence: number;
  /** The key had been booked before this call. */
  readonly repeated: boolean;
}

export type Booking =
  | LedgerEntry
  | { readonly refused: 'idempotency key reused' | 'unknown charge' | 'more than was charged' };

/** The provider's books: every charge, decline and refund once, under the idempotency key it was asked with. */
export interface Ledger {
  charge(key: string, request: ChargeRequest, declined: boolean): Promise<Booking>;
  refund(key: string, request: RefundRequest): Promise<Booking>;
}

export async function openLedger(pool: pg.Pool): Promise<Ledger> {
  await pool.query(await readFile(new URL('./tables.sql', import.meta.url), 'utf8'));
  return {
    charge: (key, request, declined) => bookCharge(pool, key, { request, declined }),
    refund: (key, request) => bookRefund(pool, key, request),
  };
}

async function bookCharge(
  pool: pg.Pool,
  key: string,
  { request, declined }: { request: ChargeRequest; declined: boolean },
): Promise<Booking> {
  const reference = `ch_${randomUUID()}`;
  const digest = digestOf('charge', request.orderId, request.pence);
  const status = declined ? 'declined' : 'captured';
  const inserted = await pool.query(
    `insert into payment_provider.ledger
       (idempotency_key, request_digest, kind, status, reference, charge, order_id, pence)
     values ($1, $2, 'charge', $3, $4, $4, $5, $6) on conflict (idempotency_key) do nothing`,
    [key, digest, status, reference, request.orderId, request.pence],
  );
  if (inserted.rowCount === 1) return { reference, status, pence: request.pence, repeated: false };
  return repeatOf(pool, key, digest);
}

async function bookRefund(pool: pg.Pool, key: string, request: RefundRequest): Promise<Booking> {
  const digest = digestOf('refund', request.chargeId, request.pence);
  const client = await pool.connect();
  try {
    await client.query('begin');
    const booking = await refundUnderLock(client, key, { request, digest });
    await client.query('commit');
    return booking;
  } catch (error) {
    await client.query('rollback').catch(() => {});
    throw error;
  } finally {
    client.release();
  }
}

async function refundUnderLock(
  client: pg.PoolClient,
  key: string,
  { request, digest }: { request: RefundRequest; digest: string },
): Promise<Booking> {
  // The charge's row is locked first, so two refunds of one charge cannot both take its last penny.
  const charge = await client.query<{ pence: string }>(
    `select pence from payment_provider.ledger
     where reference = $1 and kind = 'charge' and status = 'captured' and order_id = $2 for update`,
    [request.chargeId, request.orderId],
  );
  const earlier = await client.query('select from payment_provider.ledger where idempotency_key = $1', [key]);
  if (earlier.rowCount === 1) return repeatOf(client, key, digest);
  const [charged] = charge.rows;
  if (charged === undefined) return { refused: 'unknown charge' };
  const given = await client.query<{ pence: string }>(
    `select coalesce(sum(pence), 0) as pence from payment_provider.ledger where charge = $1 and kind = 'refund'`,
    [request.chargeId],
  );
  if (Number(given.rows[0]?.pence) + request.pence > Number(charged.pence))
    return { refused: 'more than was charged' };
  const reference = `re_${randomUUID()}`;
  await client.query(
    `insert into payment_provider.ledger
       (idempotency_key, request_digest, kind, status, reference, charge, order_id, pence)
     values ($1, $2, 'refund', 'refunded', $3, $4, $5, $6)`,
    [key, digest, reference, request.chargeId, request.orderId, request.pence],
  );
  return { reference, status: 'refunded', pence: request.pence, repeated: false };
}

interface StoredEntry {
  readonly reference: string;
  readonly status: LedgerEntry['status'];
  readonly pence: string;
  readonly request_digest: string;
}

async function repeatOf(on: pg.Pool | pg.PoolClient, key: string, digest: string): Promise<Booking> {
  const { rows } = await on.query<StoredEntry>(
    'select reference, status, pence, request_digest from payment_provider.ledger where idempotency_key = $1',
    [key],
  );
  const [entry] = rows;
  if (entry === undefined || entry.request_digest !== digest) return { refused: 'idempotency key reused' };
  return { reference: entry.reference, status: entry.status, pence: Number(entry.pence), repeated: true };
}

function digestOf(...parts: ReadonlyArray<string | number>): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
