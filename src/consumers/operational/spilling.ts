import type { Clock } from '../../foundation/index.ts';
import type { KeyParking } from './key-parking.ts';
import type { KeyQueue } from './key-queue.ts';
import { finishedAboveMax } from './lane-work.ts';
import type { Window } from './window.ts';
import type { Workload } from './workload.ts';

export interface SpillingOptions {
  readonly clock: Clock;
  readonly workload: Workload;
  readonly window: Window;
  readonly parking: KeyParking;
  readonly freeSlots: () => number;
  /** False under `ordering: 'global'`: there is only one key, and nobody waits for room. */
  readonly enabled: boolean;
}

/** A key with more events waiting in memory than this is hot. */
export const hotKeyWaiting = 100;
/** A head that runs longer is slow. */
const slowHeadMs = 1_000;

/**
 * Keeps a hot or a slow key from delaying others (ENGINE.md §5): when it takes up the window, or holds the mark too long, its
 * followers wait in `parked` instead, and reading goes on.
 */
export class Spilling {
  readonly #options: SpillingOptions;

  constructor(options: SpillingOptions) {
    this.#options = options;
  }

  /** One pass over the keys that are at work; returns how many were spilled. */
  relieve(): number {
    const { workload, window, enabled } = this.#options;
    if (!enabled) return 0;
    let spilled = 0;
    const crowded = window.halfFull;
    for (const lane of workload.laneList) {
      const holdsMark = lane.finishedAbove >= finishedAboveMax / 2 ? lane.lowestOpen : undefined;
      for (const queue of workload.queuesOf(lane)) {
        const reason = this.#reason(queue, crowded, holdsMark);
        if (reason === null) continue;
        spilled += 1;
        if (queue.phase === 'flowing') this.#options.parking.spill(queue, reason);
        else this.#options.parking.append(queue);
      }
    }
    return spilled;
  }

  /** Keys that are, or were lately, too hot or too slow for the window, most waiting first. */
  hottest(): { readonly key: string; readonly waiting: number } | null {
    let hottest: KeyQueue | null = null;
    for (const lane of this.#options.workload.laneList) {
      for (const queue of this.#options.workload.queuesOf(lane)) {
        if (queue.arrivals.length + queue.rows.length <= hotKeyWaiting / 2 && queue.phase !== 'draining')
          continue;
        if (hottest === null || waitingOf(queue) > waitingOf(hottest)) hottest = queue;
      }
    }
    return hottest === null ? null : { key: hottest.key, waiting: waitingOf(hottest) };
  }

  #reason(queue: KeyQueue, crowded: boolean, holdsMark: number | undefined): string | null {
    const { clock, freeSlots } = this.#options;
    // What a replay delivers has its row already, and hands the key back when it ends.
    if (queue.running !== null && queue.running.replay !== null) return null;
    const runningMs = queue.running === null ? 0 : clock.monotonic() - queue.runningSince;
    if (queue.phase === 'draining') {
      if (queue.arrivals.length > hotKeyWaiting) return 'hot key';
      // Its head hangs in `parked` already: what arrives meanwhile must not hold the mark in its place.
      return queue.arrivals.length > 0 && runningMs > slowHeadMs ? 'slow key' : null;
    }
    if (queue.phase !== 'flowing' || queue.running === null) return null;
    if (crowded && runningMs > slowHeadMs) return 'slow key';
    // While all slots are busy with others, making room for more of them speeds nobody up.
    if (crowded && queue.arrivals.length > hotKeyWaiting && freeSlots() > 0) return 'hot key';
    return queue.running.open && queue.running.position === holdsMark ? 'slow key' : null;
  }
}

const waitingOf = (queue: KeyQueue): number => queue.arrivals.length + queue.rows.length;
