import { finishedAboveMax } from './lane-work.ts';
import type { Workload } from './workload.ts';

/** Events in memory at most, begun or not. */
export const windowEventsMax = 1_000;
/** And their size: a thousand events of one megabyte would be the whole heap. */
const windowBytesMax = 64 * 1024 * 1024;

/**
 * How far this process reads ahead. Once full it reads on only when half is gone, so that a backlog is read in batches, not
 * event by event.
 */
export class Window {
  readonly #workload: Workload;
  #full = false;

  constructor(workload: Workload) {
    this.#workload = workload;
  }

  /** How many events may be read now. */
  get room(): number {
    const share = this.#share;
    if (share >= 1) this.#full = true;
    else if (share <= 0.5) this.#full = false;
    return this.#full || this.stuck ? 0 : windowEventsMax - this.#workload.held;
  }

  get halfFull(): boolean {
    return this.#share >= 0.5;
  }

  /** A lane has too much finished above its mark: it reads no further until the mark moves. */
  get stuck(): boolean {
    return this.#workload.laneList.some((lane) => lane.finishedAbove >= finishedAboveMax);
  }

  get #share(): number {
    return Math.max(this.#workload.held / windowEventsMax, this.#workload.heldBytes / windowBytesMax);
  }
}
