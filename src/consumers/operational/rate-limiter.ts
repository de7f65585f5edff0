import type { Clock, Telemetry } from '../../foundation/index.ts';
import { type Database, loadQueries, run } from '../../postgres/index.ts';
import type { Rate } from './handler.ts';

const sql = loadQueries<'reserve'>(new URL('./rate-limits.sql', import.meta.url));

export interface RateLimiterOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly consumer: { readonly id: number; readonly name: string };
  readonly rate: Rate;
  /** A permit may have become usable. */
  readonly onPermit: () => void;
}

/** A process reserves permits for about this long at a time: one statement then covers many attempts. */
const reserveMs = 100;
/** A reservation never lies further ahead than this, or ten permits, whichever is longer. */
const aheadMsMax = 10_000;
const aheadPermits = 10;
const pauseAfterErrorMs = 1_000;

/**
 * The consumer's total over all processes, shared through one row: each process reserves the next stretch of time and spends its
 * permits within it, evenly. Permits that are not used in their time are given up.
 */
export class RateLimiter {
  readonly #options: RateLimiterOptions;
  readonly #spacingMs: number;
  readonly #batch: number;
  /** When the next permit of the reserved stretch may be used, on the monotonic clock. */
  #nextAt = 0;
  #permits = 0;
  #reserving = false;

  constructor(options: RateLimiterOptions) {
    this.#options = options;
    this.#spacingMs = options.rate.perMs / options.rate.permits;
    this.#batch = Math.max(1, Math.floor(reserveMs / this.#spacingMs));
  }

  /** Whether an attempt may begin now; if not, `onPermit` says when to ask again. */
  tryTake(): boolean {
    const now = this.#options.clock.monotonic();
    // Their time has passed unused.
    while (this.#permits > 0 && this.#nextAt + this.#batch * this.#spacingMs + reserveMs < now) this.#spend();
    if (this.#permits > 0 && this.#nextAt <= now) {
      this.#spend();
      return true;
    }
    if (this.#permits > 0) this.#wakeIn(this.#nextAt - now);
    else this.#reserve();
    return false;
  }

  #spend(): void {
    this.#permits -= 1;
    this.#nextAt += this.#spacingMs;
  }

  #wakeIn(ms: number): void {
    if (this.#reserving) return;
    this.#reserving = true;
    this.#options.clock.timer(Math.max(ms, 1), () => {
      this.#reserving = false;
      this.#options.onPermit();
    });
  }

  #reserve(): void {
    if (this.#reserving) return;
    this.#reserving = true;
    void this.#reserveNow().then((waitMs) => {
      this.#reserving = false;
      if (waitMs > 0) this.#wakeIn(waitMs);
      else this.#options.onPermit();
    });
  }

  /** How long to wait until the reserved stretch begins, or until asking again. */
  async #reserveNow(): Promise<number> {
    const { database, consumer, clock, telemetry } = this.#options;
    const aheadMs = Math.max(aheadMsMax, aheadPermits * this.#spacingMs);
    try {
      const values = [consumer.id, this.#batch * this.#spacingMs, aheadMs];
      const [row] = await run(database.operations, sql.reserve, values);
      const delayMs = Number(row?.['delay_ms']);
      if (row?.['reserved'] !== true) return Math.max(delayMs - aheadMs, this.#spacingMs);
      this.#nextAt = clock.monotonic() + delayMs;
      this.#permits = this.#batch;
      return delayMs;
    } catch (error) {
      telemetry.emit('engine.error', { unit: `rate of ${consumer.name}`, error });
      return pauseAfterErrorMs;
    }
  }
}
