import { durationText } from './duration-text.ts';
import type { ConsumerFacts } from './facts.ts';

/** A measurement older than this says nothing about now. */
export const measurementMaxAgeMs = 15_000;
/** Ten seconds until a lease has expired, two until the next heartbeat, and some for the takeover. */
const unownedGraceMs = 15_000;
/** A clock that is corrected by less is corrected without harm: nothing here is told apart by seconds. */
export const clockToleranceMs = 10_000;
/** After a jump the clock has to go right for so long before it is believed. */
const clockSteadyMs = 60_000;
/** Three probes in a row. */
const probeSilentMs = 30_000;
const stalledAfterMsMin = 30_000;

export const stalledAfterMs = (handledWithinMs: number): number =>
  Math.max(stalledAfterMsMin, handledWithinMs);

export const lowestCheckpoint = (facts: ConsumerFacts): number =>
  facts.lanes.length === 0
    ? facts.startPosition
    : Math.min(...facts.lanes.map(({ checkpoint }) => checkpoint));

/** Lanes that no process works, for longer than moving them to another owner takes. */
export const abandonedLanes = (facts: Pick<ConsumerFacts, 'lanes'>): readonly number[] =>
  facts.lanes
    .filter(({ unownedMs }) => unownedMs !== null && unownedMs > unownedGraceMs)
    .map(({ lane }) => lane);

/**
 * Why the ages of this consumer's events can't be told: the database's clock has just jumped, or it did so after the oldest
 * unhandled event was written, or it stands behind what was already written by it. Null when they can.
 */
export const clockProblem = ({ databaseClock, oldest }: ConsumerFacts): string | null => {
  const { headAheadMs, jump } = databaseClock;
  if (headAheadMs > clockToleranceMs)
    return `the database's clock is ${durationText(headAheadMs)} behind the newest event`;
  if (jump === null) return null;
  const jumped = `the database's clock jumped by ${durationText(Math.abs(jump.byMs))}`;
  if (jump.agoMs < clockSteadyMs) return `${jumped} ${jump.byMs < 0 ? 'back' : 'ahead'}`;
  return oldest !== null && oldest.position <= jump.head
    ? `${jumped} after the oldest unhandled event was written`
    : null;
};

/** Probes are sent and none comes through: that nothing waits may as well mean that nothing arrives. */
export const probesMissing = ({ probeMs }: ConsumerFacts): boolean =>
  probeMs !== null && probeMs > probeSilentMs;
