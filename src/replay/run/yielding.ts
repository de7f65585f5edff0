import { DangerTrend, type LiveDanger, nextRate, type RateLimits } from '../../consumers/index.ts';

/** Events a second. What a replay begins with, and goes back to with care. */
const beginsAt = 50;
/** A hundredth more in a second: what live events feel is known half a minute later. */
const growth = 1 / 100;
/** Near where they felt it last. */
const growthNear = 1 / 400;
const near = 0.7;
/** Nobody can feel it when no event was recorded for so long. */
const quietSeconds = 10;

export const rateAtFirst = ({ ceiling, floor }: RateLimits): number =>
  Math.max(floor, Math.min(ceiling, beginsAt));

/** What a look saw, once a second. */
export interface YieldLook {
  /** Null: it could not be measured. */
  readonly seen: LiveDanger | null;
  /** Live events take longer beside it. */
  readonly strained: boolean;
  /** Events that were handed over so far. */
  readonly released: number;
  /** The highest position that was ever given. */
  readonly head: number;
  /** Seconds of any clock. */
  readonly now: number;
}

/**
 * How fast one replay may go. Remembers from look to look what makes the decision better, nothing that another process could not do
 * without: danger ahead, what was really handed over, at what rate live events felt it, and whether there are any.
 */
export class YieldingRate {
  readonly #trend = new DangerTrend();
  #released: number | null = null;
  #feltAt = Infinity;
  #head = -1;
  #recordedAt = -Infinity;

  next(rate: number, { seen, strained, released, head, now }: YieldLook, limits: RateLimits): number {
    const danger = seen === null ? null : this.#trend.ahead(seen, now);
    const done = this.#released === null ? rate : released - this.#released;
    this.#released = released;
    if (strained) this.#feltAt = Math.min(rate, Math.max(done, rate / 2));
    // Past it without being felt: what was, is no more.
    else if (rate > this.#feltAt) this.#feltAt = Infinity;
    if (head !== this.#head) this.#recordedAt = now;
    this.#head = head;
    const quiet = now - this.#recordedAt > quietSeconds;
    return nextRate(
      { rate, done },
      { danger, strained },
      { ...limits, growth: quiet ? Infinity : this.#careful(rate) },
    );
  }

  #careful(rate: number): number {
    if (rate > this.#feltAt * near) return Math.max(rate, beginsAt) * growthNear;
    return rate < beginsAt ? Infinity : rate * growth;
  }
}
