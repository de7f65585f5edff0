import { Background } from './background.ts';
import type { Clock, Timer } from './clock.ts';
import { Lifecycle } from './lifecycle.ts';

export interface PeriodicOptions {
  readonly clock: Clock;
  /** From the beginning of one pass to the beginning of the next. */
  readonly everyMs: number;
  /** From the start to the first pass. Default: one period. */
  readonly firstAfterMs?: number;
}

/** For what can wait: while a process starts it has better things to do. */
export const afterStartMs = 1_000;

/**
 * A chore that is done now and then while it is started: the loop ticks, `runOnce` does one bounded pass. A pass that fails is
 * made up for by the next; none is awaited by the start, all are by the stop.
 */
export abstract class Periodic extends Lifecycle {
  readonly #options: PeriodicOptions;
  readonly #background: Background = new Background(() => undefined);
  #timer: Timer | undefined;

  constructor(unit: string, options: PeriodicOptions) {
    super(unit);
    this.#options = options;
  }

  /** One bounded pass. */
  abstract runOnce(): Promise<unknown>;

  protected async onStart(): Promise<void> {
    this.#arm(this.#options.firstAfterMs);
  }

  protected async onStop(): Promise<void> {
    this.#timer?.cancel();
    await this.#background.settled();
  }

  #arm(afterMs: number = this.#options.everyMs): void {
    this.#timer = this.#options.clock.timer(
      afterMs,
      () => {
        this.#background.run(() => this.runOnce());
        this.#arm();
      },
      { unref: true },
    );
  }
}
