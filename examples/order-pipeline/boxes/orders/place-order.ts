import type { Factline, Tx } from 'factline';
import { OrderPlaced } from '../../contracts/index.ts';
import { earlierAnswer, type RequestKey, type StoredAnswer } from './request-log.ts';

export interface NewOrder {
  readonly orderId: string;
  readonly customerId: string;
  readonly country: string;
  readonly placedAt: Date;
  readonly lines: ReadonlyArray<{
    readonly stockCode: string;
    readonly description: string | null;
    readonly quantity: number;
    readonly unitPence: number;
  }>;
}

/** The order number is taken. */
export class OrderExists extends Error {
  override readonly name = 'OrderExists';
}

/** Writes an order with its lines and publishes that it was placed, in one transaction; a repeat changes nothing. */
export async function placeOrder(
  app: Pick<Factline, 'transaction'>,
  order: NewOrder,
  request: RequestKey | null,
): Promise<{ answer: StoredAnswer; token: string }> {
  const lines = order.lines.map((line, index) => ({
    ...line,
    line: index + 1,
    product: line.stockCode.toUpperCase(),
  }));
  const totalPence = lines.reduce((sum, { quantity, unitPence }) => sum + quantity * unitPence, 0);
  const { orderId, customerId, country } = order;
  const answer = { status: 201, body: { orderId, customerId, country, totalPence, status: 'placed' } };
  const { value, token } = await app.transaction(async (tx) => {
    const { claimed, placed } = await writeOrder(tx, order, { lines, totalPence, request, answer });
    if (!claimed && request !== null) {
      const earlier = await earlierAnswer(tx, request);
      if (earlier !== null) return earlier;
    }
    if (!placed) throw new OrderExists(orderId);
    const facts = lines.map(({ product, quantity, unitPence }) => ({ product, quantity, unitPence }));
    tx.publish(
      OrderPlaced({ orderId, customerId, country, totalPence, lines: facts }, { time: order.placedAt }),
    );
    return answer;
  });
  return { answer: value, token };
}

interface Writing {
  readonly lines: readonly unknown[];
  readonly totalPence: number;
  readonly request: RequestKey | null;
  readonly answer: StoredAnswer;
}

async function writeOrder(
  tx: Tx,
  order: NewOrder,
  { lines, totalPence, request, answer }: Writing,
): Promise<{ claimed: boolean; placed: boolean }> {
  const { rows } = await tx.query(
    `with claimed as (
       insert into orders.requests (key, digest, status, body)
       select $1, $2, $3::integer, $4::jsonb where $1::text is not null
       on conflict (key) do nothing returning key
     ), placed as (
       insert into orders.orders (order_id, customer_id, country, placed_at, total_pence)
       select $5, $6, $7, $8::timestamptz, $9::bigint where $1::text is null or exists (select from claimed)
       on conflict (order_id) do nothing returning order_id, customer_id
     ), written as (
       insert into orders.order_lines
         (order_id, line, customer_id, product, stock_code, description, quantity, unit_pence, open)
       select p.order_id, l.line, p.customer_id, l.product, l."stockCode", l.description, l.quantity, l."unitPence", l.quantity
       from placed p, jsonb_to_recordset($10::jsonb) as l(
         line integer, product text, "stockCode" text, description text, quantity integer, "unitPence" bigint)
     )
     select exists (select from claimed) as claimed, exists (select from placed) as placed`,
    [
      request?.key ?? null,
      request?.digest ?? null,
      answer.status,
      JSON.stringify(answer.body),
      order.orderId,
      order.customerId,
      order.country,
      order.placedAt.toISOString(),
      totalPence,
      JSON.stringify(lines),
    ],
  );
  const [written] = rows as Array<{ claimed: boolean; placed: boolean }>;
  return written ?? { claimed: false, placed: false };
}
