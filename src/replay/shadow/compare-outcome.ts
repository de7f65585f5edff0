import type { DryRunOutcome } from '../../consumers/index.ts';
import { canonicalJson } from '../../foundation/index.ts';

/** What is on record of the first handling of an event. */
export interface RecordedOutcome {
  /** In the order in which they were published. */
  readonly published: readonly { readonly type: string; readonly key: string; readonly data: unknown }[];
  /** Effects whose outcome is recorded. */
  readonly effects: readonly string[];
}

/** One way in which the code at hand comes to something else. No values: they may be nobody's business. */
export type ShadowFinding =
  | { readonly kind: 'failed'; readonly code: string; readonly message: string; readonly fingerprint: string }
  | { readonly kind: 'effect added' | 'effect missing'; readonly effect: string }
  | { readonly kind: 'published more' | 'published less'; readonly type: string }
  | { readonly kind: 'published otherwise'; readonly type: string; readonly fields: readonly string[] };

/**
 * What differs between what is recorded and what the code at hand came to. An effect that is not recorded ends the attempt
 * there: what would have followed is not known, so nothing is said to be missing then.
 */
export const findingsOf = (recorded: RecordedOutcome, outcome: DryRunOutcome): readonly ShadowFinding[] => {
  if (outcome.error !== undefined) {
    const { code, message, fingerprint } = outcome.error;
    return [{ kind: 'failed', code, message, fingerprint }];
  }
  if (outcome.effects.length > 0) return outcome.effects.map((effect) => ({ kind: 'effect added', effect }));
  const missing = recorded.effects
    .filter((name) => !outcome.reusedEffects.includes(name))
    .map((effect) => ({ kind: 'effect missing', effect }) as const);
  return [...missing, ...publishedFindings(recorded.published, outcome.published)];
};

const publishedFindings = (
  before: RecordedOutcome['published'],
  now: DryRunOutcome['published'],
): readonly ShadowFinding[] => {
  const findings: ShadowFinding[] = [];
  for (let ordinal = 0; ordinal < Math.max(before.length, now.length); ordinal += 1) {
    const [one, other] = [before[ordinal], now[ordinal]];
    if (one !== undefined && one.type !== other?.type)
      findings.push({ kind: 'published less', type: one.type });
    if (other !== undefined && one?.type !== other.type)
      findings.push({ kind: 'published more', type: other.type });
    if (one === undefined || one.type !== other?.type) continue;
    const fields = [...(one.key === other.key ? [] : ['(key)']), ...fieldsThatDiffer(one.data, other.data)];
    if (fields.length > 0) findings.push({ kind: 'published otherwise', type: one.type, fields });
  }
  return findings;
};

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Dotted paths; a list differs as a whole. */
const fieldsThatDiffer = (before: unknown, now: unknown, path = ''): readonly string[] => {
  if (isObject(before) && isObject(now)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(now)])].sort();
    return names.flatMap((name) =>
      fieldsThatDiffer(before[name], now[name], path === '' ? name : `${path}.${name}`),
    );
  }
  const same =
    (before === undefined) === (now === undefined) &&
    canonicalJson(before ?? null) === canonicalJson(now ?? null);
  return same ? [] : [path === '' ? '(payload)' : path];
};
