import type { LaneLease } from '../runner.ts';
import type { Entry } from './entry.ts';

/** When this many events are finished above the mark, the lane reads no further: it bounds the inbox and a restart's work. */
export const finishedAboveMax = 10_000;

/**
 * One lane while this process owns it: what was read, and what of it is dealt with.
 *
 *   … dealt with │ open │ finished │ open │ finished │ open │ not read yet …
 *                ▲ mark                                     ▲ readUpTo
 *
 * The mark is the low-water mark: everything up to it is finished (handled, discarded or parked). It becomes the checkpoint.
 */
export class LaneWork {
  readonly lease: LaneLease;
  /** Positions that were handled or parked before this process took the lane; shared by the lanes taken with it. */
  readonly known: Set<number>;
  readUpTo: number;
  /** The checkpoint that is stored. */
  stored: number;
  /** Events above it may not begin before it is raised: see `CheckpointWriter`. */
  dispatchLimit: number;
  /** The engine wants it back: nothing is begun any more. */
  releasing = false;
  /** Statements about its keys that are on their way. */
  writes = 0;
  /** No longer ours: nothing may be written any more. */
  dropped = false;
  readonly #open: number[] = [];
  #openFirst = 0;
  readonly #finished = new Set<number>();
  /** The keys whose first event after an unclean takeover was seen; bounded by the dispatch limit. */
  readonly #suspectKeys = new Set<string>();

  constructor(lease: LaneLease, known: Set<number>) {
    this.lease = lease;
    this.known = known;
    this.readUpTo = lease.position;
    this.stored = lease.position;
    this.dispatchLimit = lease.dispatchLimit;
  }

  get lane(): number {
    return this.lease.lane;
  }

  get active(): boolean {
    return !this.releasing && !this.dropped;
  }

  get mark(): number {
    const first = this.#open[this.#openFirst];
    return first === undefined ? this.readUpTo : first - 1;
  }

  /** The lowest position that is not finished: it holds the mark. */
  get lowestOpen(): number | undefined {
    return this.#open[this.#openFirst];
  }

  get finishedAbove(): number {
    return this.#finished.size;
  }

  /**
   * Whether the entry was in flight, or could have been, when the previous owner died: of a key only its first event that
   * is not handled, since the ones behind it wait for it. Asked once per entry, in the order of positions.
   */
  isSuspect(position: number, key: string): boolean {
    const { clean, dispatchLimit, settledAtTakeover } = this.lease;
    if (clean || position > Math.min(dispatchLimit, settledAtTakeover)) return false;
    if (this.#suspectKeys.has(key)) return false;
    this.#suspectKeys.add(key);
    return true;
  }

  /** Positions come in order. */
  open(entry: Entry): void {
    this.#open.push(entry.position);
  }

  finish(position: number): void {
    this.#finished.add(position);
    while (this.#openFirst < this.#open.length) {
      const first = this.#open[this.#openFirst] as number;
      if (!this.#finished.delete(first)) break;
      this.#openFirst += 1;
    }
    if (this.#openFirst > 1024 && this.#openFirst * 2 > this.#open.length) {
      this.#open.splice(0, this.#openFirst);
      this.#openFirst = 0;
    }
  }

  passTo(position: number): void {
    this.readUpTo = Math.max(this.readUpTo, Math.min(position, this.lease.stopAt));
  }
}
