import { createHash } from 'node:crypto';
import type { OnReplay } from '../../consumers/index.ts';
import { canonicalJson } from '../../foundation/index.ts';
import { checkSelection, manifestInvalid, refuseUnknown, type Selection } from './selection.ts';
import { checkWindow, type ReplayWindow } from './window.ts';

/** What a replay is to do, as a person asks for it. Stored once per revision and never changed. */
export interface ReplayManifest {
  readonly title: string;
  /** Why, so that somebody who was not there understands it. */
  readonly reason: string;
  /** The team or person that answers for it; null: whoever asks. */
  readonly owner: string | null;
  /** What makes it safe to do now: a ticket, a deploy, a pull request. */
  readonly reference: string | null;
  readonly consumer: string;
  readonly selection: Selection;
  /** The code at hand is only tried, and compared with what is recorded. */
  readonly shadow: boolean;
  readonly effects: EffectsPolicy;
  /** What becomes of the events that the consumer publishes: nothing, or published with the mark of the replay. */
  readonly publish: 'suppress' | 'publish';
  /** Events a second: never more than the ceiling; live traffic may press it down to the floor, and below it to a stop. */
  readonly rate: { readonly ceiling: number; readonly floor: number };
  /** The hours of the day in which it runs; null: any. */
  readonly window: ReplayWindow | null;
  /** How many events first, one step after the other; then everything. Empty: no canary. */
  readonly canary: readonly number[];
  readonly guards: ReplayGuards;
  /** How it would be undone; required where effects are executed. */
  readonly rollback: string | null;
}

export interface EffectsPolicy {
  /** skip: no effect happens. reuse: the recorded result is taken, nothing new happens. execute: they happen anew. */
  readonly policy: OnReplay;
  /** With execute: how many at most. */
  readonly max: number | null;
}

/** What stops a replay by itself. */
export interface ReplayGuards {
  /** The share of events that may fail. */
  readonly failureRate: number;
  /** How often one fingerprint may appear. */
  readonly sameFingerprint: number;
}

type Loose = Readonly<Record<string, unknown>>;

const members = [
  'title',
  'reason',
  'owner',
  'reference',
  'consumer',
  'selection',
  'shadow',
  'effects',
  'publish',
  'rate',
  'window',
  'canary',
  'guards',
  'rollback',
] as const;

export const reasonMin = 15;
/** What holds where nothing is said. */
export const manifestDefaults = {
  rate: { ceiling: 50, floor: 1 },
  canary: [1, 10, 100],
  guards: { failureRate: 0.05, sameFingerprint: 3 },
} as const;

/**
 * Takes a manifest, as written by a person or stored, with every default filled in.
 * @throws FactlineError REPLAY_MANIFEST_INVALID, REPLAY_UNBOUNDED
 */
export const checkManifest = (given: unknown): ReplayManifest => {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw manifestInvalid('the manifest', 'an object', given);
  const loose = given as Loose;
  refuseUnknown(given, members, '');
  const selection = checkSelection(loose['selection']);
  // What waits in quarantine was never handled: it is handled as in life.
  const first = selection.source === 'quarantine';
  const manifest: ReplayManifest = {
    title: text(loose['title'], 'title', { min: 1, max: 200 }),
    reason: text(loose['reason'], 'reason', { min: reasonMin, max: 2_000 }),
    owner: optionalText(loose['owner'], 'owner'),
    reference: optionalText(loose['reference'], 'reference'),
    consumer: text(loose['consumer'], 'consumer', { min: 1, max: 100 }),
    selection,
    shadow: flag(loose['shadow'] ?? false, 'shadow'),
    effects: checkEffects(loose['effects'] ?? { policy: first ? 'reuse' : 'skip' }),
    publish: oneOf(loose['publish'] ?? (first ? 'publish' : 'suppress'), 'publish', ['suppress', 'publish']),
    rate: checkRate(loose['rate'] ?? {}),
    window: checkWindow(loose['window']),
    canary: checkCanary(loose['canary'] ?? manifestDefaults.canary),
    guards: checkGuards(loose['guards'] ?? {}),
    rollback: optionalText(loose['rollback'], 'rollback'),
  };
  if (manifest.effects.policy === 'execute' && manifest.rollback === null)
    throw manifestInvalid('rollback', 'how it would be undone, since effects are executed', null);
  return manifest;
};

/** SHA-256 in hex. */
export const digestOf = (value: unknown): string =>
  createHash('sha256').update(canonicalJson(value)).digest('hex');

const text = (value: unknown, field: string, { min, max }: { min: number; max: number }): string => {
  const trimmed = typeof value === 'string' ? value.trim() : '';
  const storable = trimmed.isWellFormed() && !trimmed.includes('\u0000');
  if (trimmed.length >= min && trimmed.length <= max && storable) return trimmed;
  throw manifestInvalid(field, `a text of ${min} to ${max} characters`, value);
};

const optionalText = (value: unknown, field: string): string | null =>
  value === undefined || value === null ? null : text(value, field, { min: 1, max: 2_000 });

const oneOf = <T extends string>(value: unknown, field: string, allowed: readonly T[]): T => {
  const found = allowed.find((each) => each === value);
  if (found === undefined) throw manifestInvalid(field, `one of ${allowed.join(', ')}`, value);
  return found;
};

const flag = (value: unknown, field: string): boolean => {
  if (typeof value === 'boolean') return value;
  throw manifestInvalid(field, 'true or false', value);
};

const within = (value: unknown, field: string, { min, max }: { min: number; max: number }): number => {
  if (typeof value === 'number' && value >= min && value <= max) return value;
  throw manifestInvalid(field, `a number from ${min} to ${max}`, value);
};

const objectOf = (value: unknown, field: string, known: readonly string[]): Loose => {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw manifestInvalid(field, `an object with ${known.join(', ')}`, value);
  refuseUnknown(value, known, field);
  return value as Loose;
};

const effectsMax = 100_000;

const checkEffects = (given: unknown): EffectsPolicy => {
  const loose = objectOf(given, 'effects', ['policy', 'max']);
  const policy = oneOf(loose['policy'], 'effects.policy', ['skip', 'reuse', 'execute']);
  const max = loose['max'] ?? null;
  if (policy !== 'execute') {
    if (max !== null) throw manifestInvalid('effects.max', 'nothing, since no effect is executed', max);
    return { policy, max: null };
  }
  if (Number.isSafeInteger(max))
    return { policy, max: within(max, 'effects.max', { min: 1, max: effectsMax }) };
  throw manifestInvalid('effects.max', `how many effects may happen at most, 1 to ${effectsMax}`, max);
};

const checkRate = (given: unknown): ReplayManifest['rate'] => {
  const loose = objectOf(given, 'rate', ['ceiling', 'floor']);
  const ceiling = within(loose['ceiling'] ?? manifestDefaults.rate.ceiling, 'rate.ceiling', {
    min: 0.01,
    max: 100_000,
  });
  const floor = loose['floor'] ?? Math.min(manifestDefaults.rate.floor, ceiling);
  return { ceiling, floor: within(floor, 'rate.floor', { min: 0, max: ceiling }) };
};

const checkCanary = (given: unknown): readonly number[] => {
  const good =
    Array.isArray(given) &&
    given.length <= 10 &&
    given.every(
      (step, index) =>
        Number.isSafeInteger(step) && step >= 1 && (index === 0 || step > (given[index - 1] as number)),
    );
  if (good) return given as readonly number[];
  throw manifestInvalid('canary', 'at most 10 growing numbers of events: [1, 10, 100]', given);
};

const checkGuards = (given: unknown): ReplayGuards => {
  const loose = objectOf(given, 'guards', ['failureRate', 'sameFingerprint']);
  const failureRate = loose['failureRate'] ?? manifestDefaults.guards.failureRate;
  const sameFingerprint = loose['sameFingerprint'] ?? manifestDefaults.guards.sameFingerprint;
  return {
    failureRate: within(failureRate, 'guards.failureRate', { min: 0, max: 1 }),
    sameFingerprint: within(sameFingerprint, 'guards.sameFingerprint', { min: 1, max: 1_000_000 }),
  };
};
