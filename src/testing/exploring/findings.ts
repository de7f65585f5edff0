import { effectText, type OutsideCall } from './outside.ts';

/** What can be seen of a saga at rest, besides what its own invariant looks at. */
export interface Observed {
  readonly calls: readonly OutsideCall[];
  /** Facts that one event caused more than once. */
  readonly repeated: readonly { readonly type: string; readonly data: string; readonly times: number }[];
  readonly waiting: readonly { readonly consumer: string; readonly what: string; readonly message: string }[];
}

const keysOf = (calls: readonly OutsideCall[]): Map<string, OutsideCall[]> =>
  Map.groupBy(
    calls.filter(({ repeated }) => !repeated),
    effectText,
  );

const doneTwice = (undisturbed: Observed, { calls }: Observed): string[] => {
  const before = keysOf(undisturbed.calls);
  const findings: string[] = [];
  for (const [effect, done] of keysOf(calls)) {
    if (done.length <= Math.max(before.get(effect)?.length ?? 0, 1)) continue;
    const keyed = done.filter(({ idempotencyKey }) => idempotencyKey !== null).length;
    const how =
      keyed === 0 ? 'without an idempotency key' : `under ${done.length} different idempotency keys`;
    findings.push(
      `${effect} was done ${done.length} times, ${keyed === 0 || keyed === done.length ? how : 'not always under its idempotency key'}`,
    );
  }
  return findings;
};

/** A provider that is asked for something else under a known key refuses, or does not do it. */
const keyReused = ({ calls }: Observed): string[] => {
  const keyed = calls.filter(({ idempotencyKey }) => idempotencyKey !== null);
  const byKey = Map.groupBy(keyed, ({ name, idempotencyKey }) => `${name} ${idempotencyKey}`);
  return [...byKey.values()].flatMap((same) => {
    const texts = [...new Set(same.map(effectText))];
    return texts.length > 1
      ? [`one idempotency key stands for different things: ${texts.join(' and ')}`]
      : [];
  });
};

const publishedTwice = (undisturbed: Observed, { repeated }: Observed): string[] => {
  const usual = new Map(undisturbed.repeated.map(({ type, times }) => [type, times]));
  return repeated
    .filter(({ type, times }) => times > (usual.get(type) ?? 1))
    .map(({ type, data, times }) => `${type} ${data} was published ${times} times because of one event`);
};

const leftWaiting = (undisturbed: Observed, { waiting }: Observed): string[] => {
  const usual = new Set(undisturbed.waiting.map(({ consumer, what }) => `${consumer} ${what}`));
  return waiting
    .filter(({ consumer, what }) => !usual.has(`${consumer} ${what}`))
    .map(({ consumer, what, message }) => `${what} is left waiting for a person in ${consumer}: ${message}`);
};

/** What is wrong whatever the saga is about, as sentences. `undisturbed`: the run in which nothing was injected. */
export const findingsOf = (undisturbed: Observed, observed: Observed): readonly string[] => [
  ...doneTwice(undisturbed, observed),
  ...keyReused(observed),
  ...publishedTwice(undisturbed, observed),
  ...leftWaiting(undisturbed, observed),
];
