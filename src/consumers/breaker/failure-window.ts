/** Which keys were worked and which failed, of how they failed, within the last minute. Bounded, whatever happens. */
export const windowMs = 60_000;
const fingerprintsMax = 20;
const keysMax = 5_000;

/** It trips on one way of failing, seen on this many different keys … */
export const failedKeysMin = 5;
/** … which are this share of the keys worked … */
export const failedShareMin = 0.3;
/** … of which there must be this many. */
export const workedKeysMin = 20;

export interface WindowSums {
  /** Different keys worked, failed ones included. */
  readonly keys: number;
  readonly failures: readonly { readonly fingerprint: string; readonly failed: number }[];
}

/** The fingerprint that trips the breaker, or null. */
export const tripsOn = ({ keys, failures }: WindowSums): string | null => {
  if (keys < workedKeysMin) return null;
  const tripping = failures.find(({ failed }) => failed >= failedKeysMin && failed >= keys * failedShareMin);
  return tripping?.fingerprint ?? null;
};

/** Keys with the time they were last seen, oldest first. */
class RecentKeys {
  readonly #times = new Map<string, number>();

  add(key: string, now: number): void {
    if (!this.#times.delete(key) && this.#times.size >= keysMax) return;
    this.#times.set(key, now);
  }

  count(now: number): number {
    for (const [key, time] of this.#times) {
      if (time > now - windowMs) break;
      this.#times.delete(key);
    }
    return this.#times.size;
  }
}

export class FailureWindow {
  readonly #worked = new RecentKeys();
  readonly #failed = new Map<string, RecentKeys>();
  #lastFailure = Number.NEGATIVE_INFINITY;

  /** Whether anything failed within the window: only then is anything worth counting. */
  failing(now: number): boolean {
    return this.#lastFailure > now - windowMs;
  }

  handled(key: string, now: number): void {
    if (this.failing(now)) this.#worked.add(key, now);
  }

  failed(key: string, fingerprint: string, now: number): void {
    this.#lastFailure = now;
    this.#worked.add(key, now);
    let keys = this.#failed.get(fingerprint);
    if (keys === undefined) {
      if (this.#failed.size >= fingerprintsMax) return;
      keys = new RecentKeys();
      this.#failed.set(fingerprint, keys);
    }
    keys.add(key, now);
  }

  sums(now: number): WindowSums {
    const failures: { fingerprint: string; failed: number }[] = [];
    for (const [fingerprint, keys] of this.#failed) {
      const failed = keys.count(now);
      if (failed === 0) this.#failed.delete(fingerprint);
      else failures.push({ fingerprint, failed });
    }
    return { keys: this.#worked.count(now), failures };
  }
}
