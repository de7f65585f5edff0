import type { Database } from '../postgres/index.ts';

/**
 * One suspect at a time in the whole process, over all its consumers of every class: if the process dies, it was that one.
 * An innocent event that runs beside the deadly one would be counted dead as often, and quarantined with it.
 */
export class SuspectGate {
  #holder: object | null = null;
  readonly #waiting = new Set<() => void>();

  /** Whether the suspect may begin now; if not, `onFree` is called once when it may be tried again. */
  tryEnter(suspect: object, onFree: () => void): boolean {
    if (this.#holder === null) this.#holder = suspect;
    if (this.#holder === suspect) return true;
    this.#waiting.add(onFree);
    return false;
  }

  /** Waits for its turn: true when it has come, false when `ending` was aborted before. */
  async enter(suspect: object, ending: AbortSignal): Promise<boolean> {
    while (!ending.aborted) {
      const { promise: free, resolve } = Promise.withResolvers<void>();
      const wake = (): void => resolve();
      if (this.tryEnter(suspect, wake)) return true;
      ending.addEventListener('abort', wake, { once: true });
      await free;
      ending.removeEventListener('abort', wake);
      this.#waiting.delete(wake);
    }
    return false;
  }

  leave(suspect: object): void {
    if (this.#holder !== suspect) return;
    this.#holder = null;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }
}

const gates = new WeakMap<Database, SuspectGate>();

/** The gate of the runners of one app, which share their database object. */
export const suspectGateOf = (database: Database): SuspectGate => {
  const gate = gates.get(database) ?? new SuspectGate();
  gates.set(database, gate);
  return gate;
};
