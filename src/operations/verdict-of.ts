/**
 * The verdict of one consumer, decided from measured facts alone; pure.
 *
 *   no measurement younger than 15 s ────────────────────────────────▶ UNKNOWN
 *   a person paused it, or its breaker is open ──────────────────────▶ PAUSED
 *   the database's clock jumped: no age can be told ─────────────────▶ UNKNOWN
 *   lanes without an owner for longer than a takeover takes,
 *     or a workflow's version with instances and without code ───────▶ STALLED
 *   an unhandled event, and nothing done in its lane (nor due later)
 *     for max(30 s, promise), unless a build is held up on purpose ───▶ STALLED
 *   the oldest unhandled event is older than the promise; builds that
 *     nobody reads have promised nothing ────────────────────────────▶ LATE
 *   probes are sent, and none has come through for 30 s ─────────────▶ UNKNOWN
 *   otherwise ───────────────────────────────────────────────────────▶ OK
 *
 * The first rule that holds decides. Quarantined events take no part: they have an age and a promise of their own and
 * stand beside the verdict; so do stuck instances of workflows. An instance that is due and that nobody works at counts like an
 * unhandled event.
 */

import { budgetSpent } from './budget.ts';
import { burnRates } from './burn-rate.ts';
import type { ConsumerFacts, OldestUnhandled, PauseFacts, Trend, VerdictContext } from './facts.ts';
import {
  abandonedLanes,
  clockProblem,
  lowestCheckpoint,
  measurementMaxAgeMs,
  probesMissing,
  stalledAfterMs,
} from './limits.ts';
import { reasonsOf } from './reasons.ts';
import type { Verdict, VerdictName, VerdictPause } from './verdict.ts';
import { isAbandoned, standingOfWorkflow } from './workflows/standing.ts';

/** @example verdictOf(facts, { measuredAgoMs: 0, trend: null, tail: null, runner: null }).verdict // 'OK' */
export const verdictOf = (facts: ConsumerFacts, context: VerdictContext): Verdict => {
  const verdict = decide(facts, context.measuredAgoMs);
  const known = verdict !== 'UNKNOWN';
  const { quarantined, unhandled } = facts;
  return {
    consumer: facts.consumer,
    class: facts.class,
    verdict,
    reasons: reasonsOf(facts, context, verdict),
    lagSeconds: known ? seconds(facts.oldest?.ageMs ?? 0) : null,
    lagExact: facts.oldest?.exact ?? true,
    handledWithinSeconds: seconds(facts.handledWithinMs),
    errorBudget: facts.errorBudget,
    budget: known ? budgetSpent(facts) : null,
    burn: known ? burnRates(facts.windows, facts.errorBudget) : null,
    timeToDrainSeconds: known ? timeToDrain(facts, context.trend) : null,
    timeToBreachSeconds: known ? timeToBreach(facts, context.trend) : null,
    unhandled: known ? unhandled.events : null,
    unhandledExact: unhandled.exact,
    retrying: known ? unhandled.retrying : null,
    waiting: known ? unhandled.waiting : null,
    quarantined: known
      ? {
          keys: quarantined.keys,
          events: quarantined.events,
          waiting: quarantined.waiting,
          oldestSeconds: quarantined.oldestMs === null ? null : seconds(quarantined.oldestMs),
        }
      : null,
    handled: context.runner?.handled ?? null,
    hottestKey: context.runner?.hottestKey ?? facts.hottestKey,
    workflow: known ? standingOfWorkflow(facts) : null,
    lanes: {
      total: facts.lanes.length,
      owned: facts.lanes.filter(({ owner }) => owner !== null).length,
      unowned: facts.lanes.filter(({ owner }) => owner === null).map(({ lane }) => lane),
    },
    owners: facts.owners.map((owner) => ({
      ...owner,
      lanes: facts.lanes.filter((lane) => lane.owner === owner.process).map(({ lane }) => lane),
    })),
    checkpoint: lowestCheckpoint(facts),
    head: facts.head,
    breaker: facts.breaker,
    paused: facts.paused === null ? null : pauseOf(facts.paused),
    pausedParts: facts.pausedParts.map(({ scope, value, ...pause }) => ({ scope, value, ...pauseOf(pause) })),
    held: known ? facts.heldEvents : null,
    version: facts.version,
    build: facts.build,
    state: facts.state,
    filling: fillingOf(facts),
    generation: facts.generation,
    startPosition: facts.startPosition,
    measuredSecondsAgo: seconds(context.measuredAgoMs),
  };
};

const fillingOf = ({ filling }: ConsumerFacts): Verdict['filling'] =>
  filling === null
    ? null
    : { done: filling.done, etaSeconds: filling.etaMs === null ? null : seconds(filling.etaMs) };

const pauseOf = ({ reason, by, forMs, resumesMs, buffer }: PauseFacts): VerdictPause => ({
  reason,
  by,
  forSeconds: seconds(forMs),
  resumesInSeconds: resumesMs === null ? null : seconds(resumesMs),
  buffer,
});

const decide = (facts: ConsumerFacts, measuredAgoMs: number): VerdictName => {
  if (measuredAgoMs > measurementMaxAgeMs) return 'UNKNOWN';
  if (facts.paused !== null || facts.breaker !== null) return 'PAUSED';
  if (clockProblem(facts) !== null) return 'UNKNOWN';
  if (abandonedLanes(facts).length > 0 || isAbandoned(facts)) return 'STALLED';
  const { oldest } = facts;
  if (oldest !== null && isStuck(oldest, facts)) return 'STALLED';
  if (oldest !== null && oldest.ageMs > facts.handledWithinMs && facts.filling === null) return 'LATE';
  return probesMissing(facts) ? 'UNKNOWN' : 'OK';
};

/** A retry that is not due yet is work under way, and a build may yield to live consumers: nothing has stopped. */
const isStuck = (oldest: OldestUnhandled, facts: ConsumerFacts): boolean => {
  const { nextRetryMs } = facts.unhandled;
  if (facts.filling !== null && facts.filling.obstacle !== null) return false;
  if (oldest.where === 'retrying' && nextRetryMs !== null && nextRetryMs > 0) return false;
  return Math.min(oldest.idleMs, oldest.ageMs) >= stalledAfterMs(facts.handledWithinMs);
};

const timeToDrain = (facts: ConsumerFacts, trend: Trend | null): number | null => {
  if (facts.oldest === null) return 0;
  if (facts.filling !== null) return facts.filling.etaMs === null ? null : seconds(facts.filling.etaMs);
  if (trend === null || trend.backlogPerSecond >= 0) return null;
  return seconds((trend.backlog / -trend.backlogPerSecond) * 1_000);
};

const timeToBreach = (facts: ConsumerFacts, trend: Trend | null): number | null => {
  if (facts.filling !== null) return null;
  const left = facts.handledWithinMs - (facts.oldest?.ageMs ?? 0);
  if (left <= 0) return 0;
  // While it stands still the oldest event grows older by a second a second, whatever the trend of before says.
  const stands = facts.oldest !== null && (facts.paused !== null || facts.breaker !== null);
  const lagMsPerSecond = stands ? 1_000 : (trend?.lagMsPerSecond ?? 0);
  return lagMsPerSecond <= 0 ? null : seconds((left / lagMsPerSecond) * 1_000);
};

const seconds = (ms: number): number => Math.max(0, Math.round(ms) / 1_000);
