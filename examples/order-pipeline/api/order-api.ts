import { type Factline, FactlineError } from 'factline';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import {
  CancellationExists,
  cancelOrder,
  IdempotencyKeyReused,
  type Match,
  type NewCancellation,
  OrderExists,
  placeOrder,
  rejectionOf,
  type StoredAnswer,
} from '../boxes/orders/index.ts';
import { customerSpend } from '../read-models/customer-spend.ts';
import { orderSummary } from '../read-models/order-summary.ts';
import { ApiProblem, type ProblemDetails, problemDetails, respondWithProblem } from './problems.ts';
import { readRequest, toCancellation, toOrder } from './requests.ts';

export const TOKEN_HEADER = 'Factline-Token';

const BODY_BYTES_MAX = 1024 * 1024;

/**
 * The shop's HTTP API. Every write answers with a `Factline-Token`; a read that sends it back sees at least that write.
 *
 * | request | answer |
 * |---|---|
 * | `POST /orders` | 201 with the order, or why it is refused |
 * | `POST /cancellations` | 201 with what it matched, 422 when it matches no earlier order |
 * | `GET /orders/:id` | the order's summary |
 * | `GET /customers/:id/:country` | what a customer has spent |
 * | `GET /health` | 200 while the API answers |
 */
export function orderApi(app: Factline): Hono {
  const api = new Hono();
  api.onError((error, context) => respondWithProblem(context, toProblem(error)));
  api.notFound((context) =>
    respondWithProblem(
      context,
      problemDetails('not-found', `no route ${context.req.method} ${context.req.path}`),
    ),
  );
  api.use(
    bodyLimit({
      maxSize: BODY_BYTES_MAX,
      onError: () => {
        throw new ApiProblem('body-too-large', `at most ${BODY_BYTES_MAX} bytes`);
      },
    }),
  );
  api.get('/health', (context) => context.json({ status: 'ok' }));

  api.post('/orders', async (context) => {
    const { body, request } = await readRequest(context);
    const { answer, token } = await placeOrder(app, toOrder(body), request);
    return respond(answer, token);
  });

  api.post('/cancellations', async (context) => {
    const { body, request } = await readRequest(context);
    const cancellation = toCancellation(body);
    const { answer, token } = await cancelOrder(app, cancellation, { request, word: wordCancellation });
    return respond(answer, token);
  });

  api.get('/orders/:id', async (context) => {
    const orderId = context.req.param('id');
    const row = await app.read(orderSummary, { orderId }, readOptions(context.req.header(TOKEN_HEADER)));
    if (row === null) throw new ApiProblem('not-found', `no order ${orderId}`);
    return context.json(row);
  });

  api.get('/customers/:id/:country', async (context) => {
    const { id: customerId, country } = context.req.param();
    const row = await app.read(
      customerSpend,
      { customerId, country },
      readOptions(context.req.header(TOKEN_HEADER)),
    );
    if (row === null)
      throw new ApiProblem('not-found', `customer ${customerId} in ${country} has not ordered`);
    return context.json(row);
  });
  return api;
}

function readOptions(token: string | undefined): { token?: string } {
  return token === undefined ? {} : { token };
}

function respond(answer: StoredAnswer, token: string): Response {
  const type = answer.status < 400 ? 'application/json' : 'application/problem+json';
  const headers = { 'Content-Type': type, [TOKEN_HEADER]: token };
  return new Response(JSON.stringify(answer.body), { status: answer.status, headers });
}

function wordCancellation(
  { cancellationId }: NewCancellation,
  match: Match,
  whole: ReadonlySet<string>,
): StoredAnswer {
  if (match.taken.length === 0) {
    const reason = rejectionOf(match);
    const name =
      reason === 'no earlier order' ? 'cancellation-matches-no-order' : 'cancellation-exceeds-order';
    const errors = match.rejected.map((line) => ({
      pointer: `#/lines/${line.line - 1}`,
      detail: line.reason,
    }));
    const details = problemDetails(name, `${cancellationId}: ${reason}`, errors);
    return { status: details.status, body: details };
  }
  const orders = [...Map.groupBy(match.taken, ({ orderId }) => orderId)].map(([orderId, taken]) => ({
    orderId,
    pence: taken.reduce((sum, { units, unitPence }) => sum + units * unitPence, 0),
    whole: whole.has(orderId),
  }));
  return { status: 201, body: { cancellationId, orders, rejectedLines: match.rejected } };
}

function toProblem(error: Error): ProblemDetails {
  if (error instanceof ApiProblem) return error.details;
  if (error instanceof OrderExists) return problemDetails('order-exists', `order ${error.message} exists`);
  if (error instanceof CancellationExists) {
    return problemDetails('cancellation-exists', `cancellation ${error.message} exists`);
  }
  if (error instanceof IdempotencyKeyReused) {
    return problemDetails('idempotency-key-reused', 'the same key must carry the same body');
  }
  if (FactlineError.is(error, 'TOKEN_INVALID') || FactlineError.is(error, 'LOG_EPOCH_MISMATCH')) {
    return problemDetails('malformed-token', error.message);
  }
  if (FactlineError.is(error, 'READ_TIMEOUT') || FactlineError.is(error, 'READ_PARKED')) {
    return problemDetails('not-read-yet', error.message);
  }
  return problemDetails('fault', error.message);
}
