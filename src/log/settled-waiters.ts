interface Wanted {
  readonly position: number;
  /** Waits for a barrier: dead positions at the very end shall be settled, too. */
  readonly end: boolean;
}

interface Waiter extends Wanted {
  resolve(): void;
  reject(error: unknown): void;
}

/** Everybody who waits for the settled position. */
export class SettledWaiters {
  readonly #waiters = new Set<Waiter>();

  get size(): number {
    return this.#waiters.size;
  }

  get endWanted(): boolean {
    for (const waiter of this.#waiters) if (waiter.end) return true;
    return false;
  }

  /** Resolves when `position` is settled or the signal aborts; rejects with what `release` is given. */
  wait(wanted: Wanted, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiters.delete(waiter);
        signal?.removeEventListener('abort', waiter.resolve);
      };
      const waiter: Waiter = {
        ...wanted,
        resolve: () => {
          leave();
          resolve();
        },
        reject: (error) => {
          leave();
          reject(error);
        },
      };
      this.#waiters.add(waiter);
      signal?.addEventListener('abort', waiter.resolve, { once: true });
    });
  }

  wake(settled: number): void {
    for (const waiter of [...this.#waiters]) if (waiter.position <= settled) waiter.resolve();
  }

  release(error: unknown): void {
    for (const waiter of [...this.#waiters]) waiter.reject(error);
  }
}
