/**
 * Counts promises that nobody awaits, so that "stopped" can mean that none is left.
 * @example
 * background.run(() => this.#refresh())
 * await background.settled()
 */
export class Background {
  readonly #onError: (error: unknown) => void;
  #waiting: (() => void)[] = [];
  #count = 0;

  /** `onError` receives what a task rejects with: a loose promise has no other place to report to. It must not throw. */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** Tasks under way. */
  get count(): number {
    return this.#count;
  }

  /** Starts the task now; its failure goes to `onError`, never to the process. */
  run(task: () => Promise<unknown>): void {
    this.#count += 1;
    void this.#watch(task);
  }

  /** Resolves when no task is under way; at once when there is none. */
  settled(): Promise<void> {
    if (this.#count === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async #watch(task: () => Promise<unknown>): Promise<void> {
    try {
      await task();
    } catch (error) {
      this.#onError(error);
    } finally {
      this.#count -= 1;
      if (this.#count === 0) this.#release();
    }
  }

  #release(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
