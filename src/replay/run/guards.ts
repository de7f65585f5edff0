import type { ReplayGuards } from '../request/manifest.ts';

/** What of a replay has failed for good so far. */
export interface Failures {
  /** Events that were handled or failed. */
  readonly decided: number;
  readonly failed: number;
  /** By fingerprint. */
  readonly fingerprints: Readonly<Record<string, number>>;
}

/** Below so many decided events a share says nothing, except in a canary, where each counts. */
const decidedMin = 20;

/**
 * Which guard stops the replay, in a sentence; null: none. `seen`: what had failed when it was paused the last time, which a
 * person has accepted by letting it go on.
 * @example trippedGuard({ failureRate: 0.05, sameFingerprint: 3 }, { now, seen, canary: true })
 */
export const trippedGuard = (
  { failureRate, sameFingerprint }: ReplayGuards,
  {
    now,
    seen,
    canary,
  }: { readonly now: Failures; readonly seen: Partial<Failures>; readonly canary: boolean },
): string | null => {
  for (const [fingerprint, count] of Object.entries(now.fingerprints)) {
    const fresh = count - (seen.fingerprints?.[fingerprint] ?? 0);
    if (fresh >= sameFingerprint) return `${fresh} events failed with ${fingerprint}`;
  }
  const failed = now.failed - (seen.failed ?? 0);
  const decided = now.decided - (seen.decided ?? 0);
  if (failed <= 0 || (!canary && decided < decidedMin) || failed / decided <= failureRate) return null;
  return `${failed} of ${decided} events failed${canary ? ' in the canary' : ''}, more than ${failureRateText(failureRate)}`;
};

/** @example failureRateText(0.05) // '5 %' */
export const failureRateText = (rate: number): string => `${Number((rate * 100).toPrecision(4))} %`;

/** How far the canary lets it go now: the step it is at. Null: it is through. */
export const canaryTarget = (
  steps: readonly number[],
  { released, outstanding }: { readonly released: number; readonly outstanding: number },
): number | null => steps.find((step) => step > released || (step === released && outstanding > 0)) ?? null;

/**
 * How many events may be handed over now.
 * `elapsed`: seconds since the last were; null: none were yet. No more than a second is caught up, and at least one event at a time.
 */
export const allowance = ({
  rate,
  elapsed,
}: {
  readonly rate: number;
  readonly elapsed: number | null;
}): number => (rate <= 0 ? 0 : Math.floor(Math.min(rate * (elapsed ?? 1 / rate), Math.max(rate, 1)) + 1e-9));
