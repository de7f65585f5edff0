import type { Timer } from '../../foundation/index.ts';
import { type DueKeys, dueKeys, type LaneSet } from '../parked/index.ts';
import type { RunnerServices } from '../runner.ts';

export interface DueRetriesOptions {
  readonly services: RunnerServices;
  /** The lanes held; null when there are none. */
  readonly lanes: () => LaneSet | null;
  /** False while the breaker is open or a person has paused the consumer. */
  readonly allowed: () => boolean;
  readonly onDue: (key: string) => void;
  /** A replay delivers events again. */
  readonly onReplayed: () => void;
}

/** A timer longer than this is looked at again: the database's clock decides, not ours. */
const timerMsMax = 60_000;

/**
 * Finds retries that are due by the database's clock. The own timer only says when to look; the heartbeat looks as well, so
 * that a moved clock is noticed.
 */
export class DueRetries {
  readonly #options: DueRetriesOptions;
  #timer: { readonly at: number; readonly timer: Timer } | null = null;
  #checking: Promise<void> | null = null;
  #again = false;

  constructor(options: DueRetriesOptions) {
    this.#options = options;
  }

  get busy(): boolean {
    return this.#checking !== null;
  }

  /** A retry is due in so many milliseconds. */
  expect(delayMs: number): void {
    const { clock } = this.#options.services;
    const at = clock.monotonic() + Math.min(delayMs, timerMsMax);
    if (this.#timer !== null && this.#timer.at <= at) return;
    this.#timer?.timer.cancel();
    const timer = clock.timer(Math.max(at - clock.monotonic(), 1), () => {
      this.#timer = null;
      this.check();
    });
    this.#timer = { at, timer };
  }

  /** Looks now; a call during a look has another one follow. */
  check(): void {
    if (this.#checking !== null) {
      this.#again = true;
      return;
    }
    this.#checking = this.#checkNow().finally(() => {
      this.#checking = null;
      if (!this.#again) return;
      this.#again = false;
      this.check();
    });
  }

  stop(): void {
    this.#timer?.timer.cancel();
    this.#timer = null;
  }

  async #checkNow(): Promise<void> {
    const { services, lanes, allowed, onDue, onReplayed } = this.#options;
    const set = lanes();
    if (set === null || !allowed()) return;
    let due: DueKeys;
    try {
      due = await dueKeys(
        services.database.operations,
        { consumerId: services.consumer.id, replayId: 0 },
        set,
      );
    } catch (error) {
      services.telemetry.emit('engine.error', { unit: `retries of ${services.consumer.name}`, error });
      return this.expect(retryLookMs);
    }
    for (const key of due.keys) onDue(key);
    if (due.replayed) onReplayed();
    if (due.nextMs !== null) this.expect(due.nextMs);
    else if (due.keys.length >= keysMax) this.expect(retryLookMs);
  }
}

/** As many keys as one look answers. */
const keysMax = 1_000;
const retryLookMs = 1_000;
