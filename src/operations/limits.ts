import type { ConsumerFacts } from './facts.ts';

/** A measurement older than this says nothing about now. */
export const measurementMaxAgeMs = 15_000;
/** Ten seconds until a lease has expired, two until the next heartbeat, and some for the takeover. */
const unownedGraceMs = 15_000;
const stalledAfterMsMin = 30_000;

export const stalledAfterMs = (handledWithinMs: number): number =>
  Math.max(stalledAfterMsMin, handledWithinMs);

export const lowestCheckpoint = (facts: ConsumerFacts): number =>
  facts.lanes.length === 0
    ? facts.startPosition
    : Math.min(...facts.lanes.map(({ checkpoint }) => checkpoint));

/** Lanes that no process works, for longer than moving them to another owner takes. */
export const abandonedLanes = (facts: ConsumerFacts): readonly number[] =>
  facts.lanes
    .filter(({ unownedMs }) => unownedMs !== null && unownedMs > unownedGraceMs)
    .map(({ lane }) => lane);
