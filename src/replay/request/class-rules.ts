import type { ConsumerDefinition, Handler, OnReplay } from '../../consumers/index.ts';
import { canonicalJson, FactlineError } from '../../foundation/index.ts';
import { manifestDefaults, type ReplayManifest } from './manifest.ts';
import type { LogSelection } from './selection.ts';

export type ReplayMode = 'redeliver' | 'release' | 'shadow' | 'blue-green';

/** What a mode brings with it, whatever is asked for. */
export interface ModeTerms {
  /** Each key in its order, live events first; or beside the live consumer, in the order of the log. */
  readonly order: 'per-key-after-live' | 'beside-live';
  /** What has to agree before it is done: every row with the live table, every outcome with the recorded one, or nothing to compare with. */
  readonly parity: 'every-row' | 'every-outcome' | 'none';
}

export const modeTerms: Readonly<Record<ReplayMode, ModeTerms>> = {
  redeliver: { order: 'per-key-after-live', parity: 'none' },
  release: { order: 'per-key-after-live', parity: 'none' },
  shadow: { order: 'beside-live', parity: 'every-outcome' },
  'blue-green': { order: 'beside-live', parity: 'every-row' },
};

/** What each declaration allows: what it names, and everything that does less. */
const weight: Readonly<Record<OnReplay, number>> = { skip: 0, reuse: 1, execute: 2 };

/**
 * How a consumer of this class is replayed. What its class or its `onReplay` does not allow is refused with the line to add.
 * @throws FactlineError REPLAY_MODE_REFUSED
 */
export const modeOf = (definition: ConsumerDefinition, manifest: ReplayManifest): ReplayMode => {
  const { selection } = manifest;
  if (selection.source === 'log' && definition.class === 'workflow') throw refusedWorkflow(definition);
  if (manifest.shadow) return shadow(definition, manifest);
  if (selection.source === 'quarantine') return release(definition, manifest);
  return definition.class === 'projection'
    ? blueGreen(definition, manifest, selection)
    : redeliver(definition as Handler, manifest);
};

const refusedWorkflow = ({ name }: ConsumerDefinition): FactlineError =>
  refused(
    name,
    'an event begins one instance of a workflow, and never a second one',
    `Repair its instances, or begin one anew from its journal: npx factline workflow list --workflow ${name}, npx factline workflow fork --help`,
  );

const refused = (consumer: string, why: string, line: string): FactlineError =>
  new FactlineError('REPLAY_MODE_REFUSED', { consumer, why, line });

const redeliver = ({ name, onReplay }: Handler, { effects: { policy } }: ReplayManifest): ReplayMode => {
  if (onReplay === undefined) {
    throw refused(
      name,
      'its handler does not say what a replay does with its effects',
      `Add to defineHandler({ name: '${name}', … }): onReplay: '${policy}'`,
    );
  }
  if (weight[policy] > weight[onReplay]) {
    throw refused(
      name,
      `its handler declares onReplay: '${onReplay}', which does not allow effects to be ${policy === 'reuse' ? 'reused' : 'executed'}`,
      `Change it in defineHandler({ name: '${name}', … }) to: onReplay: '${policy}', or plan with --effects ${onReplay}`,
    );
  }
  return 'redeliver';
};

/** Handled for the first time, and so as in life: `onReplay` is not about that. */
const release = (
  { name, class: kind }: ConsumerDefinition,
  { effects, publish }: ReplayManifest,
): ReplayMode => {
  if (kind !== 'operational')
    throw refused(
      name,
      `what waits in the quarantine of a ${kind} is released without a replay`,
      'npx factline quarantine release --group GROUP',
    );
  if (effects.policy !== 'reuse' || publish !== 'publish')
    throw refused(
      name,
      'what waits in quarantine was never handled, so its effects and events happen as in life',
      'Leave out --effects and --publish.',
    );
  return 'release';
};

/** Nothing of it stays, so `onReplay` is not asked; and what steers a run that does something has no meaning. */
const shadow = (definition: ConsumerDefinition, manifest: ReplayManifest): ReplayMode => {
  const { selection, effects, publish, canary, guards, rollback, window } = manifest;
  if (definition.class !== 'operational')
    throw refused(
      definition.name,
      'another version of a projection is built beside the live one and compared with it',
      `npx factline projection rebuild ${definition.name} --no-switch`,
    );
  if (selection.source !== 'log')
    throw refused(
      definition.name,
      'of what waits in quarantine nothing is recorded that a shadow could be compared with',
      'Leave out --shadow: the estimate tries a sample of it.',
    );
  const { canary: steps, guards: bounds } = manifestDefaults;
  const steered = canonicalJson({ canary, guards }) !== canonicalJson({ canary: steps, guards: bounds });
  if (effects.policy !== 'skip' || publish !== 'suppress' || rollback !== null || window !== null || steered)
    throw refused(
      definition.name,
      'in the shadow nothing happens: effects are closed, nothing is published, nothing has to be stopped or undone',
      'Leave out --effects, --publish, --rollback, --between, --canary, --failure-rate and --same-failure.',
    );
  return 'shadow';
};

/** A read model is made of everything: a part of the events would make other rows. */
const blueGreen = (
  { name }: ConsumerDefinition,
  manifest: ReplayManifest,
  selection: LogSelection,
): ReplayMode => {
  const { effects, publish } = manifest;
  if (effects.policy !== 'skip' || publish !== 'suppress')
    throw refused(
      name,
      'a projection has no effects and publishes nothing',
      'Leave out --effects and --publish.',
    );
  const { rate, canary, guards, window } = manifest;
  if (window !== null || canonicalJson({ rate, canary, guards }) !== canonicalJson(manifestDefaults))
    throw refused(
      name,
      'a rebuild is throttled by the lag of live consumers, and compared before it is switched',
      'Leave out --rate, --floor, --between, --canary, --failure-rate and --same-failure.',
    );
  const { from, since, until, types, keys, where, ids } = selection;
  const narrowed = from !== 1 || [since, until, types, keys, where, ids].some((each) => each !== null);
  if (narrowed)
    throw refused(name, 'a projection is rebuilt from the whole log', 'Give only where it ends: --to head');
  return 'blue-green';
};
