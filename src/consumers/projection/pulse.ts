import { FactlineError } from '../../foundation/index.ts';

interface Asked {
  readonly work: () => Promise<void>;
  readonly refuse: (error: unknown) => void;
}

/** How a loop that waits for the log hears of anything else: a beat ends the wait, work asked for runs between passes. */
export class Pulse {
  #beaten = false;
  #closed = false;
  #interrupt: AbortController | null = null;
  #asked: Asked[] = [];
  #unfollow: () => void = () => {};

  /** The signal for the loop's next wait; it is aborted by a beat (also one that came before) and by `ending`. */
  begin(ending: AbortSignal): AbortSignal {
    const interrupt = new AbortController();
    const abort = (): void => interrupt.abort();
    if (this.#beaten || ending.aborted || this.#asked.length > 0) interrupt.abort();
    else ending.addEventListener('abort', abort, { once: true });
    this.#unfollow = () => ending.removeEventListener('abort', abort);
    this.#beaten = false;
    this.#interrupt = interrupt;
    return interrupt.signal;
  }

  end(): void {
    this.#unfollow();
    this.#interrupt = null;
  }

  beat(): void {
    this.#beaten = true;
    this.#interrupt?.abort();
  }

  /** Between `begin` and `end`: until the next beat. */
  wait(): Promise<void> {
    const signal = this.#interrupt?.signal;
    if (signal === undefined || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  }

  get hasAsked(): boolean {
    return this.#asked.length > 0;
  }

  /** Runs `work` in the loop's next turn; rejects with STOPPED when there is none any more. */
  ask<T>(work: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#closed) {
        reject(new FactlineError('STOPPED', { unit: 'the lane', operation: 'work between two batches' }));
        return;
      }
      this.#asked.push({ work: () => work().then(resolve, reject), refuse: reject });
      this.beat();
    });
  }

  /** What was asked for, one after the other. A failure belongs to whoever asked. */
  async answer(): Promise<void> {
    for (let asked = this.#asked.shift(); asked !== undefined; asked = this.#asked.shift())
      await asked.work();
  }

  close(): void {
    this.#closed = true;
    const left = this.#asked;
    this.#asked = [];
    for (const { refuse } of left)
      refuse(new FactlineError('STOPPED', { unit: 'the lane', operation: 'work between two batches' }));
  }
}
