import { type Clock, FactlineError, Signal, type Telemetry } from '../../foundation/index.ts';
import type { EventBatch, LogCursor, Tail } from '../../log/index.ts';

export interface ReaderOptions {
  readonly tail: Tail;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly consumer: string;
  /** How many events may be read now; 0 = wait for `more`. */
  readonly room: () => number;
  readonly accept: (batch: EventBatch) => void;
}

export interface ReadingOrder {
  readonly types: ReadonlySet<string>;
  readonly after: number;
  /** The barrier of the next generation: nothing above it is worked. */
  readonly stopAt: number;
}

/** Events in one batch at most: between two batches others get their turn. */
const batchMax = 500;
const pauseAfterErrorMs = 1_000;

/** Reads the log into the window: one loop for all lanes that are held. */
export class Reader {
  readonly #options: ReaderOptions;
  readonly #signal: Signal;
  #abort = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  #cursor: LogCursor | null = null;
  #types: ReadonlySet<string> = new Set();

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#signal = new Signal(options.clock);
  }

  /** There may be room again. */
  more(): void {
    this.#signal.fire();
  }

  start({ types, after, stopAt }: ReadingOrder): void {
    if (this.#cursor === null || !sameTypes(types, this.#types)) {
      this.#cursor = this.#options.tail.cursor({ types, after });
      this.#types = types;
    } else this.#cursor.seek(after);
    this.#abort = new AbortController();
    this.#loop = this.#read(this.#cursor, stopAt, this.#abort.signal);
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#loop;
  }

  async #read(cursor: LogCursor, stopAt: number, signal: AbortSignal): Promise<void> {
    const { telemetry, clock, consumer, room, accept } = this.#options;
    while (!signal.aborted && cursor.position < stopAt) {
      const max = Math.min(room(), batchMax);
      if (max <= 0) {
        await this.#signal.wait(undefined, signal);
        continue;
      }
      try {
        const batch = await cursor.next({ max, signal });
        if (!signal.aborted) accept(batch);
      } catch (error) {
        if (FactlineError.is(error, 'STOPPED')) return;
        telemetry.emit('engine.error', { unit: `reading of ${consumer}`, error });
        await clock.sleep(pauseAfterErrorMs, signal);
      }
    }
  }
}

const sameTypes = (one: ReadonlySet<string>, other: ReadonlySet<string>): boolean =>
  one.size === other.size && [...one].every((type) => other.has(type));
