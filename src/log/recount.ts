import type { Clock, Telemetry } from '../foundation/index.ts';
import { type Database, loadQueries, run } from '../postgres/index.ts';
import type { StoredEvent } from './stored-event.ts';

const sql = loadQueries<'count_span' | 'positions_of_span'>(new URL('./reading.sql', import.meta.url));

export interface RecountOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

const everyMs = 3 * 60_000;
/** Bounds the memory: eight bytes a position, twice. */
const positionsMax = 10_000;

interface Span {
  readonly after: number;
  readonly upTo: number;
  readonly positions: readonly number[];
}

/**
 * Defence in depth: every few minutes a span that was settled an interval ago is counted again. A row that came later
 * was written in a way that no proof can foresee (explicit positions, a restore, replication), and is reported.
 */
export class Recount {
  readonly #options: RecountOptions;
  #positions: number[] = [];
  #after: number | null = null;
  #upTo = 0;
  /** Closed, and left alone until the next turn. */
  #closed: Span | null = null;
  #turnedAt: number;

  constructor(options: RecountOptions) {
    this.#options = options;
    this.#turnedAt = options.clock.monotonic();
  }

  /** What the tail has just settled, in order. Takes the first so many of each interval. */
  note(events: readonly StoredEvent[], from: number, upTo: number): void {
    this.#after ??= from;
    if (this.#positions.length >= positionsMax) return;
    for (const event of events) this.#positions.push(event.position);
    this.#upTo = upTo;
  }

  /** Positions were settled without having been read: the open span would not be complete. */
  skip(): void {
    this.#open();
  }

  get due(): boolean {
    return this.#options.clock.monotonic() - this.#turnedAt >= everyMs;
  }

  /** Recounts the span closed at the turn before, closes the open one. Resolves to the late positions. */
  async turn(): Promise<readonly number[]> {
    this.#turnedAt = this.#options.clock.monotonic();
    const old = this.#closed;
    this.#closed =
      this.#after === null ? null : { after: this.#after, upTo: this.#upTo, positions: this.#positions };
    this.#open();
    return old === null ? [] : this.#recount(old);
  }

  #open(): void {
    this.#positions = [];
    this.#after = null;
    this.#upTo = 0;
  }

  async #recount(span: Span): Promise<readonly number[]> {
    const { database, telemetry } = this.#options;
    const [row] = await run(database.operations, sql.count_span, [span.after, span.upTo]);
    // Fewer are what retention leaves.
    if (Number(row?.['count']) <= span.positions.length) return [];
    const [all] = await run(database.operations, sql.positions_of_span, [span.after, span.upTo]);
    const known = new Set(span.positions);
    const late = ((all?.['positions'] ?? []) as number[]).filter((position) => !known.has(position));
    for (const position of late) telemetry.emit('tail.late-arrival', { position, settled: span.upTo });
    return late;
  }
}
