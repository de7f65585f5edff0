/**
 * How fast work that can wait (a rebuild, a replay) may go beside live consumers: additive increase, multiplicative decrease,
 * decided about once a second. Pure.
 *
 *   danger ≥ 0.8, the error budget burns, or nobody knows ──► 0: it stands still
 *   danger ≥ 0.5, or something is strained ─────────────────► half of what was really done, not below the floor
 *   otherwise ──────────────────────────────────────────────► a sixtieth of the ceiling more, or less with care, from the floor on
 *
 * Danger is the age of the oldest event that a live consumer has not handled, as a share of what was promised.
 */
export interface LiveSigns {
  /** Of the consumer that is worst off; null when it could not be measured. */
  readonly danger: number | null;
  /** Others wait for connections, or the outside world refuses calls. */
  readonly strained?: boolean;
  /** An error budget is spent faster than its window allows. */
  readonly burning?: boolean;
}

export interface RateLimits {
  /** Per second. */
  readonly ceiling: number;
  /** Not below it as long as it may go at all. */
  readonly floor: number;
  /** No more than this is added; default: a sixtieth of the ceiling. */
  readonly growth?: number;
}

export interface Pacing {
  /** What was allowed in the last second, and what was done. */
  readonly rate: number;
  readonly done: number;
}

const standStillAt = 0.8;
const giveWayAt = 0.5;
/** Passes from standing still to the ceiling. */
const recoveryPasses = 60;

/** @example nextRate({ rate: 1000, done: 800 }, { danger: 0.6 }, { ceiling: 1000, floor: 10 }) // 400 */
export const nextRate = ({ rate, done }: Pacing, signs: LiveSigns, limits: RateLimits): number => {
  const { danger, strained = false, burning = false } = signs;
  const { ceiling, floor, growth = Infinity } = limits;
  if (danger === null || danger >= standStillAt || burning) return 0;
  // Half of an allowance that was never used would change nothing.
  if (danger >= giveWayAt || strained) return Math.min(ceiling, Math.max(floor, Math.min(rate, done) / 2));
  return Math.min(ceiling, Math.max(floor, rate + Math.min(ceiling / recoveryPasses, growth)));
};
