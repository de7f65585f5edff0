import { laneOf, Signal } from '../../foundation/index.ts';
import { type EventBatch, isBackfilled } from '../../log/index.ts';
import { laneFor, orderingKey, orderingKeyHash } from '../definition.ts';
import type {
  ConsumerRunner,
  HeldPart,
  LaneLease,
  OwnerAnswer,
  OwnerRequest,
  Pause,
  RunnerProgress,
  RunnerServices,
} from '../runner.ts';
import type { Handler } from './handler.ts';
import { KeyQueue } from './key-queue.ts';
import { LaneWork } from './lane-work.ts';
import { assembleParts, type RunnerParts } from './runner-parts.ts';
import { loadTakenState } from './takeover.ts';
import type { Workload } from './workload.ts';

/** How long a lane that is given back waits for its handlers; then they are rolled back, uncounted. */
const releaseGraceMs = 5_000;

/** Works the lanes of one operational consumer in one process. */
export const createOperationalRunner = (handler: Handler, services: RunnerServices): ConsumerRunner =>
  new OperationalRunner(handler, services);

/** The parts and how they hang together: runner-parts.ts. */
class OperationalRunner implements ConsumerRunner {
  readonly #handler: Handler;
  readonly #services: RunnerServices;
  readonly #workload: Workload;
  readonly #changed: Signal;
  readonly #parts: RunnerParts;
  #pause: Pause | null = null;
  #releasing = false;
  /** Lanes whose lease was lost while `take` was loading their state. */
  readonly #droppedWhileTaking = new Set<number>();

  constructor(handler: Handler, services: RunnerServices) {
    this.#handler = handler;
    this.#services = services;
    this.#changed = new Signal(services.clock);
    this.#parts = assembleParts(handler, services, {
      onChange: () => this.#onChange(),
      onLost: (lane) => this.#lose(lane),
      accept: (batch) => this.#accept(batch),
      paused: () => this.#pause !== null,
    });
    this.#workload = this.#parts.workload;
  }

  async take(leases: readonly LaneLease[]): Promise<void> {
    await this.#parts.reader.stop();
    this.#droppedWhileTaking.clear();
    const { known, heads } = await loadTakenState(this.#services, leases);
    await this.#parts.breaker.look();
    for (const lease of leases) {
      const lost = this.#droppedWhileTaking.has(lease.lane);
      // Held under an older token: what runs there may write nothing more.
      this.drop([lease.lane]);
      if (!lost) this.#workload.addLane(new LaneWork(lease, known));
    }
    const queues: KeyQueue[] = [];
    for (const head of heads) {
      const lane = this.#workload.lanes.get(laneOf(head.keyHash, leases[0]?.laneCount ?? 1));
      if (lane === undefined) continue;
      const queue = KeyQueue.parked(lane, head);
      this.#workload.addQueue(queue);
      queues.push(queue);
    }
    this.#readOn();
    for (const queue of queues) {
      if (queue.head?.state === 'waiting' || queue.head?.state === 'running') this.#parts.parking.want(queue);
    }
    this.#parts.due.check();
    this.#parts.upkeep.poke();
  }

  async release(lanes: readonly number[]): Promise<void> {
    const held = this.#held(lanes);
    for (const lane of held) lane.releasing = true;
    this.#releasing = true;
    const { clock } = this.#services;
    const grace = clock.timer(releaseGraceMs, () => {
      for (const lane of held) this.#parts.dispatcher.abandon(lane);
    });
    try {
      while (held.some((lane) => !lane.dropped && !this.#isQuiet(lane)))
        await this.#changed.wait(releaseLookMs);
    } finally {
      grace.cancel();
      this.#releasing = false;
    }
    await this.#parts.checkpoints.write();
    for (const lane of held) this.#forget(lane);
    if (this.#workload.lanes.size > 0) return;
    await this.#parts.reader.stop();
    this.#parts.due.stop();
    this.#parts.redelivery.stop();
  }

  drop(lanes: readonly number[]): void {
    for (const lane of lanes) this.#droppedWhileTaking.add(lane);
    for (const lane of this.#held(lanes)) {
      lane.dropped = true;
      this.#parts.dispatcher.abandon(lane);
      this.#forget(lane);
    }
    if (this.#workload.lanes.size === 0) void this.#parts.reader.stop();
    this.#changed.fire();
  }

  pause(pause: Pause | null): void {
    this.#pause = pause;
    this.#parts.dispatcher.paused = pause !== null;
    if (pause === null) this.#parts.due.check();
    this.#onChange();
  }

  hold(parts: readonly HeldPart[]): void {
    if (this.#parts.holds.set(parts)) this.#parts.parking.lifted();
  }

  due(): void {
    if (this.#parts.breaker.open !== null) this.#parts.breaker.tick();
    this.#parts.due.check();
  }

  carryOut(request: OwnerRequest): Promise<OwnerAnswer> {
    return this.#parts.requests.carryOut(request);
  }

  progress(): RunnerProgress {
    const lanes = this.#workload.laneList.map((lane) => {
      let waiting = 0;
      for (const queue of this.#workload.queuesOf(lane)) waiting += queue.arrivals.length + queue.rows.length;
      const { lane: number, stored: checkpoint, readUpTo } = lane;
      return {
        lane: number,
        checkpoint,
        readUpTo,
        inFlight: this.#parts.dispatcher.inFlightOf(lane).length,
        waiting,
      };
    });
    const hottest = this.#parts.spilling.hottest();
    return {
      lanes,
      handled: this.#parts.dispatcher.handled,
      hottestKey: hottest === null ? null : { ...hottest, key: this.#parts.contracts.shownKey(hottest.key) },
      reasons: this.#reasons(),
    };
  }

  async idle(): Promise<void> {
    const target = this.#services.tail.settled;
    while (!this.#isIdle(target)) await this.#changed.wait(idleLookMs);
  }

  #isIdle(target: number): boolean {
    if (this.#parts.dispatcher.inFlight > 0 || this.#parts.due.busy || this.#parts.parking.busy) return false;
    // Nothing begins, so nothing would ever be finished.
    if (this.#pause !== null || this.#parts.breaker.open !== null) return true;
    return this.#workload.laneList.every((lane) => {
      if (!lane.active) return true;
      if (lane.mark < Math.min(target, lane.lease.stopAt) || lane.writes > 0) return false;
      for (const queue of this.#workload.queuesOf(lane))
        if (queue.phase !== 'parked' && queue.phase !== 'flowing') return false;
      return true;
    });
  }

  #reasons(): string[] {
    const reasons: string[] = [];
    if (this.#pause !== null) reasons.push(`paused by ${this.#pause.by}: ${this.#pause.reason}`);
    const { open } = this.#parts.breaker;
    if (open !== null) reasons.push(`breaker open (${open.kind}): ${open.reason}`);
    const hottest = this.#parts.spilling.hottest();
    if (hottest !== null) reasons.push(`the key ${hottest.key} has most of the waiting events`);
    if (this.#parts.window.stuck)
      reasons.push('too much is finished above an event that does not end; reading has stopped');
    return reasons;
  }

  #accept({ events, upTo }: EventBatch): void {
    const [any] = this.#workload.lanes.values();
    if (any === undefined) return;
    const { laneCount, stopAt } = any.lease;
    const consumer = { ordering: this.#handler.ordering, lanes: laneCount };
    const parked = new Set<KeyQueue>();
    const skips = this.#handler.onBackfill !== 'handle';
    for (const event of events) {
      const lane = this.#workload.lanes.get(laneFor(consumer, event));
      const { position } = event;
      if (lane === undefined || !lane.active || position <= lane.readUpTo || position > stopAt) continue;
      if (lane.known.delete(position)) continue;
      // The mark passes it, as what this consumer does not read.
      if (skips && isBackfilled(event)) continue;
      const key = orderingKey(this.#handler, event);
      const queue = this.#workload.arrive(lane, {
        event,
        position,
        key,
        keyHash: orderingKeyHash(this.#handler, event),
        lane: lane.lane,
        attempts: 0,
        open: true,
        parked: false,
        deletesRow: false,
        releasedId: null,
        suspect: lane.isSuspect(position, key),
        repair: null,
        replay: null,
      });
      if (queue.phase === 'parked') parked.add(queue);
    }
    for (const lane of this.#workload.laneList) if (lane.active) lane.passTo(upTo);
    for (const queue of parked) this.#parts.parking.append(queue);
    this.#onChange();
    if (this.#workload.ready.size === 0) this.#parts.limit.nothingWaits(Math.min(upTo, stopAt));
  }

  #readOn(): void {
    const lanes = this.#workload.laneList.filter((lane) => lane.active);
    const [any] = lanes;
    if (any === undefined) return;
    const after = Math.min(...lanes.map((lane) => lane.readUpTo));
    this.#parts.reader.start({ types: any.lease.types, after, stopAt: any.lease.stopAt });
  }

  #onChange(): void {
    const { dispatcher, reader, window, upkeep } = this.#parts;
    dispatcher.pump();
    if (window.room > 0) reader.more();
    // Who waits for quiet need not hear of every event.
    if (this.#releasing || dispatcher.inFlight === 0) this.#changed.fire();
    upkeep.poke();
  }

  #lose(lane: LaneWork): void {
    if (lane.dropped || this.#workload.lanes.get(lane.lane) !== lane) return;
    this.drop([lane.lane]);
    this.#services.onLeaseLost(lane.lane);
  }

  #forget(lane: LaneWork): void {
    this.#parts.parking.forget(lane);
    this.#workload.removeLane(lane);
  }

  #held(lanes: readonly number[]): LaneWork[] {
    return lanes.flatMap((lane) => this.#workload.lanes.get(lane) ?? []);
  }

  #isQuiet(lane: LaneWork): boolean {
    return this.#parts.dispatcher.inFlightOf(lane).length === 0 && lane.writes === 0;
  }
}

/** Waits end with a signal; these are only the net below it. */
const releaseLookMs = 200;
const idleLookMs = 200;
