import type { Clock } from '../../foundation/index.ts';
import type { LaneWork } from './lane-work.ts';

export interface DispatchLimitOptions {
  readonly clock: Clock;
  /** The lanes held at the moment. */
  readonly lanes: () => readonly LaneWork[];
  /** Stores the limit for all lanes, before it counts. */
  readonly write: (limit: number) => Promise<void>;
  readonly onRaised: () => void;
  readonly onError: (error: unknown) => void;
}

/** While events wait, the limit is what is begun within this time ahead of what has begun … */
const aheadMs = 250;
/** … within these bounds, in positions: a step costs a statement, and a killed process's steps are suspects. */
const aheadMin = 16;
const aheadMax = 1_000;
/** While nothing waits: so far that a steady trickle needs a statement every hundred events or so. */
const aheadQuiet = 256;
const sampleMs = 100;
const failedPauseMs = 500;

/**
 * Keeps the stored limit a little ahead of what is begun: no event above it may begin, so that after an unclean death what
 * could have been in flight lies below it (ENGINE.md §5). Every event that waits below the limit becomes a suspect then, and
 * suspects are handled one by one; so while there is a backlog the limit follows what was begun closely, not what was read.
 * While nothing waits it is kept far ahead: the next event need not wait for it, and there is nobody to suspect.
 */
export class DispatchLimit {
  readonly #options: DispatchLimitOptions;
  #wanted = 0;
  #raising = false;
  #highest = 0;
  #sample = { at: 0, highest: 0 };
  #ahead = aheadMin;

  constructor(options: DispatchLimitOptions) {
    this.#options = options;
  }

  /** Whether the event may begin now; otherwise the limit is being raised for it, which ends with `onRaised`. */
  admits(lane: LaneWork, position: number): boolean {
    if (position > lane.dispatchLimit) {
      this.#want(position + this.#ahead);
      return false;
    }
    this.#begun(position);
    if (lane.dispatchLimit - position < this.#ahead / 2) this.#want(position + this.#ahead);
    return true;
  }

  /** Everything up to here was read, and none of it waits. */
  nothingWaits(readUpTo: number): void {
    const limits = this.#options
      .lanes()
      .map((lane) => (lane.active ? lane.dispatchLimit : Number.MAX_SAFE_INTEGER));
    if (Math.min(...limits) - readUpTo < aheadQuiet / 2) this.#want(readUpTo + aheadQuiet);
  }

  #begun(position: number): void {
    this.#highest = Math.max(this.#highest, position);
    const now = this.#options.clock.monotonic();
    const elapsed = now - this.#sample.at;
    if (elapsed < sampleMs) return;
    const perMs = this.#sample.at === 0 ? 0 : (this.#highest - this.#sample.highest) / elapsed;
    this.#ahead = Math.min(Math.max(Math.round(perMs * aheadMs), aheadMin), aheadMax);
    this.#sample = { at: now, highest: this.#highest };
  }

  #want(limit: number): void {
    this.#wanted = Math.max(this.#wanted, limit);
    if (this.#raising) return;
    this.#raising = true;
    void this.#raise().finally(() => {
      this.#raising = false;
    });
  }

  async #raise(): Promise<void> {
    const { write, clock, lanes, onRaised, onError } = this.#options;
    while (this.#wanted > 0 && lanes().length > 0) {
      const wanted = this.#wanted;
      try {
        await write(wanted);
        if (this.#wanted === wanted) this.#wanted = 0;
        onRaised();
      } catch (error) {
        onError(error);
        await clock.sleep(failedPauseMs);
      }
    }
    this.#wanted = 0;
  }
}
