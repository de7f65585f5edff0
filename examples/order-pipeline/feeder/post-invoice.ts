import { problemName } from '../api/problems.ts';
import type { Invoice } from '../input/index.ts';

/** What the API made of one invoice. */
export type Outcome =
  | { readonly kind: 'accepted'; readonly rejectedLines: ReadonlyArray<{ readonly reason: string }> }
  | { readonly kind: 'refused'; readonly reason: string };

const ATTEMPTS_MAX = 5;
const RETRY_MS = 200;
const TIMEOUT_MS = 60_000;

/** Posts one invoice as an order or a cancellation; a repeat carries the same `Idempotency-Key`. */
export async function postInvoice(apiUrl: string, invoice: Invoice): Promise<Outcome> {
  const cancellation = invoice.kind === 'cancellation';
  const body = JSON.stringify(cancellation ? toCancellation(invoice) : toOrder(invoice));
  for (let attempt = 1; ; attempt += 1) {
    try {
      const response = await fetch(`${apiUrl}/${cancellation ? 'cancellations' : 'orders'}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', 'Idempotency-Key': `feed-${invoice.number}` },
        body,
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      const answer = (await response.json()) as { type?: string; detail?: string; rejectedLines?: [] };
      if (response.ok) return { kind: 'accepted', rejectedLines: answer.rejectedLines ?? [] };
      if (response.status < 500) return { kind: 'refused', reason: problemName(answer.type ?? 'unknown') };
      throw new Error(`${response.status}: ${answer.detail}`);
    } catch (error) {
      if (attempt >= ATTEMPTS_MAX)
        throw new Error(`invoice ${invoice.number} got no answer`, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS * attempt));
    }
  }
}

function toOrder({ number, customerId, country, placedAt, rows }: Invoice): unknown {
  return {
    orderId: number,
    ...(customerId !== '' && { customerId }),
    country,
    placedAt,
    lines: rows.map(({ stockCode, description, quantity, unitPrice }) => ({
      stockCode,
      ...(description !== '' && { description }),
      quantity,
      unitPrice,
    })),
  };
}

/** The feed writes a cancelled quantity as a negative number, the API asks for how many. */
function toCancellation({ number, customerId, country, placedAt, rows }: Invoice): unknown {
  return {
    cancellationId: number,
    ...(customerId !== '' && { customerId }),
    country,
    requestedAt: placedAt,
    lines: rows.map(({ stockCode, quantity }) => ({ stockCode, quantity: -quantity })),
  };
}
