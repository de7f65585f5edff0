import type { Clock, Timer } from '../../foundation/index.ts';

/** How long a checkpoint may lag behind events that do not matter to the projection. */
const checkpointDelayMs = 1000;

/** The two timers of a lane. Neither keeps the process alive. */
export class LaneTimers {
  readonly #clock: Clock;
  #checkpoint: Timer | null = null;
  #retry: Timer | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Once, a while after the first call; calls in between change nothing. */
  checkpointSoon(write: () => void): void {
    this.#checkpoint ??= this.#clock.timer(
      checkpointDelayMs,
      () => {
        this.#checkpoint = null;
        write();
      },
      { unref: true },
    );
  }

  /** At a time of the monotonic clock, instead of the time set before; null for never. */
  retryAt(dueAt: number | null, run: () => void): void {
    this.#retry?.cancel();
    this.#retry =
      dueAt === null
        ? null
        : this.#clock.timer(Math.max(dueAt - this.#clock.monotonic(), 1), run, { unref: true });
  }

  cancel(): void {
    this.#checkpoint?.cancel();
    this.#retry?.cancel();
    this.#checkpoint = null;
    this.#retry = null;
  }
}
