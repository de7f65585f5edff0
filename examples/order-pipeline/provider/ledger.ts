import { createHash, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type pg from 'pg';

export interface ChargeRequest {
  readonly orderId: string;
  readonly pence: number;
}

/** Ends an authorisation: all of it is captured, or nothing. */
export interface EndRequest {
  readonly orderId: string;
  readonly authorisationId: string;
}

export interface RefundRequest {
  readonly orderId: string;
  readonly chargeId: string;
  readonly pence: number;
}

/** What the ledger says about one idempotency key; equal however often it is asked. */
export interface LedgerEntry {
  readonly reference: string;
  readonly status: 'captured' | 'declined' | 'refunded' | 'authorised' | 'voided';
  readonly pence: number;
  /** The key had been booked before this call. */
  readonly repeated: boolean;
}

export type Refusal =
  | 'idempotency key reused'
  | 'unknown charge'
  | 'unknown authorisation'
  | 'already captured'
  | 'already voided'
  | 'more than was charged';

export type Booking = LedgerEntry | { readonly refused: Refusal };

/** The provider's books: every charge, authorisation, capture, void and refund once, under the key it was asked with. */
export interface Ledger {
  charge(key: string, request: ChargeRequest, declined: boolean): Promise<Booking>;
  authorise(key: string, request: ChargeRequest, declined: boolean): Promise<Booking>;
  capture(key: string, request: EndRequest): Promise<Booking>;
  void(key: string, request: EndRequest): Promise<Booking>;
  refund(key: string, request: RefundRequest): Promise<Booking>;
  /** What stands under an order, for those who never got an answer; null: nothing was authorised. */
  standing(orderId: string): Promise<Standing | null>;
}

export interface Standing {
  readonly authorisationId: string;
  readonly pence: number;
  readonly status: 'authorised' | 'captured' | 'voided';
  /** Of the capture. */
  readonly chargeId: string | null;
}

export async function openLedger(pool: pg.Pool): Promise<Ledger> {
  // A session that ends between two statements of a booking fails the booking, not the process.
  pool.on('connect', (client) => client.on('error', () => {}));
  await pool.query(await readFile(new URL('./tables.sql', import.meta.url), 'utf8'));
  return {
    charge: (key, request, declined) => bookFirst(pool, key, { kind: 'charge', request, declined }),
    authorise: (key, request, declined) => bookFirst(pool, key, { kind: 'authorisation', request, declined }),
    capture: (key, request) => bookNext(pool, key, endOf('capture', request)),
    void: (key, request) => bookNext(pool, key, endOf('void', request)),
    refund: (key, request) => bookNext(pool, key, refundOf(request)),
    standing: (orderId) => readStanding(pool, orderId),
  };
}

/** A charge or an authorisation. */
async function bookFirst(
  pool: pg.Pool,
  key: string,
  {
    kind,
    request,
    declined,
  }: { kind: 'charge' | 'authorisation'; request: ChargeRequest; declined: boolean },
): Promise<Booking> {
  const { orderId, pence } = request;
  const reference = `${kind === 'charge' ? 'ch' : 'au'}_${randomUUID()}`;
  const digest = digestOf(kind, orderId, pence);
  const status = declined ? 'declined' : kind === 'charge' ? 'captured' : 'authorised';
  const inserted = await pool.query(
    `insert into payment_provider.ledger
       (idempotency_key, request_digest, kind, status, reference, charge, order_id, pence)
     values ($1, $2, $3, $4, $5, $5, $6, $7) on conflict (idempotency_key) do nothing`,
    [key, digest, kind, status, reference, orderId, pence],
  );
  if (inserted.rowCount === 1) return { reference, status, pence, repeated: false };
  return repeatOf(pool, key, digest);
}

/** What goes on from an earlier entry. */
interface Next {
  readonly kind: 'capture' | 'void' | 'refund';
  readonly status: LedgerEntry['status'];
  readonly prefix: string;
  readonly orderId: string;
  readonly digest: string;
  /** The entry that it goes on from, and what that must be. */
  readonly earlier: string;
  readonly earlierStatus: LedgerEntry['status'];
  readonly unknown: Refusal;
  /** How much of the earlier entry's pence is booked, or why it is not. */
  decide(earlierPence: number, ends: readonly NextRow[]): number | Refusal;
}

/** What has gone on from the same entry before. */
interface NextRow {
  readonly kind: string;
  readonly pence: string;
}

function endOf(kind: 'capture' | 'void', { orderId, authorisationId }: EndRequest): Next {
  return {
    kind,
    status: kind === 'capture' ? 'captured' : 'voided',
    prefix: kind === 'capture' ? 'ch' : 'vo',
    orderId,
    digest: digestOf(kind, authorisationId),
    earlier: authorisationId,
    earlierStatus: 'authorised',
    unknown: 'unknown authorisation',
    decide: (pence, [end]) => {
      if (end === undefined) return pence;
      return end.kind === 'capture' ? 'already captured' : 'already voided';
    },
  };
}

function refundOf({ orderId, chargeId, pence }: RefundRequest): Next {
  return {
    kind: 'refund',
    status: 'refunded',
    prefix: 're',
    orderId,
    digest: digestOf('refund', chargeId, pence),
    earlier: chargeId,
    earlierStatus: 'captured',
    unknown: 'unknown charge',
    decide: (charged, refunds) => {
      const given = refunds.reduce((sum, refund) => sum + Number(refund.pence), 0);
      return given + pence > charged ? 'more than was charged' : pence;
    },
  };
}

async function bookNext(pool: pg.Pool, key: string, next: Next): Promise<Booking> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    const booking = await bookUnderLock(client, key, next);
    await client.query('commit');
    return booking;
  } catch (error) {
    await client.query('rollback').catch(() => {});
    throw error;
  } finally {
    client.release();
  }
}

async function bookUnderLock(client: pg.PoolClient, key: string, next: Next): Promise<Booking> {
  const { kind, status, digest, earlier, orderId } = next;
  // The earlier entry's row is locked first, so two refunds of one charge cannot both take its last penny.
  const found = await client.query<{ pence: string }>(
    `select pence from payment_provider.ledger where reference = $1 and status = $2 and order_id = $3 for update`,
    [earlier, next.earlierStatus, orderId],
  );
  const repeated = await client.query('select from payment_provider.ledger where idempotency_key = $1', [
    key,
  ]);
  if (repeated.rowCount === 1) return repeatOf(client, key, digest);
  const [entry] = found.rows;
  if (entry === undefined) return { refused: next.unknown };
  const { rows: ends } = await client.query<NextRow>(
    'select kind, pence from payment_provider.ledger where charge = $1 and reference <> $1',
    [earlier],
  );
  const pence = next.decide(Number(entry.pence), ends);
  if (typeof pence === 'string') return { refused: pence };
  const reference = `${next.prefix}_${randomUUID()}`;
  await client.query(
    `insert into payment_provider.ledger
       (idempotency_key, request_digest, kind, status, reference, charge, order_id, pence)
     values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [key, digest, kind, status, reference, earlier, orderId, pence],
  );
  return { reference, status, pence, repeated: false };
}

async function readStanding(pool: pg.Pool, orderId: string): Promise<Standing | null> {
  const { rows } = await pool.query<Standing>(
    `select a.reference as "authorisationId", a.pence::float8 as pence, coalesce(e.status, 'authorised') as status,
       case e.kind when 'capture' then e.reference end as "chargeId"
     from payment_provider.ledger a
       left join payment_provider.ledger e on e.charge = a.reference and e.kind in ('capture', 'void')
     where a.order_id = $1 and a.kind = 'authorisation' and a.status = 'authorised' order by a.entry desc limit 1`,
    [orderId],
  );
  return rows[0] ?? null;
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
