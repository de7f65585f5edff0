import { loadQueries, run } from '../../postgres/index.ts';
import type { RunnerServices } from '../runner.ts';
import type { LaneWork } from './lane-work.ts';

const sql = loadQueries<'write_checkpoints' | 'prune_inbox' | 'inbox_above' | 'forget_handled'>(
  new URL('./checkpoints.sql', import.meta.url),
);

/** Inbox rows that one statement deletes at most. */
const pruneMax = 2_000;

export interface CheckpointWriterOptions {
  readonly services: RunnerServices;
  /** The lanes held at the moment. */
  readonly lanes: () => readonly LaneWork[];
  readonly onLost: (lane: LaneWork) => void;
  /** The breaker stands open in the database. */
  readonly onBreakerOpen: () => void;
}

/**
 * Writes the marks of all lanes as checkpoints, in one fenced statement, and raises their dispatch limits ahead: the limit is
 * stored before an event above it begins, so that after an unclean death everything that could have been in flight lies
 * between checkpoint and limit.
 */
export class CheckpointWriter {
  readonly #options: CheckpointWriterOptions;
  #writing: Promise<void> | null = null;

  constructor(options: CheckpointWriterOptions) {
    this.#options = options;
  }

  /** Whether some mark is ahead of its checkpoint. */
  get dirty(): boolean {
    return this.#options.lanes().some((lane) => lane.active && lane.mark > lane.stored);
  }

  /** One write at a time; a second call waits for the first and then writes what came up. `limit`: see `DispatchLimit`. */
  async write(limit = 0): Promise<void> {
    while (this.#writing !== null) await this.#writing;
    const lanes = this.#options.lanes().filter((lane) => !lane.dropped);
    if (lanes.length === 0) return;
    this.#writing = this.#writeNow(lanes, limit).finally(() => {
      this.#writing = null;
    });
    await this.#writing;
  }

  async #writeNow(lanes: readonly LaneWork[], limit: number): Promise<void> {
    const { services, onLost, onBreakerOpen } = this.#options;
    const rows = lanes.map((lane) => ({
      lane: lane.lane,
      token: lane.lease.token,
      position: lane.mark,
      limit: Math.max(lane.dispatchLimit, limit),
    }));
    await services.testStep?.('operational.before-checkpoint');
    const [row] = await run(services.database.operations, sql.write_checkpoints, [
      services.consumer.id,
      JSON.stringify(rows),
    ]);
    await services.testStep?.('operational.after-checkpoint');
    const held = new Set(row?.['lanes'] as number[]);
    if (row?.['breaker_open'] === true) onBreakerOpen();
    lanes.forEach((lane, index) => {
      const written = rows[index];
      if (lane.dropped || written === undefined) return;
      if (!held.has(lane.lane)) onLost(lane);
      else {
        lane.stored = Math.max(lane.stored, written.position);
        lane.dispatchLimit = Math.max(lane.dispatchLimit, written.limit);
      }
    });
  }

  /** Deletes one batch of inbox rows below the checkpoints; whether there may be more. */
  async prune(): Promise<boolean> {
    const { services } = this.#options;
    const lanes = this.#options.lanes().filter((lane) => lane.active);
    const laneCount = lanes[0]?.lease.laneCount;
    if (laneCount === undefined) return false;
    const bounds = lanes.map((lane) => ({ lane: lane.lane, token: lane.lease.token, position: lane.stored }));
    const byLane = new Array<number>(laneCount).fill(-1);
    for (const { lane, position } of bounds) byLane[lane] = position;
    const values = [services.consumer.id, JSON.stringify(bounds), laneCount, pruneMax, byLane];
    const [row] = await run(services.database.operations, sql.prune_inbox, values);
    return row?.['pruned'] === pruneMax;
  }
}
