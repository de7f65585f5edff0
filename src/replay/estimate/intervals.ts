import type { Predicted, Within } from './estimate.ts';

/** 95 of 100. */
const z = 1.96;

/** What was counted. */
export const exactly = (value: number): Predicted => ({ likely: value, low: value, high: value });

export const withinOf = ({ low, high }: Predicted): Within => ({ low, high });

const round = (value: number): number => Math.round(value * 1_000) / 1_000;

/** The share of all events, from `hits` in a sample of `size`, by Wilson's interval: honest also at 0 hits. */
export const wilson = (hits: number, size: number): Predicted => {
  if (size === 0) return { likely: 0, low: 0, high: 1 };
  const share = hits / size;
  const spread = z * Math.sqrt((share * (1 - share)) / size + z ** 2 / (4 * size ** 2));
  const scale = 1 + z ** 2 / size;
  const middle = (share + z ** 2 / (2 * size)) / scale;
  return {
    likely: round(share),
    low: round(Math.max(0, middle - spread / scale)),
    high: round(Math.min(1, middle + spread / scale)),
  };
};

/**
 * The sum over `events` events, from what single events were observed to have. Uncertain twice over: the mean is known from
 * a sample, and the events vary.
 */
export const predictTotal = (observed: readonly number[], events: number): Predicted => {
  const size = observed.length;
  if (size === 0) return { likely: 0, low: 0, high: 0 };
  const mean = meanOf(observed);
  const variance = observed.reduce((sum, each) => sum + (each - mean) ** 2, 0) / Math.max(1, size - 1);
  const deviation = Math.sqrt(variance * (events ** 2 / size + events));
  return {
    likely: Math.round(mean * events),
    low: Math.max(0, Math.floor(mean * events - z * deviation)),
    high: Math.ceil(mean * events + z * deviation),
  };
};

/** What was seen of one quantity in parts of a whole that were drawn by chance, each part independently. */
export interface DrawnParts {
  /** How many were drawn, also those in which there was none of it. */
  readonly drawn: number;
  readonly sum: number;
  readonly sumOfSquares: number;
  /** No part has more of it. */
  readonly most: number;
}

/** ln(2 / 0.025): 95 of 100, half of what is missed on either side. */
const surprise = 4.382;

/**
 * The sum over all `parts` of a whole, by the empirical Bernstein bound (Maurer and Pontil, 2009): it holds however the quantity is
 * spread, also when all of it stands in a few parts that chance has missed.
 */
export const predictSum = ({ drawn, sum, sumOfSquares, most }: DrawnParts, parts: number): Predicted => {
  const mean = sum / drawn;
  const variance = Math.max(0, sumOfSquares - sum * mean) / (drawn - 1);
  const spread = Math.sqrt((2 * variance * surprise) / drawn) + (7 * most * surprise) / (3 * (drawn - 1));
  return {
    likely: Math.round(mean * parts),
    low: Math.max(sum > 0 ? 1 : 0, Math.floor((mean - spread) * parts)),
    high: Math.ceil(Math.min(mean + spread, most) * parts),
  };
};

export const meanOf = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, each) => sum + each, 0) / values.length;

/** The smallest value that at least this share of the values does not exceed. */
export const quantile = (values: readonly number[], share: number): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
};
