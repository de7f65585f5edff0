import type { Context } from 'hono';

/**
 * Everything that the API refuses, by name. The name is the last part of the problem's `type`, and what the report
 * counts refusals by.
 */
const PROBLEMS = {
  'accounting-adjustment': { status: 422, title: 'An accounting adjustment is not an order' },
  'body-too-large': { status: 413, title: 'The body is too large' },
  'cancellation-exists': { status: 409, title: 'This cancellation was already made' },
  'cancellation-exceeds-order': { status: 422, title: 'The cancellation exceeds what is left open' },
  'cancellation-matches-no-order': { status: 422, title: 'The cancellation matches no earlier order' },
  'cancellation-without-customer': { status: 422, title: 'A cancellation needs a customer' },
  fault: { status: 500, title: 'Something broke on our side' },
  'idempotency-key-reused': { status: 422, title: 'This Idempotency-Key was used for another request' },
  'malformed-idempotency-key': { status: 400, title: 'The Idempotency-Key cannot be used' },
  'malformed-json': { status: 400, title: 'The body is not JSON' },
  'malformed-token': { status: 400, title: 'The token cannot be read' },
  'negative-price': { status: 422, title: 'A price must not be negative' },
  'negative-quantity': { status: 422, title: 'A quantity must be positive' },
  'not-found': { status: 404, title: 'There is no such thing' },
  'not-read-yet': { status: 503, title: 'The read model has not caught up' },
  'order-exists': { status: 409, title: 'This order was already placed' },
  'price-finer-than-a-penny': { status: 422, title: 'A price must not be finer than a penny' },
  'schema-violation': { status: 422, title: 'The body does not have the expected shape' },
  'unsupported-media-type': { status: 415, title: 'Send application/json' },
} as const;

export type ProblemName = keyof typeof PROBLEMS;

/** RFC 9457 problem details. */
export interface ProblemDetails {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly errors?: ReadonlyArray<{ readonly pointer: string; readonly detail: string }>;
}

const TYPE_PREFIX = 'urn:order-pipeline:problem:';

export class ApiProblem extends Error {
  override readonly name = 'ApiProblem';
  readonly details: ProblemDetails;

  constructor(name: ProblemName, detail: string, errors?: ProblemDetails['errors']) {
    super(detail);
    this.details = problemDetails(name, detail, errors);
  }
}

export function problemDetails(
  name: ProblemName,
  detail: string,
  errors?: ProblemDetails['errors'],
): ProblemDetails {
  const { status, title } = PROBLEMS[name];
  return { type: TYPE_PREFIX + name, title, status, detail, ...(errors && { errors }) };
}

/** The name in a problem's `type`, as the feeder and the report use it. */
export function problemName(type: string): string {
  return type.startsWith(TYPE_PREFIX) ? type.slice(TYPE_PREFIX.length) : type;
}

export function respondWithProblem(context: Context, details: ProblemDetails): Response {
  return context.body(JSON.stringify(details), details.status as 422, {
    'Content-Type': 'application/problem+json',
  });
}
