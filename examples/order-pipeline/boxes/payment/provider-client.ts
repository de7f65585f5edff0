import { PermanentError, TransientError } from 'factline';
import { z } from 'zod';

/** What the box needs from a call of the effect: a stable key, and when to give up. */
interface ProviderCall {
  readonly idempotencyKey: string;
  readonly signal: AbortSignal;
}

export interface ProviderClient {
  charge(request: { orderId: string; pence: number }, call: ProviderCall): Promise<ProviderAnswer>;
  refund(
    request: { orderId: string; chargeId: string; pence: number },
    call: ProviderCall,
  ): Promise<ProviderAnswer>;
}

export type ProviderAnswer = z.infer<typeof answerSchema>;

const answerSchema = z.object({
  id: z.string(),
  status: z.enum(['captured', 'declined', 'refunded']),
  pence: z.int(),
});

const problemSchema = z.object({ title: z.string() });

export function createProviderClient(url: string): ProviderClient {
  return {
    charge: (request, call) => post(`${url}/charges`, request, call),
    refund: (request, call) => post(`${url}/refunds`, request, call),
  };
}

/**
 * The class of the error decides what Factline does with it: a provider that is down is asked again later (and trips
 * the breaker when it stays down); an amount that it will never take is quarantined at once.
 */
async function post(url: string, request: unknown, call: ProviderCall): Promise<ProviderAnswer> {
  let response: Response;
  let body: unknown;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Idempotency-Key': call.idempotencyKey },
      body: JSON.stringify(request),
      signal: call.signal,
    });
    body = await response.json();
  } catch (cause) {
    throw new TransientError('payment-provider: no answer', { cause });
  }
  if (response.ok) return answerSchema.parse(body);
  const title = problemSchema.safeParse(body).data?.title ?? `status ${response.status}`;
  const message = `payment-provider: ${title}`;
  if (response.status >= 500 || response.status === 429)
    throw new TransientError(message, retryAfter(response));
  throw new PermanentError(message);
}

function retryAfter(response: Response): { retryAfter?: `${number}s` } {
  const seconds = Number(response.headers.get('Retry-After'));
  return seconds > 0 ? { retryAfter: `${seconds}s` } : {};
}
