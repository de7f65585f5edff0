/** A timer that was armed; `cancel` after it fired, or twice, does nothing. */
export interface Timer {
  cancel(): void;
}

export interface TimerOptions {
  /** An unreferenced timer does not keep the process alive. Default: false. */
  readonly unref?: boolean;
}

/**
 * The only way to time in Factline. Measure intervals with `monotonic()`, never with `wall()`: the wall clock jumps.
 * Database rows never take a time from here either (`factline.clock()` does that).
 */
export interface Clock {
  /** Milliseconds since an arbitrary moment; never goes back. */
  monotonic(): number;
  wall(): Date;
  /** Ends after `ms`, or earlier when the signal aborts. It never rejects: look at `signal.aborted` afterwards. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Runs once after `ms` milliseconds (at most about 24.8 days, a longer time fires then). */
  timer(ms: number, run: () => void, options?: TimerOptions): Timer;
}

/** Node turns a longer delay into one millisecond, so it is cut here. */
const timerMsMax = 2 ** 31 - 1;

const startTimer = (ms: number, run: () => void, options?: TimerOptions): Timer => {
  const handle = setTimeout(run, Math.min(Math.max(ms, 0), timerMsMax));
  if (options?.unref) handle.unref();
  return { cancel: () => clearTimeout(handle) };
};

/** A sleep over any `timer`, so that a test's clock has the same abort behaviour as the system's. */
export const sleepWith = (timer: Clock['timer'], ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const finish = (): void => {
      armed.cancel();
      signal?.removeEventListener('abort', finish);
      resolve();
    };
    const armed = timer(ms, finish);
    signal?.addEventListener('abort', finish, { once: true });
  });

export const systemClock: Clock = {
  monotonic: () => performance.now(),
  wall: () => new Date(),
  sleep: (ms, signal) => sleepWith(startTimer, ms, signal),
  timer: startTimer,
};
