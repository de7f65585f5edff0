import { Background, type Clock, type Timer } from '../../foundation/index.ts';
import { DangerTrend } from './danger-trend.ts';
import type { LiveDanger } from './live-danger.ts';
import { nextRate, type RateLimits } from './yielding-rate.ts';

export interface PaceOptions {
  readonly clock: Clock;
  readonly limits: RateLimits;
  /** Looks at the live consumers; a failed look counts as danger. */
  readonly look: () => Promise<LiveDanger>;
  /** Whether others wait for the connections that this work uses. */
  readonly strained: () => boolean;
}

const passMs = 1000;
/** A wait is looked at again after this long: the rate may have changed. */
const waitMsMax = 200;

/**
 * Holds back work that can wait, so that live consumers keep their promises. What is done is told afterwards: a batch may
 * exceed what is allowed, by a second's worth at most, and is then waited for.
 * @example
 * pace.start()
 * while (…) { if (pace.waitMs() > 0) await clock.sleep(pace.waitMs()); else pace.spend(await workBatch(pace.batchMax)) }
 */
export class Pace {
  readonly #options: PaceOptions;
  readonly #background = new Background(() => undefined);
  readonly #trend = new DangerTrend();
  #timer: Timer | null = null;
  #rate: number;
  #done = 0;
  /** Done beyond what was allowed so far. */
  #debt = 0;
  #paidAt: number;
  #consumer: string | null = null;

  constructor(options: PaceOptions) {
    this.#options = options;
    this.#rate = options.limits.ceiling;
    this.#paidAt = options.clock.monotonic();
  }

  /** Per second. */
  get rate(): number {
    return this.#rate;
  }

  /** Events to be done at one time at most: a second's worth, since at two a second five hundred at once would be no pace at all. */
  get batchMax(): number {
    return Math.max(1, Math.floor(this.#rate));
  }

  /** Why it is slower than it could be, for people; null when it is not. */
  get reason(): string | null {
    if (this.#rate >= this.#options.limits.ceiling) return null;
    const whom = this.#consumer === null ? 'live consumers' : this.#consumer;
    if (this.#rate === 0) return `stands still: ${whom} would break its promise`;
    return `held to ${Math.round(this.#rate).toLocaleString('en-US')} events/s for the sake of ${whom}`;
  }

  start(): void {
    if (this.#timer !== null) return;
    const arm = (): void => {
      this.#timer = this.#options.clock.timer(passMs, tick, { unref: true });
    };
    const tick = (): void => {
      arm();
      this.#background.run(() => this.pass());
    };
    arm();
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = null;
    await this.#background.settled();
  }

  /** Decides once; the timer's business. */
  async pass(): Promise<void> {
    const { clock, limits, look, strained } = this.#options;
    const done = this.#done;
    this.#done = 0;
    const seen = await look().catch(() => null);
    this.#pay();
    this.#consumer = seen?.consumer ?? null;
    const danger = seen === null ? null : this.#trend.ahead(seen, clock.monotonic() / 1000);
    const signs = { danger, strained: strained() };
    this.#rate = nextRate({ rate: this.#rate, done }, signs, limits);
  }

  spend(events: number): void {
    this.#pay();
    this.#done += events;
    this.#debt += events;
  }

  /** Milliseconds until more may be done, or until it is worth asking again; 0: now. */
  waitMs(): number {
    this.#pay();
    if (this.#rate === 0) return waitMsMax;
    return this.#debt <= 0 ? 0 : Math.min(waitMsMax, Math.ceil((this.#debt / this.#rate) * 1000));
  }

  #pay(): void {
    const now = this.#options.clock.monotonic();
    this.#debt = Math.max(0, this.#debt - (this.#rate * (now - this.#paidAt)) / 1000);
    this.#paidAt = now;
  }
}
