/**
 * Which row keys are parked, and what stands at the head of each. Pure; the rows themselves are in the table `parked`.
 *
 *   free ──(an event of the key fails or waits)──► parked ──(its last row is deleted)──► free
 *
 * While a key is parked every event that touches it is parked behind, with all of its keys, so that no later event of
 * any of them gets ahead. An event may run only when it stands at the head of all its keys. Memory grows with the
 * number of parked keys, not with what waits behind them.
 */
import type { ParkedState } from '../parked/index.ts';

export interface ParkedHeadOfKey {
  readonly position: number;
  readonly state: ParkedState;
  /** Of a retrying head: when it is due, by the monotonic clock. */
  readonly dueAt: number | null;
}

export class ParkedKeys {
  readonly #heads = new Map<string, ParkedHeadOfKey>();
  /** Keys whose head may be able to run; looked at when the lane has time. */
  readonly #candidates = new Set<string>();

  get size(): number {
    return this.#heads.size;
  }

  clear(): void {
    this.#heads.clear();
    this.#candidates.clear();
  }

  has(key: string): boolean {
    return this.#heads.has(key);
  }

  head(key: string): ParkedHeadOfKey | undefined {
    return this.#heads.get(key);
  }

  /** A row was added behind what is parked of the key; it becomes the head when nothing is. */
  append(key: string, row: ParkedHeadOfKey): void {
    if (!this.#heads.has(key)) this.setHead(key, row);
  }

  /** The head's state changed, or another row is the head now. */
  setHead(key: string, head: ParkedHeadOfKey): void {
    this.#heads.set(key, head);
    if (head.state === 'quarantined') this.#candidates.delete(key);
    else this.#candidates.add(key);
  }

  /** Nothing of the key is parked any more. */
  free(key: string): void {
    this.#heads.delete(key);
    this.#candidates.delete(key);
  }

  /** The head cannot run now; the key comes back when a head changes. */
  setAside(key: string): void {
    this.#candidates.delete(key);
  }

  /** Whether the event stands at the head of all its keys. */
  leads(position: number, keys: readonly string[]): boolean {
    return keys.every((key) => this.#heads.get(key)?.position === position);
  }

  /** The key whose head has waited longest among those that may run at `now`; null when there is none. */
  nextCandidate(now: number): string | null {
    let best: string | null = null;
    let bestPosition = Number.POSITIVE_INFINITY;
    for (const key of this.#candidates) {
      const head = this.#heads.get(key);
      if (head === undefined || head.position >= bestPosition) continue;
      if (head.dueAt !== null && head.dueAt > now) continue;
      best = key;
      bestPosition = head.position;
    }
    return best;
  }

  /** When the next retry is due; null when none waits for its time. */
  nextDueAt(): number | null {
    let next: number | null = null;
    for (const key of this.#candidates) {
      const dueAt = this.#heads.get(key)?.dueAt ?? null;
      if (dueAt !== null && (next === null || dueAt < next)) next = dueAt;
    }
    return next;
  }

  /** The database's clock says that retries are due: its word counts, not the timer's. */
  markDue(): void {
    for (const [key, head] of this.#heads) {
      if (head.state === 'retrying' && head.dueAt !== null) this.setHead(key, { ...head, dueAt: 0 });
    }
  }
}
