import { type Clock, FactlineError, systemClock } from '../foundation/index.ts';
import type { Database } from '../postgres/index.ts';

/**
 * A step at which the app is to die. The code that reaches it never goes on, as in a process that was killed: its promise
 * stays pending for ever, no timer of the app fires any more, and its connections are ended from outside.
 */
export class CrashPoint {
  #armed: { readonly step: string; readonly reached: () => void } | null = null;
  #dead = false;

  /** Resolves when the step is reached. */
  arm(step: string): Promise<void> {
    if (this.#armed !== null)
      throw new FactlineError('OPTION_INVALID', {
        option: 'crashAt',
        expected: 'one crash at a time',
        actual: step,
      });
    return new Promise((resolve) => {
      this.#armed = { step, reached: resolve };
    });
  }

  /** The app's clock: it stops with the app, and with it every loop. */
  readonly clock: Clock = {
    monotonic: systemClock.monotonic,
    wall: systemClock.wall,
    sleep: async (ms, signal) => {
      await systemClock.sleep(ms, signal);
      if (this.#dead) await neverAgain();
    },
    timer: (ms, run, options) => systemClock.timer(ms, () => this.#dead || run(), options),
  };

  /** Ends the app here and now, wherever it is. What it returns never ends. */
  kill(): Promise<void> {
    this.#dead = true;
    return neverAgain();
  }

  get dead(): boolean {
    return this.#dead;
  }

  disarm(): void {
    this.#armed = null;
  }

  /** Handed to the engine as its `testStep`. */
  readonly onStep = (step: string): Promise<void> | undefined => {
    if (this.#dead) return neverAgain();
    if (this.#armed?.step !== step) return undefined;
    const { reached } = this.#armed;
    this.#armed = null;
    this.#dead = true;
    reached();
    return neverAgain();
  };
}

/** A dead process that came back for its session lock would be taken for a living one: what it holds connects no more. */
export const disconnectForGood = (database: Database): void => {
  Object.defineProperty(database, 'openSession', { value: neverAgain });
  void database.stop().catch(() => undefined);
};

const neverAgain = (): Promise<void> => new Promise(() => {});
