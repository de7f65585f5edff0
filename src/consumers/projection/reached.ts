import type { Database } from '../../postgres/index.ts';

/** How far the projections of this process have come, so that a read in the same process need not poll for it. */
export class ReachedPositions {
  readonly #reached = new Map<number, number>();
  readonly #waiters = new Set<() => void>();

  /** Everything up to there is handled or parked, or of no matter to the consumer. */
  of(consumerId: number): number {
    return this.#reached.get(consumerId) ?? 0;
  }

  set(consumerId: number, position: number): void {
    this.#reached.set(consumerId, position);
    if (this.#waiters.size === 0) return;
    for (const wake of [...this.#waiters]) wake();
  }

  /** The lane is not held here any more: what this process knows gets old. */
  forget(consumerId: number): void {
    this.#reached.delete(consumerId);
  }

  /** Calls `wake` at every progress of any projection until the returned function is called. */
  watch(wake: () => void): () => void {
    this.#waiters.add(wake);
    return () => void this.#waiters.delete(wake);
  }
}

const boards = new WeakMap<Database, ReachedPositions>();

/** One per database and process. */
export const reachedPositions = (database: Database): ReachedPositions => {
  const board = boards.get(database) ?? new ReachedPositions();
  boards.set(database, board);
  return board;
};
