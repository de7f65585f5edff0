import { FactlineError } from './errors.ts';

/*
 * The one way to start and stop in Factline: tail, consumer engine, runners, servers, the app.
 *
 *            start()                onStart resolved
 *   idle ───────────────▶ starting ──────────────────▶ running
 *    ▲                       │                            │ stop()
 *    │                       │ onStart rejected,          ▼
 *    └─────── stopping ◀─────┴── or stop() ──────────  stopping
 *         onStop settled
 *
 * idle      nothing of the unit exists. Entered at construction and from `stopping`, whatever onStop did.
 * starting  onStart is under way; its signal aborts when stop() is called meanwhile. A failed or stopped start
 *           passes through `stopping`, so that onStop releases what the half start had opened.
 * running   onStart has resolved.
 * stopping  onStop is under way, exactly one at a time; nothing else runs beside it.
 *
 * start() while starting or running shares the one start; while stopping it begins when the stop has ended.
 * stop() while idle does nothing; while stopping it shares the one stop. A start ended by stop() rejects with STOPPED.
 */
export type LifecycleState = 'idle' | 'starting' | 'running' | 'stopping';

const allowed: Readonly<Record<LifecycleState, readonly LifecycleState[]>> = {
  idle: ['starting'],
  starting: ['running', 'stopping'],
  running: ['stopping'],
  stopping: ['idle'],
};

/** What can be started and stopped; see `Lifecycle` for the promises. */
export interface Startable extends AsyncDisposable {
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** The state machine above; a unit extends it with `onStart` and `onStop`. */
export abstract class Lifecycle implements Startable {
  /** How errors name the unit. */
  readonly unit: string;
  #state: LifecycleState = 'idle';
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #abort = new AbortController();
  /** A start that waits for a stop is given up when stop() is called again after it. */
  #stopsAsked = 0;

  constructor(unit: string) {
    this.unit = unit;
  }

  /** Opens what the unit needs; look at `signal` between the steps. Resolves when the unit works. */
  protected abstract onStart(signal: AbortSignal): Promise<void>;

  /** Drains and releases everything; also after a start that failed half way. Resolves when nothing is left running. */
  protected abstract onStop(): Promise<void>;

  get state(): LifecycleState {
    return this.#state;
  }

  /** Aborts when stop() is called; a new one with each start. Give it to every wait of the unit. */
  protected get stopSignal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Resolves when the unit works; rejects with what onStart threw, and may then be called again. */
  start(): Promise<void> {
    if (this.#stopping) {
      const stopsBefore = this.#stopsAsked;
      const again = (): Promise<void> =>
        this.#stopsAsked === stopsBefore ? this.start() : Promise.reject(this.#stopped());
      return this.#stopping.then(again, again);
    }
    if (!this.#starting) {
      this.#abort = new AbortController();
      this.#move('starting');
      const { signal } = this.#abort;
      // Deferred, so that an onStart which calls stop() finds the start registered.
      this.#starting = Promise.resolve().then(() => this.#runStart(signal));
    }
    return this.#starting;
  }

  /** Resolves when nothing of the unit runs any more; rejects with what onStop threw (the unit is idle all the same). */
  stop(): Promise<void> {
    this.#stopsAsked += 1;
    if (this.#stopping) return this.#stopping;
    if (!this.#starting) return Promise.resolve();
    this.#abort.abort(this.#stopped());
    if (this.#state === 'running') this.#stopping = this.#runStop();
    // A start that is stopped or fails runs onStop by itself; its error belongs to whoever called start().
    else this.#stopping = this.#starting.catch(() => undefined);
    return this.#stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #stopped(): FactlineError {
    return new FactlineError('STOPPED', { unit: this.unit, operation: 'start()' });
  }

  async #runStart(signal: AbortSignal): Promise<void> {
    try {
      await this.onStart(signal);
      if (signal.aborted) throw this.#stopped();
      this.#move('running');
    } catch (error) {
      const stopped = signal.aborted;
      await this.#runStop().catch(() => undefined);
      throw stopped ? this.#stopped() : error;
    }
  }

  async #runStop(): Promise<void> {
    this.#move('stopping');
    this.#abort.abort(this.#stopped());
    try {
      await this.onStop();
    } finally {
      this.#starting = undefined;
      this.#stopping = undefined;
      this.#move('idle');
    }
  }

  /** The only writer of the state. */
  #move(to: LifecycleState): void {
    if (!allowed[this.#state].includes(to)) {
      throw new FactlineError('LIFECYCLE_TRANSITION_REFUSED', { unit: this.unit, from: this.#state, to });
    }
    this.#state = to;
  }
}
