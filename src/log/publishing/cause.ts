import { AsyncLocalStorage } from 'node:async_hooks';

/** What an event published now was caused by; it follows by itself from handler to published event. */
export interface Cause {
  readonly correlationId: string;
  /** The id of the event that is being handled. */
  readonly causationId: string;
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
  /** The replay under which that event was delivered again, and how. */
  readonly replayId?: string;
  readonly replayMode?: string;
}

/** Set around a handler, so that `app.publish` and `app.transaction` called inside inherit its cause too. */
export const currentCause: AsyncLocalStorage<Cause> = new AsyncLocalStorage<Cause>();
