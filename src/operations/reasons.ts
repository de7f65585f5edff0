import { budgetSpent } from './budget.ts';
import { burnRates } from './burn-rate.ts';
import { countText, durationText } from './duration-text.ts';
import type { ConsumerFacts, PauseFacts, VerdictContext } from './facts.ts';
import { abandonedLanes, clockProblem, measurementMaxAgeMs } from './limits.ts';
import { bufferText } from './pause-buffers.ts';
import type { Reason, VerdictName } from './verdict.ts';
import { abandonedReasons, isAbandoned, stuckReasons } from './workflows/standing.ts';

/** A shorter wait for a publishing transaction is every day's business. */
const tailBlockedMsMin = 1_000;
/** Parked events of one key that are worth a word; the runner of this process knows better, and is always believed. */
const hotKeyWaitingMin = 10;
/** What a runner says of itself and the measurement says as well. */
const saidAlready =
  /^(paused by |breaker open \(|the key .* has most of the waiting|build \d+ is being filled)/;

/** Why the verdict is what it is, and what is worth knowing beside it; in order of weight. */
export const reasonsOf = (facts: ConsumerFacts, context: VerdictContext, verdict: VerdictName): Reason[] => {
  if (verdict === 'UNKNOWN') return [blindness(facts, context)];
  return [
    ...pauses(facts),
    ...pausedParts(facts),
    ...lanesUnowned(facts),
    ...abandonedReasons(facts),
    ...lateness(facts, verdict),
    ...incidents(facts, context),
    ...parkedReasons(facts),
    ...stuckReasons(facts),
    ...burning(facts),
    ...budget(facts),
    ...transitions(facts),
    ...(context.runner?.reasons ?? [])
      .filter((text) => !saidAlready.test(text))
      .map((text): Reason => ({ code: 'runner', text })),
  ];
};

/** Why nothing can be told. */
const blindness = (facts: ConsumerFacts, { measuredAgoMs }: VerdictContext): Reason => {
  if (measuredAgoMs > measurementMaxAgeMs) {
    const text = `the last measurement is ${durationText(measuredAgoMs)} old, older than ${durationText(measurementMaxAgeMs)}`;
    return { code: 'not-measured', text };
  }
  const jumped = clockProblem(facts);
  if (jumped !== null) return { code: 'clock-jumped', text: jumped };
  const text = `no probe has come through for ${durationText(facts.probeMs ?? 0)}: events may not arrive`;
  return { code: 'probe-missing', text };
};

const pauses = ({ paused, breaker }: ConsumerFacts): Reason[] => {
  const reasons: Reason[] = [];
  if (paused !== null) {
    const by = paused.by === null ? '' : ` by ${paused.by}`;
    reasons.push({ code: 'paused-by-person', text: `paused${by}: ${paused.reason}${untilText(paused)}` });
  }
  if (breaker !== null)
    reasons.push({ code: 'breaker-open', text: `the breaker is open: ${breaker.reason}` });
  return reasons;
};

const untilText = ({ resumesMs, buffer }: PauseFacts): string => {
  const ends = [
    ...(resumesMs === null ? [] : [`goes on in ${durationText(resumesMs)}`]),
    ...(buffer === null ? [] : [bufferText(buffer)]),
  ];
  return ends.length === 0 ? '' : ` (${ends.join('; ')})`;
};

/** A long list is in the JSON. */
const partsMax = 5;

const pausedParts = ({ pausedParts: parts, heldEvents }: ConsumerFacts): Reason[] => {
  if (parts.length === 0) return [];
  const shown = parts.slice(0, partsMax).map((part): Reason => {
    const which = part.scope === 'key' ? `the key ${JSON.stringify(part.value)}` : `the type ${part.value}`;
    return {
      code: 'part-paused',
      text: `${which} is paused by ${part.by}: ${part.reason}${untilText(part)}`,
    };
  });
  const others = parts.length > partsMax ? `, ${parts.length - partsMax} more parts are paused` : '';
  const text = `${countText(heldEvents, 'event waits', 'events wait')} for what is paused${others}`;
  return [...shown, { code: 'part-paused', text }];
};

const lanesUnowned = (facts: ConsumerFacts): Reason[] => {
  const abandoned = abandonedLanes(facts);
  if (abandoned.length === 0) return [];
  const which =
    abandoned.length === facts.lanes.length ? 'it' : `${abandoned.length} of its ${facts.lanes.length} lanes`;
  const last = facts.lanes.reduce((ms, { unownedMs }) => Math.max(ms, unownedMs ?? 0), 0);
  return [{ code: 'lanes-unowned', text: `no process works ${which} (for ${durationText(last)} or longer)` }];
};

const lateness = (facts: ConsumerFacts, verdict: VerdictName): Reason[] => {
  const { oldest, handledWithinMs } = facts;
  if (oldest === null) return [];
  const reasons: Reason[] = [];
  if (verdict === 'STALLED' && abandonedLanes(facts).length === 0 && !isAbandoned(facts)) {
    const what = `nothing was handled in lane ${oldest.lane} for ${durationText(oldest.idleMs)}`;
    const waits =
      oldest.where === 'instance'
        ? `instance ${oldest.instance} is due`
        : `the event at position ${oldest.position} waits`;
    reasons.push({ code: 'no-progress', text: `${what}, and ${waits}` });
  }
  // What nobody reads has promised nothing: of course its next event is an old one.
  if (oldest.ageMs > handledWithinMs && facts.filling === null) {
    const age = `${oldest.exact ? '' : 'at most '}${durationText(oldest.ageMs)}`;
    const late =
      oldest.where === 'instance'
        ? `instance ${oldest.instance} is due for ${age}`
        : `the oldest unhandled event is ${age} old`;
    const text = `${late}; promised is ${durationText(handledWithinMs)}`;
    reasons.push({ code: 'older-than-promised', text });
  }
  if (oldest.where === 'without code') {
    reasons.push({
      code: 'no-code',
      text: `${countText(facts.unhandled.withoutCode, 'event waits', 'events wait')} for code that knows their type`,
    });
  }
  return reasons;
};

const incidents = (facts: ConsumerFacts, { tail, trend, runner }: VerdictContext): Reason[] => {
  const reasons: Reason[] = [];
  if (tail !== null && tail.ageMs >= tailBlockedMsMin && facts.oldest !== null) {
    const who = tail.pid === null ? 'a prepared transaction' : `the transaction of process ${tail.pid}`;
    const query = tail.query === null ? '' : `: ${tail.query.replace(/\s+/g, ' ').slice(0, 80)}`;
    const text = `the log is held up for ${durationText(tail.ageMs)} by ${who}${query}`;
    reasons.push({ code: 'tail-blocked', text });
  }
  if (
    facts.filling === null &&
    trend !== null &&
    trend.backlogPerSecond > 0 &&
    facts.oldest !== null &&
    facts.oldest.ageMs > facts.handledWithinMs
  ) {
    const text = `the backlog grows by ${trend.backlogPerSecond.toFixed(1)} a second`;
    reasons.push({ code: 'falling-behind', text });
  }
  const parked = facts.hottestKey;
  const hottest =
    runner?.hottestKey ?? (parked !== null && parked.waiting >= hotKeyWaitingMin ? parked : null);
  if (hottest !== null) {
    const text = `${countText(hottest.waiting, 'event')} of the key ${JSON.stringify(hottest.key)} wait for one another`;
    reasons.push({ code: 'hot-key', text });
  }
  return reasons;
};

const parkedReasons = ({ unhandled, quarantined }: ConsumerFacts): Reason[] => {
  const reasons: Reason[] = [];
  if (quarantined.events > 0) {
    const behind =
      quarantined.waiting === 0 ? '' : `, ${countText(quarantined.waiting, 'event')} waiting behind`;
    const text = `${countText(quarantined.keys, 'key')} in quarantine${behind}`;
    reasons.push({ code: 'quarantine', text });
  }
  if (unhandled.retrying > 0) {
    const { nextRetryMs } = unhandled;
    const next =
      nextRetryMs === null
        ? ''
        : nextRetryMs <= 0
          ? ', the next one now'
          : `, the next one in ${durationText(nextRetryMs)}`;
    reasons.push({
      code: 'retrying',
      text: `${countText(unhandled.retrying, 'event')} being retried${next}`,
    });
  }
  return reasons;
};

/** Two digits; an event that failed again in a later minute was counted again, and all of them are all. */
const percent = (share: number): string => `${Number((Math.min(share, 1) * 100).toPrecision(2))} %`;

/** The rule that is most urgent. */
const burning = ({ windows, errorBudget }: ConsumerFacts): Reason[] => {
  const [worst] = burnRates(windows, errorBudget).filter(({ state }) => state === 'BURNING');
  if (worst === undefined) return [];
  const { long, short } = worst;
  const windowText = ({ burn, seconds }: typeof long): string =>
    `${(burn ?? 0).toLocaleString('en-US')} times in ${durationText(seconds * 1_000)}`;
  const text = `the error budget is spent faster than it lasts: ${windowText(long)}, ${windowText(short)}`;
  return [{ code: 'burning', text }];
};

const budget = (facts: ConsumerFacts): Reason[] => {
  const budgeted = budgetSpent(facts);
  if (budgeted === null || budgeted.spent < 1) return [];
  const { late, quarantined, events } = budgeted;
  const text = `${percent((late + quarantined) / events)} of the events of 30 days were late or quarantined; ${percent(facts.errorBudget)} may be`;
  return [{ code: 'budget-spent', text }];
};

const buildingText = ({ build, filling }: ConsumerFacts): string => {
  if (filling === null) return `build ${build} is fed; readers see another one`;
  const left = filling.etaMs === null ? '' : `, about ${durationText(filling.etaMs)} left`;
  const obstacle = filling.obstacle === null ? '' : `: ${filling.obstacle}`;
  return `build ${build} is being filled, ${Math.floor(filling.done * 100)} %${left}; readers see another one${obstacle}`;
};

const transitions = (facts: ConsumerFacts): Reason[] => {
  const { state, newerGeneration } = facts;
  const reasons: Reason[] = [];
  if (state === 'building') {
    reasons.push({ code: 'building', text: buildingText(facts) });
  }
  if (newerGeneration !== null) {
    const { generation, barrier } = newerGeneration;
    const text = `generation ${generation} takes over at position ${barrier}`;
    reasons.push({ code: 'generation-handover', text });
  }
  return reasons;
};
