import type { ContractSet, EnvelopeMeta, FactEvent } from '../../contracts/index.ts';
import { isDerivedId } from '../../foundation/index.ts';
import type { LogCursor, StoredEvent, Tail } from '../../log/index.ts';

interface Waiting {
  readonly replies: ContractSet;
  readonly resolve: (reply: FactEvent) => void;
  readonly reject: (error: unknown) => void;
}

/** At most this many events between two turns of the event loop. */
const batchMax = 500;

/**
 * Finds the events that answer commands: one cursor on the tail for all who wait, which costs no query while it keeps up. It
 * reads only while somebody waits.
 *
 * A reply is an event of a declared type that was caused by the command and written by its handler's transaction. The last is
 * told by its id: what a handler publishes there has the same derived id on every attempt. What it publishes beside that
 * transaction may be of an attempt that failed, and answers nobody.
 */
export class ReplyReader {
  readonly #tail: Tail;
  /** By the command's id. */
  readonly #waiting = new Map<string, Waiting>();
  /** Of everybody who has ever waited. The cursor looks at this very set, so it knows a new type at once. */
  readonly #types = new Set<string>();
  #reading: { readonly cursor: LogCursor; readonly end: AbortController } | null = null;

  constructor(tail: Tail) {
    this.#tail = tail;
  }

  /** Up to here all events were looked at. */
  get position(): number {
    return this.#reading?.cursor.position ?? this.#tail.settled;
  }

  /**
   * The first reply to a command. Call it before the command is written: the reply may be there before the publisher has gone on.
   * @param after where to begin when nobody waits yet; a command that is not written yet, and so its reply, lies beyond what is
   *   settled now
   */
  wait(id: string, replies: ContractSet, after: number = this.#tail.settled): Promise<FactEvent> {
    const { promise, resolve, reject } = Promise.withResolvers<FactEvent>();
    // The requester may never ask for the reply.
    promise.catch(() => undefined);
    this.#waiting.set(id, { replies, resolve, reject });
    for (const type of replies.types) this.#types.add(type);
    if (this.#reading === null) this.#begin(after);
    return promise;
  }

  /** Nothing happens when the reply was found already. */
  reject(id: string, error: unknown): void {
    this.#take(id)?.reject(error);
  }

  forget(id: string): void {
    this.#take(id);
  }

  rejectAll(error: unknown): void {
    for (const id of [...this.#waiting.keys()]) this.reject(id, error);
  }

  #take(id: string): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) {
      this.#reading?.end.abort();
      this.#reading = null;
    }
    return waiting;
  }

  #begin(after: number): void {
    const cursor = this.#tail.cursor({ types: this.#types, after });
    const end = new AbortController();
    this.#reading = { cursor, end };
    void this.#read(cursor, end.signal);
  }

  async #read(cursor: LogCursor, signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        const { events } = await cursor.next({ max: batchMax, signal });
        for (const event of events) this.#meet(event);
      }
    } catch (error) {
      if (!signal.aborted) this.rejectAll(error);
    }
  }

  #meet(event: StoredEvent): void {
    const { causationId } = JSON.parse(event.meta) as EnvelopeMeta;
    const waiting = causationId === undefined ? undefined : this.#waiting.get(causationId);
    if (waiting === undefined || causationId === undefined) return;
    if (!waiting.replies.has(event.type) || !isDerivedId(event.id)) return;
    this.#take(causationId);
    try {
      waiting.resolve(waiting.replies.open(event));
    } catch (error) {
      waiting.reject(error);
    }
  }
}
