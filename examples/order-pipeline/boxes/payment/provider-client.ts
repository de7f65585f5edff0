import { PermanentError, TransientError } from 'factline';
import { z } from 'zod';

/** What a call of the provider needs, of an effect or of a step: a stable key, and when to give up. */
export interface ProviderCall {
  readonly idempotencyKey: string;
  /** Without it a call that has begun is waited for, so that what it came to is known. */
  readonly signal?: AbortSignal;
}

interface Amount {
  readonly orderId: string;
  readonly pence: number;
}

interface AuthorisationEnd {
  readonly orderId: string;
  readonly authorisationId: string;
}

export interface ProviderClient {
  /** Takes the money at once. */
  charge(request: Amount, call: ProviderCall): Promise<ProviderAnswer>;
  /** Sets the money aside, to be captured or voided. */
  authorise(request: Amount, call: ProviderCall): Promise<ProviderAnswer>;
  capture(request: AuthorisationEnd, call: ProviderCall): Promise<ProviderAnswer>;
  void(request: AuthorisationEnd, call: ProviderCall): Promise<ProviderAnswer>;
  refund(request: Amount & { chargeId: string }, call: ProviderCall): Promise<ProviderAnswer>;
  /** What stands under an order; null: nothing was authorised. */
  standing(orderId: string): Promise<Standing | null>;
}

export type ProviderAnswer = z.infer<typeof answerSchema>;

const answerSchema = z.object({
  id: z.string(),
  status: z.enum(['captured', 'declined', 'refunded', 'authorised', 'voided']),
  pence: z.int(),
});

export type Standing = z.infer<typeof standingSchema>;

const standingSchema = z.object({
  authorisationId: z.string(),
  status: z.enum(['authorised', 'captured', 'voided']),
  pence: z.int(),
  chargeId: z.string().nullable(),
});

const problemSchema = z.object({ title: z.string() });

export function createProviderClient(url: string): ProviderClient {
  return {
    charge: (request, call) => post(`${url}/charges`, request, call),
    authorise: (request, call) => post(`${url}/authorisations`, request, call),
    capture: (request, call) => post(`${url}/captures`, request, call),
    void: (request, call) => post(`${url}/voids`, request, call),
    refund: (request, call) => post(`${url}/refunds`, request, call),
    standing: (orderId) => look(url, orderId),
  };
}

/** Nobody waits longer for an answer. */
const ANSWER_MS = 30_000;

async function look(url: string, orderId: string): Promise<Standing | null> {
  const { response, body } = await send(`${url}/authorisations?orderId=${encodeURIComponent(orderId)}`, {});
  return response.status === 404 ? null : standingSchema.parse(accepted(response, body));
}

async function post(url: string, request: unknown, call: ProviderCall): Promise<ProviderAnswer> {
  const { response, body } = await send(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Idempotency-Key': call.idempotencyKey },
    body: JSON.stringify(request),
    ...(call.signal !== undefined && { signal: call.signal }),
  });
  return answerSchema.parse(accepted(response, body));
}

async function send(url: string, init: RequestInit): Promise<{ response: Response; body: unknown }> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS), ...init });
    return { response, body: await response.json() };
  } catch (cause) {
    throw new TransientError('payment-provider: no answer', { cause });
  }
}

/**
 * The class of the error decides what Factline does with it: a provider that is down is asked again later (and trips
 * the breaker when it stays down); an amount that it will never take is quarantined at once. By the status the quarantine
 * tells a closed account from a wrong amount.
 */
function accepted(response: Response, body: unknown): unknown {
  if (response.ok) return body;
  const title = problemSchema.safeParse(body).data?.title ?? `status ${response.status}`;
  const message = `payment-provider: ${title}`;
  if (response.status >= 500 || response.status === 429)
    throw new TransientError(message, retryAfter(response));
  throw Object.assign(new PermanentError(message), { status: response.status });
}

function retryAfter(response: Response): { retryAfter?: `${number}s` } {
  const seconds = Number(response.headers.get('Retry-After'));
  return seconds > 0 ? { retryAfter: `${seconds}s` } : {};
}
