import type { Severity } from '../burn-rate.ts';
import { countText, durationText } from '../duration-text.ts';
import type { PauseBuffer } from '../facts.ts';
import { bufferText, isExceeded } from '../pause-buffers.ts';
import type { Verdict } from '../verdict.ts';
import { type AlertClass, alertClasses } from './alert-classes.ts';
import type { Observed } from './alert-state.ts';

/** One thing that may be wrong, as it was observed now. */
export interface Condition {
  readonly class: AlertClass;
  readonly consumer: string;
  /** Tells apart what is wrong within a class: the rule, the group of failures. */
  readonly fingerprint: string;
  readonly severity: Severity;
  readonly observed: Observed;
  readonly level: number;
  /** One sentence, without a full stop. */
  readonly summary: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

/** By which alerts are told apart; stable. */
export const dedupKeyOf = ({
  class: name,
  consumer,
  fingerprint,
}: Pick<Condition, 'class' | 'consumer' | 'fingerprint'>): string => `${name}:${consumer}:${fingerprint}`;

/** A promise that breaks later than this can wait for another look. */
const breachSoonSeconds = 3_600;

/** All conditions of the consumers, also those that are not met: so an alert learns that it is over. */
export const conditionsOf = (verdicts: readonly Verdict[]): readonly Condition[] =>
  verdicts.filter(({ state }) => state === 'live').flatMap((verdict) => ofConsumer(verdict));

const ofConsumer = (verdict: Verdict): Condition[] => {
  const unknown = verdict.verdict === 'UNKNOWN';
  const text = verdict.reasons[0]?.text ?? verdict.verdict;
  const seen = (met: boolean): Observed => (unknown ? 'unknown' : met ? 'met' : 'clear');
  const condition = (name: AlertClass, observed: Observed, summary: string): Condition => ({
    class: name,
    consumer: verdict.consumer,
    fingerprint: '',
    severity: alertClasses[name].severity,
    observed,
    level: 1,
    summary: `${verdict.consumer} ${summary}`,
    facts: factsOf(verdict),
  });
  const title = (name: AlertClass): string => `${alertClasses[name].title}: ${text}`;
  const { breaker } = verdict;
  return [
    // What was never registered is declared code that has not run yet: `status` shows it, nobody is called.
    condition(
      'measurement-blind',
      unknown && verdict.reasons[0]?.code !== 'not-registered' ? 'met' : 'clear',
      title('measurement-blind'),
    ),
    condition('consumer-stopped', seen(verdict.verdict === 'STALLED'), title('consumer-stopped')),
    condition('falling-behind', seen(fallsBehind(verdict)), behindText(verdict)),
    condition(
      'dependency-down',
      seen(breaker !== null && breaker.kind !== 'person'),
      `${alertClasses['dependency-down'].title}: ${breaker?.reason ?? 'no longer'}`,
    ),
    {
      ...condition('pause-exceeded', seen(exceeding(verdict).length > 0), exceededText(verdict)),
      facts: {
        verdict: verdict.verdict,
        pauses: exceeding(verdict).map(({ scope, buffer }) => ({ scope, ...buffer })),
      },
    },
    ...(verdict.class === 'workflow'
      ? [
          {
            ...condition('workflow-stuck', seen(stuckOf(verdict) > 0), stuckText(verdict)),
            facts: stuckFacts(verdict),
          },
        ]
      : []),
    ...burning(verdict),
  ];
};

const factsOf = (verdict: Verdict): Readonly<Record<string, unknown>> => ({
  verdict: verdict.verdict,
  lagSeconds: verdict.lagSeconds,
  handledWithinSeconds: verdict.handledWithinSeconds,
  unhandled: verdict.unhandled,
  timeToBreachSeconds: verdict.timeToBreachSeconds,
  timeToDrainSeconds: verdict.timeToDrainSeconds,
});

const fallsBehind = ({ verdict, timeToBreachSeconds: left }: Verdict): boolean =>
  verdict === 'LATE' || (verdict === 'OK' && left !== null && left > 0 && left < breachSoonSeconds);

const behindText = ({ verdict, reasons, timeToBreachSeconds: left }: Verdict): string => {
  const { title } = alertClasses['falling-behind'];
  if (verdict === 'OK' && left !== null)
    return `${title}: at the present rate its promise breaks in ${durationText(left * 1_000)}`;
  return `${title}: ${reasons[0]?.text ?? verdict}`;
};

/** Pauses that end by themselves when too much has come need nobody. A key is not named: it may be made of what a contract hides. */
const exceeding = ({
  paused,
  pausedParts,
}: Verdict): readonly { readonly scope: string; readonly buffer: PauseBuffer }[] =>
  [...(paused === null ? [] : [{ scope: 'consumer', buffer: paused.buffer }]), ...pausedParts].flatMap(
    ({ scope, buffer }) =>
      buffer !== null && !buffer.resumes && isExceeded(buffer) ? [{ scope, buffer }] : [],
  );

const exceededText = (verdict: Verdict): string => {
  const { title } = alertClasses['pause-exceeded'];
  const [first, ...others] = exceeding(verdict);
  if (first === undefined) return `${title}: no longer`;
  const scope = first.scope === 'consumer' ? 'all of it' : `a ${first.scope} of it`;
  const more = others.length === 0 ? '' : `, and ${countText(others.length, 'more part')}`;
  return `${title}: ${scope}, ${bufferText(first.buffer)}${more}`;
};

const stuckOf = ({ workflow }: Verdict): number => workflow?.instances.stuck ?? 0;

const stuckText = ({ reasons }: Verdict): string => {
  const { title } = alertClasses['workflow-stuck'];
  return `${title}: ${reasons.find(({ code }) => code === 'instances-stuck')?.text ?? 'no longer'}`;
};

const stuckFacts = (verdict: Verdict): Condition['facts'] => ({
  verdict: verdict.verdict,
  stuck: stuckOf(verdict),
  oldestSeconds: verdict.workflow?.stuckOldestSeconds ?? null,
});

const burning = ({ consumer, burn }: Verdict): Condition[] =>
  (burn ?? []).map(({ rate, severity, state, long, short }) => ({
    class: 'burn-rate' as const,
    consumer,
    fingerprint: `${rate}x`,
    severity,
    observed: state === 'UNKNOWN' ? 'unknown' : state === 'BURNING' ? 'met' : 'clear',
    level: 1,
    summary: `${consumer} spends its error budget ${long.burn ?? '?'} times as fast as it lasts (${durationText(long.seconds * 1_000)}; ${short.burn ?? '?'} times in ${durationText(short.seconds * 1_000)})`,
    facts: { rate, long, short },
  }));
