import type { ReplayManifest } from '../request/manifest.ts';
import type { BlastRadius, EffectEstimate, FanOut, SampleRun, SelectionProfile } from './estimate.ts';

export interface BlastFacts {
  readonly consumer: {
    readonly name: string;
    readonly class: 'projection' | 'operational';
    readonly handledWithinMs: number | null;
  };
  readonly manifest: ReplayManifest;
  readonly profile: SelectionProfile;
  readonly fanOut: FanOut;
  readonly sample: SampleRun | null;
  /** Handlers at work at one time, where the class has such a bound. */
  readonly concurrency: number | null;
  readonly readers: readonly { readonly name: string; readonly handledWithinMs: number | null }[];
  /** The code that it is planned for, and other code that runs; null: none does. */
  readonly code: { readonly planned: string; readonly running: string | null };
}

/** A promise that nobody declared. */
const promiseDefaultMs = 60_000;

/** Everything a person has to know before saying yes, put together from what was counted, observed and tried. */
export const blastRadiusOf = (facts: BlastFacts): BlastRadius => {
  const { consumer, manifest, profile, fanOut, readers } = facts;
  const derived =
    manifest.publish === 'publish' ? [...new Set(fanOut.derived.flatMap(({ consumers }) => consumers))] : [];
  const touched = [consumer, ...readers.filter(({ name }) => derived.includes(name))];
  return {
    events: profile.events,
    eventsWithin: profile.eventsWithin,
    keys: profile.keys,
    consumers: { direct: consumer.name, derived: derived.sort() },
    effects: fanOut.effects.map((effect) => ({
      name: effect.name,
      policy: manifest.effects.policy,
      text: effectText(effect, manifest, profile.events),
    })),
    irreversible: irreversibleOf(facts),
    promises: touched.map(({ name, handledWithinMs }) => ({
      consumer: name,
      handledWithinMs: handledWithinMs ?? promiseDefaultMs,
    })),
    durationSeconds: durationOf(facts),
    unreplayable: Object.entries(profile.excludedBecause).map(([why, events]) => ({ why, events })),
    warnings: warningsOf(facts),
  };
};

const effectText = (
  effect: EffectEstimate,
  { effects, selection: { source } }: ReplayManifest,
  events: number,
): string => {
  const { recorded, unknown, predicted } = effect;
  switch (effects.policy) {
    case 'skip':
      return `does not happen (${recorded} happened before)`;
    case 'reuse':
      if (source === 'quarantine')
        return `happens as in life, about ${predicted.likely} times (${predicted.low} to ${predicted.high}); ${recorded} happened before and are not repeated${unknown > 0 ? `; ${unknown} may have` : ''}`;
      return `${recorded} recorded results are reused; ${Math.max(0, events - recorded)} events have none${unknown > 0 ? `, ${unknown} an unknown outcome` : ''}`;
    case 'execute':
      return `happens about ${predicted.likely} times (${predicted.low} to ${predicted.high}), at most ${effects.max} of all effects`;
  }
};

const irreversibleOf = ({ consumer, manifest }: BlastFacts): string | null => {
  if (consumer.class === 'projection') return null;
  if (manifest.effects.policy === 'execute') return `effects happen anew; to undo: ${manifest.rollback}`;
  if (manifest.selection.source === 'quarantine')
    return 'effects and published events are as in life: nothing of them is taken back';
  if (manifest.publish === 'publish') return 'published events are facts: they stay in the log';
  return 'what the handler writes through its transaction stays written';
};

const durationOf = (facts: BlastFacts): BlastRadius['durationSeconds'] => {
  const { manifest, profile, sample, concurrency, consumer } = facts;
  if (consumer.class === 'projection') return null;
  const { ceiling } = manifest.rate;
  const handled =
    sample === null || concurrency === null || sample.meanMs <= 0
      ? ceiling
      : (concurrency * 1_000) / sample.meanMs;
  const seconds = (rate: number): number => Math.ceil(profile.events / rate);
  return { atCeiling: seconds(ceiling), likely: seconds(Math.min(ceiling, handled)) };
};

const warningsOf = (facts: BlastFacts): readonly string[] => {
  const { profile, sample, fanOut, manifest, consumer, code } = facts;
  const warnings: string[] = [];
  if (code.running !== null)
    warnings.push(
      `the code ${code.running} is running, and this is planned for ${code.planned}: it cannot begin before that runs everywhere`,
    );
  if (profile.beforeStart > 0)
    warnings.push(
      `${profile.beforeStart} events were recorded before ${consumer.name} began and were never handled by it`,
    );
  if (profile.followers > 0)
    warnings.push(`${profile.followers} later events of these keys wait behind them, and go on with them`);
  const [hottest] = profile.hottestKeys;
  if (hottest !== undefined && profile.events >= 100 && hottest.events > profile.events / 4)
    warnings.push(
      `${hottest.events} of the events are of one key (${hottest.key}) and are handled one after the other`,
    );
  if (sample !== null && sample.outcomes.error > 0)
    warnings.push(
      `${sample.outcomes.error} of ${sample.events} sampled events failed: expect ${percent(sample.errorRate.low)} to ${percent(sample.errorRate.high)} of all`,
    );
  if (sample !== null && sample.errorRate.likely > manifest.guards.failureRate)
    warnings.push(
      `more fail than the guard allows (${percent(manifest.guards.failureRate)}): it would stop by itself`,
    );
  if (consumer.class === 'operational' && fanOut.observed === 0)
    warnings.push('none of these types was handled lately: what follows from them is not known');
  const unknown = fanOut.effects.filter((effect) => effect.unknown > 0).map(({ name }) => name);
  if (unknown.length > 0)
    warnings.push(`whether ${unknown.join(', ')} happened is unknown for some of the events`);
  return warnings;
};

const percent = (share: number): string => `${Math.round(share * 1_000) / 10} %`;
