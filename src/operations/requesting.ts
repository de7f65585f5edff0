import { type Clock, FactlineError } from '../foundation/index.ts';
import { loadQueries, type Queryable, run } from '../postgres/index.ts';
import { durationText } from './duration-text.ts';

const sql = loadQueries<'request' | 'read_request' | 'retry_outcome'>(
  new URL('./quarantine.sql', import.meta.url),
);

/** A person's wish, carried out by the process that works the lane. */
export interface PersonsRequest {
  readonly consumer: { readonly id: number; readonly name: string };
  readonly verb: string;
  readonly parkedId?: number;
  readonly arguments?: Readonly<Record<string, unknown>>;
  /** Who wants it; stays on record. */
  readonly actor: string;
  readonly reason?: string;
}

export interface RequestAnswer {
  readonly id: number;
  readonly answer: Readonly<Record<string, unknown>>;
}

/** Writes the request and wakes the owner. Returns its number. */
export const sendRequest = async (on: Queryable, request: PersonsRequest): Promise<number> => {
  const { consumer, verb, parkedId = null, actor, reason = null } = request;
  const [row] = await run(on, sql.request, [
    consumer.id,
    verb,
    parkedId,
    JSON.stringify(request.arguments ?? {}),
    actor,
    reason,
  ]);
  return Number(row?.['id']);
};

export interface AnswerWait {
  readonly id: number;
  readonly request: PersonsRequest;
  readonly withinMs: number;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
}

/** Answers come within milliseconds, or when somebody starts the app. */
const firstLookMs = 20;
const lookMsMax = 500;

/** @throws FactlineError REQUEST_UNANSWERED, REQUEST_REFUSED, STOPPED when the signal aborts; the request itself stays. */
export const awaitAnswer = async (on: Queryable, wait: AnswerWait): Promise<RequestAnswer> => {
  const { id, request, withinMs, clock, signal } = wait;
  const details = { id, verb: request.verb, consumer: request.consumer.name };
  const until = clock.monotonic() + withinMs;
  for (let pauseMs = firstLookMs; ; pauseMs = Math.min(pauseMs * 2, lookMsMax)) {
    const [row] = await run(on, sql.read_request, [id]);
    const answer = (row?.['answer'] ?? {}) as Readonly<Record<string, unknown>>;
    if (row?.['state'] === 'done') return { id, answer };
    if (row?.['state'] === 'refused') {
      throw new FactlineError('REQUEST_REFUSED', {
        ...details,
        reason: answer['reason'] ?? answer['error'] ?? 'no reason was given',
        answer,
      });
    }
    if (signal?.aborted)
      throw new FactlineError('STOPPED', { unit: 'Factline', operation: `waiting for request ${id}` });
    const leftMs = until - clock.monotonic();
    if (leftMs <= 0)
      throw new FactlineError('REQUEST_UNANSWERED', { ...details, within: durationText(withinMs) });
    await clock.sleep(Math.min(pauseMs, leftMs), signal);
  }
};

/** What became of a parked event that was to be tried again. `pending`: nothing yet, within the time that was waited. */
export type RetryOutcome =
  | { readonly outcome: 'handled' }
  | { readonly outcome: 'failed'; readonly message: string; readonly nextTryMs: number | null }
  | { readonly outcome: 'pending' };

/** A request to retry is answered when the event may run, not when it has run: this waits for that. */
export const awaitRetry = async (on: Queryable, wait: Omit<AnswerWait, 'request'>): Promise<RetryOutcome> => {
  const { id, withinMs, clock, signal } = wait;
  const until = clock.monotonic() + withinMs;
  for (let pauseMs = firstLookMs; ; pauseMs = Math.min(pauseMs * 2, lookMsMax)) {
    const [row] = await run(on, sql.retry_outcome, [id]);
    const state = row?.['state'] ?? null;
    if (state === null) return { outcome: 'handled' };
    if (row?.['failed_since'] === true && (state === 'quarantined' || state === 'retrying')) {
      const nextMs = row['next_ms'] ?? null;
      return {
        outcome: 'failed',
        message: String(row['error_message']),
        nextTryMs: nextMs === null ? null : Number(nextMs),
      };
    }
    const leftMs = until - clock.monotonic();
    if (leftMs <= 0 || signal?.aborted) return { outcome: 'pending' };
    await clock.sleep(Math.min(pauseMs, leftMs), signal);
  }
};
