import type { Database } from '../../postgres/index.ts';

/**
 * As many transactions of workflows at one time as the pool has connections. More would wait inside the pool, where the wait
 * counts against their time limit and ends after ten seconds with an error.
 */
export class TransactionSlots {
  #free: number;
  /** In the order in which they came. */
  readonly #waiting = new Set<(granted: boolean) => void>();

  constructor(size: number) {
    this.#free = size;
  }

  /** Waits for a slot: true when it is there, false when `ending` was aborted before. */
  async enter(ending: AbortSignal): Promise<boolean> {
    if (ending.aborted) return false;
    if (this.#free > 0) {
      this.#free -= 1;
      return true;
    }
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const giveUp = (): void => {
      if (this.#waiting.delete(resolve)) resolve(false);
    };
    this.#waiting.add(resolve);
    ending.addEventListener('abort', giveUp, { once: true });
    return promise.finally(() => ending.removeEventListener('abort', giveUp));
  }

  leave(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free += 1;
      return;
    }
    this.#waiting.delete(next);
    next(true);
  }
}

const slots = new WeakMap<Database, TransactionSlots>();

/** Those of the app that this database object belongs to. */
export const transactionSlotsOf = (database: Database): TransactionSlots => {
  const own = slots.get(database) ?? new TransactionSlots(database.handlers.options.max);
  slots.set(database, own);
  return own;
};
