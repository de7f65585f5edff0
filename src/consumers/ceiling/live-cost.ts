/** Of each kind, before anything is said. */
const countMin = 50;
/** Of each kind: more would say no more. */
const countMax = 2_000;
/** What is slow: slower than all but this share of the live events that had the process to themselves. */
const slowShare = 0.1;
/** So many more may be slow: the 99th percentile of all then grows by about a tenth. */
const moreMax = 0.04;
/** Standard errors that chance does not explain. */
const surely = 3;
/** What is older says nothing about now. */
const windowMs = 30_000;

export interface LiveDelay {
  readonly ms: number;
  /** Whether the work that can wait rested. */
  readonly alone: boolean;
  /** Of any monotonic clock, in milliseconds. */
  readonly now: number;
}

/**
 * What work that can wait costs live events: their delays while it goes on are compared with those while it rests, seconds
 * later, so that whatever else keeps the machine busy is in both. Pure.
 */
export class LiveCost {
  #alone: number[] = [];
  #beside: number[] = [];
  #since = 0;

  note({ ms, alone, now }: LiveDelay): void {
    if (now - this.#since > windowMs) this.begin(now);
    const delays = alone ? this.#alone : this.#beside;
    if (delays.length < countMax) delays.push(ms);
  }

  /** Whether more live events are slow because of it than may be. */
  get felt(): boolean {
    const [alone, beside] = [this.#alone.length, this.#beside.length];
    if (alone < countMin || beside < countMin) return false;
    const limit = this.#alone.toSorted((one, other) => other - one)[Math.floor(alone * slowShare)] ?? 0;
    const share = (delays: readonly number[]): number =>
      delays.filter((ms) => ms > limit).length / delays.length;
    const error = Math.sqrt(slowShare * (1 - slowShare) * (1 / alone + 1 / beside));
    return share(this.#beside) - share(this.#alone) > Math.max(moreMax, surely * error);
  }

  /** What was seen so far is about another pace. */
  begin(now: number): void {
    this.#alone = [];
    this.#beside = [];
    this.#since = now;
  }
}
