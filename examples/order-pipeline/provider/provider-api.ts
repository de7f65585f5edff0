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
import type { Booking, Ledger } from './ledger.ts';

const charge = z.strictObject({ orderId: z.string().min(1).max(200), pence: z.int() });
const refund = charge.extend({ chargeId: z.string().min(1).max(200) });

const BODY_BYTES_MAX = 16 * 1024;
const KEY_LENGTH_MAX = 500;

type ProblemStatus = 400 | 404 | 409 | 413 | 422 | 500 | 503;

/**
 * The provider's HTTP interface: `POST /charges`, `POST /refunds` (both need an `Idempotency-Key`), and
 * `GET|PUT /admin/behaviour` to make it slow, choosy or unavailable.
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
    if (!behaviour.outage) return next();
    context.header('Retry-After', '1');
    return problem(context, 503, 'outage', 'the provider is not available');
  });
  api.post('/charges', async (context) => {
    const key = idempotencyKey(context);
    if (key === null) return problem(context, 400, 'no idempotency key', 'send an Idempotency-Key header');
    const body = charge.safeParse(await context.req.json().catch(() => null));
    if (!body.success) return problem(context, 400, 'bad request', z.prettifyError(body.error));
    const refusal = refuseAmount(body.data.pence);
    if (refusal !== null) return problem(context, 422, refusal, `cannot charge ${body.data.pence} pence`);
    return answer(context, await ledger.charge(key, body.data, declines(behaviour, key)));
  });
  api.post('/refunds', async (context) => {
    const key = idempotencyKey(context);
    if (key === null) return problem(context, 400, 'no idempotency key', 'send an Idempotency-Key header');
    const body = refund.safeParse(await context.req.json().catch(() => null));
    if (!body.success) return problem(context, 400, 'bad request', z.prettifyError(body.error));
    const refusal = refuseAmount(body.data.pence);
    if (refusal !== null) return problem(context, 422, refusal, `cannot refund ${body.data.pence} pence`);
    return answer(context, await ledger.refund(key, body.data));
  });
  return api;
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
  if ('refused' in booking)
    return problem(
      context,
      booking.refused === 'unknown charge' ? 404 : 422,
      booking.refused,
      booking.refused,
    );
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
