import { type Entry, entryBytes } from './entry.ts';
import { KeyQueue } from './key-queue.ts';
import type { LaneWork } from './lane-work.ts';

/** Everything one runner has in memory: its lanes, the queues of their keys, and which of them may begin an event. */
export class Workload {
  readonly lanes: Map<number, LaneWork> = new Map();
  readonly #queues = new Map<LaneWork, Map<string, KeyQueue>>();
  /** Keys whose next event may begin, longest waiting first: a key goes to the end after each of its events. */
  readonly ready: Set<KeyQueue> = new Set();
  /** Keys whose next event of a replay may begin. */
  readonly readyReplayed: Set<KeyQueue> = new Set();
  /** Events in memory, begun or not: what the window bounds. */
  #held = 0;
  #heldBytes = 0;

  get held(): number {
    return this.#held;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  #hold(entries: readonly Entry[], sign: 1 | -1): void {
    this.#held += sign * entries.length;
    for (const entry of entries) this.#heldBytes += sign * entryBytes(entry);
  }

  addLane(lane: LaneWork): void {
    this.lanes.set(lane.lane, lane);
    this.#queues.set(lane, new Map());
  }

  /** Forgets the lane and what is in memory of it; what still runs finds its lane gone. */
  removeLane(lane: LaneWork): void {
    if (this.lanes.get(lane.lane) === lane) this.lanes.delete(lane.lane);
    for (const queue of this.queuesOf(lane)) {
      const singles = [queue.running, queue.replayed].filter((entry) => entry !== null);
      this.#hold([...queue.arrivals, ...queue.rows, ...singles], -1);
      this.ready.delete(queue);
      this.readyReplayed.delete(queue);
    }
    this.#queues.delete(lane);
  }

  get laneList(): readonly LaneWork[] {
    return [...this.lanes.values()];
  }

  queuesOf(lane: LaneWork): Iterable<KeyQueue> {
    return this.#queues.get(lane)?.values() ?? [];
  }

  queueOf(lane: LaneWork, key: string): KeyQueue | undefined {
    return this.#queues.get(lane)?.get(key);
  }

  find(key: string): KeyQueue | undefined {
    for (const queues of this.#queues.values()) {
      const queue = queues.get(key);
      if (queue !== undefined) return queue;
    }
    return undefined;
  }

  addQueue(queue: KeyQueue): void {
    this.#queues.get(queue.lane)?.set(queue.key, queue);
  }

  arrive(lane: LaneWork, entry: Entry): KeyQueue {
    let queue = this.queueOf(lane, entry.key);
    if (queue === undefined) {
      queue = new KeyQueue(lane, entry.key, entry.keyHash);
      this.addQueue(queue);
    }
    queue.arrivals.push(entry);
    lane.open(entry);
    this.#hold([entry], 1);
    if (queue.arrivals.length === 1) this.refresh(queue);
    return queue;
  }

  /** Rows of `parked` were loaded and wait in memory. */
  load(queue: KeyQueue, rows: Entry[]): void {
    queue.rows = rows;
    this.#hold(rows, 1);
  }

  /** An event that a replay delivers again; its key has none in memory. */
  redeliver(lane: LaneWork, entry: Entry): void {
    let queue = this.queueOf(lane, entry.key);
    if (queue === undefined) {
      queue = new KeyQueue(lane, entry.key, entry.keyHash);
      this.addQueue(queue);
    }
    queue.replayed = entry;
    this.#hold([entry], 1);
    this.refresh(queue);
  }

  /** The entry is handled, discarded or parked: it no longer holds the mark. */
  pass(lane: LaneWork, entry: Entry): void {
    if (!entry.open) return;
    entry.open = false;
    lane.finish(entry.position);
  }

  /** Drops entries from memory that are dealt with. */
  release(lane: LaneWork, entries: readonly Entry[]): void {
    this.#hold(entries, -1);
    for (const entry of entries) this.pass(lane, entry);
  }

  /** Puts the queue among those that may begin, takes it away, or forgets it: whatever its state asks for. */
  refresh(queue: KeyQueue): void {
    if (queue.next !== undefined) this.ready.add(queue);
    else this.ready.delete(queue);
    if (queue.nextReplayed !== undefined) this.readyReplayed.add(queue);
    else if (this.readyReplayed.size > 0) this.readyReplayed.delete(queue);
    if (queue.empty && this.queueOf(queue.lane, queue.key) === queue)
      this.#queues.get(queue.lane)?.delete(queue.key);
  }
}
