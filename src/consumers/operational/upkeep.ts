import type { Clock, Telemetry, Timer } from '../../foundation/index.ts';
import type { Breaker } from '../breaker/index.ts';
import type { CheckpointWriter } from './checkpoint-writer.ts';
import type { Spilling } from './spilling.ts';
import type { Workload } from './workload.ts';

export interface UpkeepOptions {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly consumer: string;
  readonly workload: Workload;
  readonly checkpoints: CheckpointWriter;
  readonly spilling: Spilling;
  readonly breaker: Breaker;
  readonly inFlight: () => number;
  readonly handled: () => number;
}

const tickMs = 100;
/** Checkpoints are written at most this often while events are handled … */
const checkpointEveryMs = 250;
/** … and this often while only events of other types pass by. */
const passingEveryMs = 5_000;
const pruneEveryMs = 5_000;
/** Batches of inbox rows deleted at one time: the rest waits for the next turn. */
const pruneBatchesMax = 20;

/** What has to be done now and then while there is work: checkpoints, pruning, room in the window, the breaker. Idle, it costs nothing. */
export class Upkeep {
  readonly #options: UpkeepOptions;
  #timer: Timer | null = null;
  #writing = false;
  #wroteAt = Number.NEGATIVE_INFINITY;
  #writtenHandled = 0;
  #prunedAt: number;
  #prunedHandled = 0;

  constructor(options: UpkeepOptions) {
    this.#options = options;
    this.#prunedAt = options.clock.monotonic();
  }

  /** Something was read, begun or finished. */
  poke(): void {
    if (this.#timer !== null) return;
    this.#timer = this.#options.clock.timer(tickMs, () => {
      this.#timer = null;
      this.#tick();
    });
  }

  #tick(): void {
    const { workload, spilling, breaker, checkpoints, telemetry, consumer, inFlight, clock, handled } =
      this.#options;
    if (workload.lanes.size === 0) return;
    spilling.relieve();
    breaker.tick();
    telemetry.metrics.set('factline_in_flight', { consumer }, inFlight());
    const now = clock.monotonic();
    const every = handled() === this.#writtenHandled ? passingEveryMs : checkpointEveryMs;
    if (checkpoints.dirty && now - this.#wroteAt >= every) this.#inBackground(() => this.#write(now));
    else if (this.#prunable && now - this.#prunedAt >= pruneEveryMs)
      this.#inBackground(() => this.#prune(now));
    if (workload.held > 0 || checkpoints.dirty || breaker.open !== null || this.#prunable) this.poke();
  }

  get #prunable(): boolean {
    return this.#options.handled() > this.#prunedHandled;
  }

  async #write(now: number): Promise<void> {
    const { checkpoints, telemetry, consumer, workload, handled } = this.#options;
    this.#wroteAt = now;
    const upTo = handled();
    await checkpoints.write();
    this.#writtenHandled = upTo;
    const positions = workload.laneList.map((lane) => lane.stored);
    if (positions.length > 0) {
      telemetry.metrics.set('factline_checkpoint_position', { consumer }, Math.min(...positions));
    }
  }

  async #prune(now: number): Promise<void> {
    this.#prunedAt = now;
    const upTo = this.#options.handled();
    for (let batch = 0; batch < pruneBatchesMax; batch += 1) {
      if (!(await this.#options.checkpoints.prune())) break;
    }
    this.#prunedHandled = upTo;
  }

  #inBackground(work: () => Promise<void>): void {
    if (this.#writing) return;
    this.#writing = true;
    void work()
      .catch((error: unknown) => {
        const { telemetry, consumer } = this.#options;
        telemetry.emit('engine.error', { unit: `checkpoints of ${consumer}`, error });
      })
      .finally(() => {
        this.#writing = false;
      });
  }
}
