import { createHash } from 'node:crypto';
import type { Context } from 'hono';
import { z } from 'zod';
import type { NewCancellation, NewOrder, RequestKey } from '../boxes/orders/index.ts';
import { readPrice } from '../input/index.ts';
import { ApiProblem, type ProblemDetails, type ProblemName } from './problems.ts';

/** Whoever orders without a customer number; guests share this name and cannot be told apart. */
const GUEST = 'guest';

const LINES_MAX = 5_000;
const KEY_LENGTH_MAX = 255;

const identifier = z.string().trim().min(1).max(64);
const time = z.iso.datetime();

const order = z.strictObject({
  orderId: identifier,
  customerId: identifier.optional(),
  country: z.string().trim().min(1).max(100),
  placedAt: time,
  lines: z
    .array(
      z.strictObject({
        stockCode: identifier,
        description: z.string().max(500).optional(),
        quantity: z.int(),
        /** Pounds as a decimal string, so that nothing is lost on the way: `"2.55"`. */
        unitPrice: z.string().max(30),
      }),
    )
    .min(1)
    .max(LINES_MAX),
});

const cancellation = z.strictObject({
  cancellationId: identifier,
  customerId: identifier.optional(),
  country: z.string().trim().min(1).max(100),
  requestedAt: time,
  lines: z
    .array(z.strictObject({ stockCode: identifier, quantity: z.int() }))
    .min(1)
    .max(LINES_MAX),
});

export function toOrder(body: unknown): NewOrder {
  const { orderId, customerId = GUEST, country, placedAt, lines } = check(order, body);
  if (/^A\d/.test(orderId)) {
    throw new ApiProblem('accounting-adjustment', `${orderId} adjusts the books; it orders nothing`);
  }
  return {
    orderId,
    customerId,
    country,
    placedAt: new Date(placedAt),
    lines: lines.map(({ stockCode, description, quantity, unitPrice }, index) => {
      checkQuantity(quantity, index);
      const unitPence = toPence(unitPrice, index);
      return { stockCode, description: description || null, quantity, unitPence };
    }),
  };
}

export function toCancellation(body: unknown): NewCancellation {
  const { cancellationId, customerId, country, requestedAt, lines } = check(cancellation, body);
  lines.forEach(({ quantity }, index) => {
    checkQuantity(quantity, index);
  });
  if (customerId === undefined || customerId === GUEST) {
    throw new ApiProblem('cancellation-without-customer', 'without a customer no earlier order can be found');
  }
  return { cancellationId, customerId, country, requestedAt: new Date(requestedAt), lines };
}

function check<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const errors = result.error.issues.map(({ path, message }) => ({
    pointer: pointer(path),
    detail: message,
  }));
  const [first] = errors;
  throw new ApiProblem('schema-violation', `${first?.pointer || 'the body'}: ${first?.detail}`, errors);
}

function checkQuantity(quantity: number, index: number): void {
  if (quantity > 0) return;
  throw atLine('negative-quantity', `quantity is ${quantity}`, { index, field: 'quantity' });
}

function toPence(unitPrice: string, index: number): number {
  const price = readPrice(unitPrice);
  const at = { index, field: 'unitPrice' };
  switch (price.kind) {
    case 'pence':
      return price.pence;
    case 'finer than a penny':
      throw atLine('price-finer-than-a-penny', `unitPrice is ${unitPrice}`, at);
    case 'negative':
      throw atLine('negative-price', `unitPrice is ${unitPrice}`, at);
    case 'not a price':
      throw atLine('schema-violation', `unitPrice is no decimal number: ${JSON.stringify(unitPrice)}`, at);
  }
}

function atLine(
  name: ProblemName,
  detail: string,
  { index, field }: { index: number; field: string },
): ApiProblem {
  const errors: ProblemDetails['errors'] = [{ pointer: `#/lines/${index}/${field}`, detail }];
  return new ApiProblem(name, `line ${index + 1}: ${detail}`, errors);
}

function pointer(path: readonly PropertyKey[]): string {
  return path.length === 0 ? '' : `#/${path.map(String).join('/')}`;
}

/** The body as JSON, and the key under which a repeat gets the same answer. */
export async function readRequest(context: Context): Promise<{ body: unknown; request: RequestKey | null }> {
  if (!/^application\/json\b/i.test(context.req.header('Content-Type') ?? '')) {
    throw new ApiProblem('unsupported-media-type', 'the Content-Type is not application/json');
  }
  const text = await context.req.text();
  const key = context.req.header('Idempotency-Key');
  if (key !== undefined && (key === '' || key.length > KEY_LENGTH_MAX)) {
    throw new ApiProblem('malformed-idempotency-key', `expected 1 to ${KEY_LENGTH_MAX} characters`);
  }
  const digest = createHash('sha256')
    .update(`${context.req.method} ${context.req.path}\n${text}`)
    .digest('hex');
  try {
    return { body: JSON.parse(text) as unknown, request: key === undefined ? null : { key, digest } };
  } catch (error) {
    throw new ApiProblem('malformed-json', error instanceof Error ? error.message : String(error));
  }
}
