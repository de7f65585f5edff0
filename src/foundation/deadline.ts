import type { Clock } from './clock.ts';
import { FactlineError } from './errors.ts';

export interface Deadline<T> {
  /** How long is waited, in milliseconds. */
  readonly ms: number;
  readonly clock: Clock;
  /** What is waited for, as the error says it: 'connecting to PostgreSQL'. */
  readonly stage: string;
  /** Ends the wait with STOPPED. */
  readonly signal?: AbortSignal;
  /** Receives a value that arrives after the wait has ended, to close or release it. */
  readonly onLate?: (value: T) => void;
  /** The error of the deadline. Default: WAIT_TIMED_OUT. */
  readonly error?: () => Error;
}

/**
 * Waits for `promise`, but not for ever. The promise itself goes on: stop its work through a signal of its own,
 * and dispose of what comes too late in `onLate`. A late rejection is dropped.
 */
export const withDeadline = <T>(promise: Promise<T>, deadline: Deadline<T>): Promise<T> => {
  const { ms, clock, stage, signal } = deadline;
  return new Promise((resolve, reject) => {
    let ended = false;
    const end = (): boolean => {
      if (ended) return false;
      ended = true;
      timer.cancel();
      signal?.removeEventListener('abort', onAbort);
      return true;
    };
    const onAbort = (): void => {
      if (end())
        reject(
          new FactlineError('STOPPED', { unit: 'Factline', operation: stage }, { cause: signal?.reason }),
        );
    };
    const timer = clock.timer(ms, () => {
      if (end()) reject(deadline.error?.() ?? new FactlineError('WAIT_TIMED_OUT', { stage, ms }));
    });
    promise.then(
      (value) => (end() ? resolve(value) : deadline.onLate?.(value)),
      (error: unknown) => {
        if (end()) reject(error);
      },
    );
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
  });
};
