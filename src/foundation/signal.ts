import { type Clock, systemClock, type Timer } from './clock.ts';

/**
 * A wake-up for a loop. A `fire` that finds nobody waiting is remembered once, so the next `wait` ends at once:
 * no wake-up falls between the loop's look at its work and its wait.
 * @example
 * while (!abort.aborted) { await pass(); await signal.wait(pollMs, abort) }
 */
export class Signal {
  readonly #clock: Clock;
  readonly #waiters = new Set<(fired: boolean) => void>();
  #remembered = false;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Wakes everybody who waits, or the next one who will. */
  fire(): void {
    if (this.#waiters.size === 0) {
      this.#remembered = true;
      return;
    }
    for (const wake of [...this.#waiters]) wake(true);
  }

  /** Forgets a remembered wake-up. */
  reset(): void {
    this.#remembered = false;
  }

  /** Ends at the next `fire` (true), after `timeoutMs`, or when `abort` aborts (false). Never rejects. */
  wait(timeoutMs?: number, abort?: AbortSignal): Promise<boolean> {
    if (abort?.aborted) return Promise.resolve(false);
    if (this.#remembered) {
      this.#remembered = false;
      return Promise.resolve(true);
    }
    return new Promise((resolve) => {
      let timer: Timer | undefined;
      const finish = (fired: boolean): void => {
        this.#waiters.delete(finish);
        timer?.cancel();
        abort?.removeEventListener('abort', onAbort);
        resolve(fired);
      };
      const onAbort = (): void => finish(false);
      this.#waiters.add(finish);
      if (timeoutMs !== undefined) timer = this.#clock.timer(timeoutMs, () => finish(false));
      abort?.addEventListener('abort', onAbort, { once: true });
    });
  }
}
