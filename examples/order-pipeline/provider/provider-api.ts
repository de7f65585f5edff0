import { setTimeout as sleep } from 'node:timers/promises';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { z } from 'zod';
import {
  type Behaviour,
  behaviourSchema,
  changeSchema,
  DEFAULT_BEHAVIOUR,
  declines,
  latencyOf,
} from './behaviour.ts';
import type { Booking, Ledger, Refusal } from './ledger.ts';

const id = z.string().min(1).max(200);
const charge = z.strictObject({ orderId: id, pence: z.int() });
const refund = charge.extend({ chargeId: id });
const end = z.strictObject({ orderId: id, authorisationId: id });

const BODY_BYTES_MAX = 16 * 1024;
const KEY_LENGTH_MAX = 500;

const STATUS_OF: Readonly<Record<Refusal, ProblemStatus>> = {
  'idempotency key reused': 422,
  'unknown charge': 404,
  'unknown authorisation': 404,
  'already captured': 409,
  'already voided': 409,
  'more than was charged': 422,
};

type ProblemStatus = 400 | 403 | 404 | 409 | 413 | 422 | 500 | 503;

/**
 * The provider's HTTP interface: `POST /charges`, or `/authorisations` and then `/captures` or `/voids`; `POST /refunds`
 * (each needs an `Idempotency-Key`). `GET /authorisations?orderId=` tells what stands under an order. And `GET|PUT /admin/behaviour` to make it slow, choosy, unavailable or unwilling.
 */
export function providerApi(ledger: Ledger, initial: Behaviour = DEFAULT_BEHAVIOUR): Hono {
  let behaviour = initial;
  const api = new Hono();
  api.onError((error, context) => problem(context, 500, 'internal error', error.message));
  api.use(
    bodyLimit({
      maxSize: BODY_BYTES_MAX,
      onError: (context) => problem(context, 413, 'body too large', `at most ${BODY_BYTES_MAX} bytes`),
    }),
  );
  api.get('/health', (context) => context.json({ status: behaviour.outage ? 'outage' : 'ok' }));
  api.get('/admin/behaviour', (context) => context.json(behaviour));
  api.put('/admin/behaviour', async (context) => {
    const change = changeSchema.safeParse(await context.req.json().catch(() => null));
    if (!change.success) return problem(context, 400, 'bad behaviour', z.prettifyError(change.error));
    const next = behaviourSchema.safeParse({ ...behaviour, ...change.data });
    if (!next.success) return problem(context, 400, 'bad behaviour', z.prettifyError(next.error));
    behaviour = next.data;
    return context.json(behaviour);
  });
  api.use(async (context, next) => {
    const ms = latencyOf(behaviour);
    if (ms > 0) await sleep(ms);
    if (behaviour.suspended) return problem(context, 403, 'account suspended', 'nothing is booked for it');
    if (!behaviour.outage) return next();
    context.header('Retry-After', '1');
    return problem(context, 503, 'outage', 'the provider is not available');
  });
  const declined = (key: string): boolean => declines(behaviour, key);
  book(api, '/charges', {
    schema: charge,
    work: (key, request) => ledger.charge(key, request, declined(key)),
  });
  book(api, '/authorisations', {
    schema: charge,
    work: (key, request) => ledger.authorise(key, request, declined(key)),
  });
  api.get('/authorisations', async (context) => {
    const standing = await ledger.standing(context.req.query('orderId') ?? '');
    return standing === null
      ? problem(context, 404, 'unknown authorisation', 'nothing was authorised for this order')
      : context.json(standing);
  });
  book(api, '/captures', { schema: end, work: (key, request) => ledger.capture(key, request) });
  book(api, '/voids', { schema: end, work: (key, request) => ledger.void(key, request) });
  book(api, '/refunds', { schema: refund, work: (key, request) => ledger.refund(key, request) });
  return api;
}

/** What every booking asks for: an idempotency key, a body that fits, and an amount that can be booked. */
function book<Request extends { readonly orderId: string; readonly pence?: number }>(
  api: Hono,
  path: string,
  { schema, work }: { schema: z.ZodType<Request>; work: (key: string, request: Request) => Promise<Booking> },
): void {
  api.post(path, async (context) => {
    const key = idempotencyKey(context);
    if (key === null) return problem(context, 400, 'no idempotency key', 'send an Idempotency-Key header');
    const body = schema.safeParse(await context.req.json().catch(() => null));
    if (!body.success) return problem(context, 400, 'bad request', z.prettifyError(body.error));
    const { pence } = body.data;
    const refusal = pence === undefined ? null : refuseAmount(pence);
    if (refusal !== null) return problem(context, 422, refusal, `cannot book ${pence} pence`);
    return answer(context, await work(key, body.data));
  });
}

function refuseAmount(pence: number): string | null {
  if (pence === 0) return 'amount is zero';
  return pence < 0 ? 'amount is negative' : null;
}

function idempotencyKey(context: Context): string | null {
  const key = context.req.header('Idempotency-Key') ?? '';
  return key === '' || key.length > KEY_LENGTH_MAX ? null : key;
}

function answer(context: Context, booking: Booking): Response {
  if ('refused' in booking) {
    const { refused } = booking;
    return problem(context, STATUS_OF[refused], refused, refused);
  }
  const { reference, status, pence, repeated } = booking;
  if (repeated) context.header('Idempotent-Replayed', 'true');
  return context.json({ id: reference, status, pence }, 201);
}

function problem(context: Context, status: ProblemStatus, title: string, detail: string): Response {
  return context.json(
    { type: `urn:payment-provider:${title.replaceAll(' ', '-')}`, title, status, detail },
    status,
    {
      'Content-Type': 'application/problem+json',
    },
  );
}
