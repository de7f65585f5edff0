import type { Factline, Tx } from 'factline';
import { CancellationRejected, OrderCancelled } from '../../contracts/index.ts';
import { type Match, matchCancellation, type OpenLine, type TakenUnits } from './match-cancellation.ts';
import { earlierAnswer, type RequestKey, type StoredAnswer } from './request-log.ts';

export interface NewCancellation {
  readonly cancellationId: string;
  readonly customerId: string;
  readonly country: string;
  readonly requestedAt: Date;
  readonly lines: ReadonlyArray<{ readonly stockCode: string; readonly quantity: number }>;
}

/** The cancellation's number is taken. */
export class CancellationExists extends Error {
  override readonly name = 'CancellationExists';
}

/** How an answer to a cancellation is worded, so that it can be stored with what it answers. */
export type WordAnswer = (
  cancellation: NewCancellation,
  match: Match,
  wholeOrders: ReadonlySet<string>,
) => StoredAnswer;

/**
 * Finds what a cancellation means and publishes, per order touched, what was cancelled. A cancellation none of whose
 * lines matches is rejected, and that is a fact too. Everything in one transaction; a repeat changes nothing.
 */
export async function cancelOrder(
  app: Pick<Factline, 'transaction'>,
  cancellation: NewCancellation,
  { request, word }: { request: RequestKey | null; word: WordAnswer },
): Promise<{ answer: StoredAnswer; token: string }> {
  const { value, token } = await app.transaction(async (tx) => {
    if (request !== null) {
      const earlier = await claim(tx, request);
      if (earlier !== null) return earlier;
    }
    const lines = cancellation.lines.map(({ stockCode, quantity }) => ({
      product: stockCode.toUpperCase(),
      quantity,
    }));
    const open = await lockOpenLines(tx, cancellation.customerId, [
      ...new Set(lines.map(({ product }) => product)),
    ]);
    const match = matchCancellation(lines, open);
    await writeCancellation(tx, cancellation, match);
    const whole = await wholeOrders(tx, [...new Set(match.taken.map(({ orderId }) => orderId))]);
    publishFacts(tx, cancellation, { match, whole });
    const answer = word(cancellation, match, whole);
    if (request !== null) await storeAnswer(tx, request, answer);
    return answer;
  });
  return { answer: value, token };
}

async function claim(tx: Tx, request: RequestKey): Promise<StoredAnswer | null> {
  const { rowCount } = await tx.query(
    `insert into orders.requests (key, digest, status, body) values ($1, $2, 0, 'null') on conflict (key) do nothing`,
    [request.key, request.digest],
  );
  return rowCount === 1 ? null : earlierAnswer(tx, request);
}

async function storeAnswer(tx: Tx, request: RequestKey, answer: StoredAnswer): Promise<void> {
  await tx.query('update orders.requests set status = $2, body = $3::jsonb where key = $1', [
    request.key,
    answer.status,
    JSON.stringify(answer.body),
  ]);
}

/**
 * The customer's open lines of these products, the newest order first. The orders are locked along with the lines, so
 * that of two cancellations at once the later one sees whether anything of an order is left.
 */
async function lockOpenLines(tx: Tx, customerId: string, products: readonly string[]): Promise<OpenLine[]> {
  const { rows } = await tx.query(
    `select l.order_id as "orderId", o.country, l.line, l.product, l.open, l.unit_pence::float8 as "unitPence"
     from orders.order_lines l join orders.orders o using (order_id)
     where l.customer_id = $1 and l.product = any ($2::text[]) and l.open > 0 and l.customer_id <> 'guest'
     order by o.accepted desc, l.line for update of o, l`,
    [customerId, products],
  );
  return rows as OpenLine[];
}

async function writeCancellation(
  tx: Tx,
  cancellation: NewCancellation,
  { taken, rejected }: Match,
): Promise<void> {
  const partly = rejected.length > 0 ? 'partly accepted' : 'accepted';
  const { rows } = await tx.query(
    `with written as (
       insert into orders.cancellations (cancellation_id, customer_id, requested_at, outcome)
       values ($1, $2, $3::timestamptz, $4) on conflict do nothing returning cancellation_id
     ), taken as (
       select * from jsonb_to_recordset($5::jsonb) as t(
         "cancellationLine" integer, "orderId" text, "orderLine" integer, units integer, "unitPence" bigint)
     ), units as (
       insert into orders.cancelled_units (cancellation_id, cancellation_line, order_id, order_line, units, pence)
       select w.cancellation_id, t."cancellationLine", t."orderId", t."orderLine", t.units, t.units * t."unitPence"
       from written w, taken t
     ), closed as (
       update orders.order_lines l set open = l.open - t.units
       from (select "orderId", "orderLine", sum(units)::integer as units from taken group by 1, 2) t
       where l.order_id = t."orderId" and l.line = t."orderLine"
     ), rejected as (
       insert into orders.rejected_lines (cancellation_id, cancellation_line, reason)
       select w.cancellation_id, r.line, r.reason
       from written w, jsonb_to_recordset($6::jsonb) as r(line integer, reason text)
     )
     select from written`,
    [
      cancellation.cancellationId,
      cancellation.customerId,
      cancellation.requestedAt.toISOString(),
      taken.length === 0 ? 'rejected' : partly,
      JSON.stringify(taken),
      JSON.stringify(rejected),
    ],
  );
  if (rows.length === 0) throw new CancellationExists(cancellation.cancellationId);
}

/** Which of these orders have nothing left open. */
async function wholeOrders(tx: Tx, orderIds: readonly string[]): Promise<ReadonlySet<string>> {
  if (orderIds.length === 0) return new Set();
  const { rows } = await tx.query(
    `select order_id as "orderId" from orders.order_lines where order_id = any ($1::text[])
     group by order_id having sum(open) = 0`,
    [orderIds],
  );
  return new Set((rows as Array<{ orderId: string }>).map(({ orderId }) => orderId));
}

function publishFacts(
  tx: Tx,
  cancellation: NewCancellation,
  { match, whole }: { match: Match; whole: ReadonlySet<string> },
): void {
  const { cancellationId, customerId, requestedAt } = cancellation;
  const time = { time: requestedAt };
  if (match.taken.length === 0) {
    tx.publish(CancellationRejected({ cancellationId, customerId, reason: rejectionOf(match) }, time));
  }
  for (const [orderId, taken] of Map.groupBy(match.taken, (units) => units.orderId)) {
    const country = taken[0]?.country ?? cancellation.country;
    const pence = taken.reduce((sum, { units, unitPence }) => sum + units * unitPence, 0);
    const lines = taken.map(({ product, units, unitPence }: TakenUnits) => ({
      product,
      quantity: units,
      unitPence,
    }));
    const data = { orderId, cancellationId, customerId, country, pence, lines, whole: whole.has(orderId) };
    tx.publish(OrderCancelled(data, time));
  }
}

/** Why a cancellation as a whole was rejected: the reason of its lines, or that nothing was ever bought. */
export function rejectionOf(match: Match): string {
  return match.rejected.some(({ reason }) => reason === 'more than is left open')
    ? 'more than is left open'
    : 'no earlier order';
}
