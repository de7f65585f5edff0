import { ContractSet } from '../../contracts/index.ts';
import { laneOf, Signal } from '../../foundation/index.ts';
import type { EventBatch } from '../../log/index.ts';
import { Breaker } from '../breaker/index.ts';
import { laneFor, orderingKey, orderingKeyHash } from '../definition.ts';
import type { LaneSet } from '../parked/index.ts';
import type {
  ConsumerRunner,
  LaneLease,
  OwnerAnswer,
  OwnerRequest,
  Pause,
  RunnerProgress,
  RunnerServices,
} from '../runner.ts';
import { CheckpointWriter, dispatchStep } from './checkpoint-writer.ts';
import { Dispatcher } from './dispatcher.ts';
import { DueRetries } from './due-retries.ts';
import { EffectLedger } from './effect-ledger.ts';
import type { Handler } from './handler.ts';
import { InboxWriter } from './inbox-writer.ts';
import { KeyParking } from './key-parking.ts';
import { KeyQueue } from './key-queue.ts';
import { LaneWork } from './lane-work.ts';
import { OwnerRequests } from './owner-requests.ts';
import { ParkingWriter } from './parking-writer.ts';
import { RateLimiter } from './rate-limiter.ts';
import { Reader } from './reader.ts';
import { Spilling } from './spilling.ts';
import { Suspects } from './suspects.ts';
import { loadTakenState } from './takeover.ts';
import { Upkeep } from './upkeep.ts';
import { Window } from './window.ts';
import { Workload } from './workload.ts';

/** How long a lane that is given back waits for its handlers; then they are rolled back, uncounted. */
const releaseGraceMs = 5_000;

/** Works the lanes of one operational consumer in one process. */
export const createOperationalRunner = (handler: Handler, services: RunnerServices): ConsumerRunner =>
  new OperationalRunner(handler, services);

/*
 *   Reader ──events──► Workload (lanes, key queues) ──► Dispatcher ──► Attempt ──► COMMIT with the fence
 *      ▲ room              ▲     │ hot, slow               │ failed            └──► InboxWriter (no transaction of its own)
 *   Window ◄───────────────┘     └──► Spilling ──► KeyParking ──► ParkingWriter ──► parked
 *                                        DueRetries ──┘ │ rows
 *   Upkeep: CheckpointWriter, pruning, Breaker          └──► back into the Workload
 */
class OperationalRunner implements ConsumerRunner {
  readonly #handler: Handler;
  readonly #services: RunnerServices;
  readonly #workload = new Workload();
  readonly #window = new Window(this.#workload);
  readonly #changed: Signal;
  readonly #breaker: Breaker;
  readonly #checkpoints: CheckpointWriter;
  readonly #parking: KeyParking;
  readonly #due: DueRetries;
  readonly #dispatcher: Dispatcher;
  readonly #reader: Reader;
  readonly #spilling: Spilling;
  readonly #upkeep: Upkeep;
  readonly #requests: OwnerRequests;
  #pause: Pause | null = null;
  /** Lanes whose lease was lost while `take` was loading their state. */
  readonly #droppedWhileTaking = new Set<number>();
  #limitWanted = 0;
  #raising = false;

  constructor(handler: Handler, services: RunnerServices) {
    this.#handler = handler;
    this.#services = services;
    const { database, clock, telemetry, tail, consumer, app, process } = services;
    const workload = this.#workload;
    const window = this.#window;
    this.#changed = new Signal(clock);
    const onChange = (): void => this.#onChange();
    const onLost = (lane: LaneWork): void => this.#lose(lane);
    this.#breaker = new Breaker({
      database,
      clock,
      telemetry,
      consumer,
      processId: process.id,
      codeVersion: app.codeVersion,
      lanes: () => this.#fences(),
      onChange: () => {
        if (this.#breaker.open === null) this.#due.check();
        this.#onChange();
      },
    });
    this.#checkpoints = new CheckpointWriter({
      services,
      lanes: () => workload.laneList,
      onLost,
      onBreakerOpen: () => this.#breaker.notice(),
    });
    const effects = new EffectLedger({ database, clock, consumer });
    this.#parking = new KeyParking({
      services,
      workload,
      writer: new ParkingWriter(services),
      types: handler.types,
      onLost,
      onChange,
      onRetry: (delayMs) => this.#due.expect(delayMs),
    });
    this.#due = new DueRetries({
      services,
      lanes: () => this.#laneSet(),
      allowed: () => this.#pause === null && this.#breaker.open === null,
      onDue: (key) => {
        const queue = workload.find(key);
        if (queue !== undefined) this.#parking.want(queue);
      },
    });
    this.#dispatcher = new Dispatcher({
      tools: { handler, contracts: new ContractSet(handler.contracts), services, effects },
      services,
      workload,
      parking: this.#parking,
      inbox: new InboxWriter(services),
      limiter:
        handler.rate === null
          ? null
          : new RateLimiter({ database, clock, telemetry, consumer, rate: handler.rate, onPermit: onChange }),
      breaker: this.#breaker,
      suspects: new Suspects(services, onChange),
      onLost,
      onChange,
    });
    this.#reader = new Reader({
      tail,
      clock,
      telemetry,
      consumer: handler.name,
      room: () => window.room,
      accept: (batch) => this.#accept(batch),
    });
    const freeSlots = (): number => this.#dispatcher.freeSlots;
    const enabled = handler.ordering !== 'global';
    this.#spilling = new Spilling({ clock, workload, window, parking: this.#parking, freeSlots, enabled });
    this.#upkeep = new Upkeep({
      clock,
      telemetry,
      consumer: handler.name,
      workload,
      checkpoints: this.#checkpoints,
      spilling: this.#spilling,
      breaker: this.#breaker,
      inFlight: () => this.#dispatcher.inFlight,
      handled: () => this.#dispatcher.handled,
    });
    this.#requests = new OwnerRequests({ services, workload, parking: this.#parking, effects });
  }

  async take(leases: readonly LaneLease[]): Promise<void> {
    await this.#reader.stop();
    this.#droppedWhileTaking.clear();
    const { known, heads } = await loadTakenState(this.#services, leases);
    await this.#breaker.look();
    for (const lease of leases) {
      const before = this.#workload.lanes.get(lease.lane);
      if (before !== undefined) this.drop([lease.lane]);
      if (!this.#droppedWhileTaking.has(lease.lane)) this.#workload.addLane(new LaneWork(lease, known));
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
      if (queue.head?.state === 'waiting' || queue.head?.state === 'running') this.#parking.want(queue);
    }
    this.#due.check();
    this.#upkeep.poke();
  }

  async release(lanes: readonly number[]): Promise<void> {
    const held = this.#held(lanes);
    for (const lane of held) lane.releasing = true;
    const { clock } = this.#services;
    const grace = clock.timer(releaseGraceMs, () => {
      for (const lane of held) this.#dispatcher.abandon(lane);
    });
    try {
      while (held.some((lane) => !lane.dropped && !this.#isQuiet(lane)))
        await this.#changed.wait(releaseLookMs);
    } finally {
      grace.cancel();
    }
    await this.#checkpoints.write();
    for (const lane of held) this.#forget(lane);
    if (this.#workload.lanes.size > 0) return;
    await this.#reader.stop();
    this.#due.stop();
  }

  drop(lanes: readonly number[]): void {
    for (const lane of lanes) this.#droppedWhileTaking.add(lane);
    for (const lane of this.#held(lanes)) {
      lane.dropped = true;
      this.#dispatcher.abandon(lane);
      this.#forget(lane);
    }
    if (this.#workload.lanes.size === 0) void this.#reader.stop();
    this.#changed.fire();
  }

  pause(pause: Pause | null): void {
    this.#pause = pause;
    this.#dispatcher.paused = pause !== null;
    if (pause === null) this.#due.check();
    this.#onChange();
  }

  due(): void {
    if (this.#breaker.open !== null) this.#breaker.tick();
    this.#due.check();
  }

  carryOut(request: OwnerRequest): Promise<OwnerAnswer> {
    return this.#requests.carryOut(request);
  }

  progress(): RunnerProgress {
    const lanes = this.#workload.laneList.map((lane) => {
      let waiting = 0;
      for (const queue of lane.queues.values()) waiting += queue.arrivals.length + queue.rows.length;
      const { lane: number, stored: checkpoint, readUpTo } = lane;
      return {
        lane: number,
        checkpoint,
        readUpTo,
        inFlight: this.#dispatcher.inFlightOf(lane).length,
        waiting,
      };
    });
    return {
      lanes,
      handled: this.#dispatcher.handled,
      hottestKey: this.#spilling.hottest(),
      reasons: this.#reasons(),
    };
  }

  async idle(): Promise<void> {
    const target = this.#services.tail.settled;
    while (!this.#isIdle(target)) await this.#changed.wait(idleLookMs);
  }

  #isIdle(target: number): boolean {
    if (this.#dispatcher.inFlight > 0 || this.#due.busy || this.#parking.busy) return false;
    // Nothing begins, so nothing would ever be finished.
    if (this.#pause !== null || this.#breaker.open !== null) return true;
    return this.#workload.laneList.every((lane) => {
      if (!lane.active) return true;
      if (lane.mark < Math.min(target, lane.lease.stopAt) || lane.writes > 0) return false;
      for (const queue of lane.queues.values())
        if (queue.phase !== 'parked' && queue.phase !== 'flowing') return false;
      return true;
    });
  }

  #reasons(): string[] {
    const reasons: string[] = [];
    if (this.#pause !== null) reasons.push(`paused by ${this.#pause.by}: ${this.#pause.reason}`);
    const { open } = this.#breaker;
    if (open !== null) reasons.push(`breaker open (${open.kind}): ${open.reason}`);
    const hottest = this.#spilling.hottest();
    if (hottest !== null) reasons.push(`the key ${hottest.key} has most of the waiting events`);
    if (this.#window.stuck)
      reasons.push('too much is finished above an event that does not end; reading has stopped');
    return reasons;
  }

  #accept({ events, upTo }: EventBatch): void {
    const [any] = this.#workload.lanes.values();
    if (any === undefined) return;
    const { laneCount, stopAt } = any.lease;
    const consumer = { ordering: this.#handler.ordering, lanes: laneCount };
    const parked = new Set<KeyQueue>();
    for (const event of events) {
      const lane = this.#workload.lanes.get(laneFor(consumer, event));
      const { position } = event;
      if (lane === undefined || !lane.active || position <= lane.readUpTo || position > stopAt) continue;
      if (lane.known.delete(position)) continue;
      const queue = this.#workload.arrive(lane, {
        event,
        position,
        key: orderingKey(this.#handler, event),
        keyHash: orderingKeyHash(this.#handler, event),
        lane: lane.lane,
        attempts: 0,
        open: true,
        parked: false,
        deletesRow: false,
        suspect: lane.isSuspect(position),
      });
      if (queue.phase === 'parked') parked.add(queue);
    }
    for (const lane of this.#workload.laneList) if (lane.active) lane.passTo(upTo);
    for (const queue of parked) this.#parking.append(queue);
    this.#raiseLimit(Math.min(upTo, stopAt));
    this.#onChange();
  }

  /** Well ahead of what was read, so that no event waits for it. */
  #raiseLimit(upTo: number): void {
    const lowest = Math.min(
      ...this.#workload.laneList.filter((lane) => lane.active).map((lane) => lane.dispatchLimit),
    );
    if (lowest - upTo >= dispatchStep / 2) return;
    this.#limitWanted = Math.max(this.#limitWanted, upTo);
    if (this.#raising) return;
    this.#raising = true;
    void this.#raise().finally(() => {
      this.#raising = false;
    });
  }

  async #raise(): Promise<void> {
    const { telemetry, clock } = this.#services;
    while (this.#limitWanted > 0 && this.#workload.lanes.size > 0) {
      const wanted = this.#limitWanted;
      try {
        await this.#checkpoints.write(wanted);
        if (this.#limitWanted === wanted) this.#limitWanted = 0;
        this.#onChange();
      } catch (error) {
        telemetry.emit('engine.error', { unit: `dispatch limit of ${this.#handler.name}`, error });
        await clock.sleep(raisePauseMs);
      }
    }
  }

  #readOn(): void {
    const lanes = this.#workload.laneList.filter((lane) => lane.active);
    const [any] = lanes;
    if (any === undefined) return;
    const after = Math.min(...lanes.map((lane) => lane.readUpTo));
    this.#reader.start({ types: any.lease.types, after, stopAt: any.lease.stopAt });
  }

  #onChange(): void {
    this.#dispatcher.pump();
    this.#reader.more();
    this.#changed.fire();
    this.#upkeep.poke();
  }

  #lose(lane: LaneWork): void {
    if (lane.dropped || this.#workload.lanes.get(lane.lane) !== lane) return;
    this.drop([lane.lane]);
    this.#services.onLeaseLost(lane.lane);
  }

  #forget(lane: LaneWork): void {
    this.#parking.forget(lane);
    this.#workload.removeLane(lane);
  }

  #held(lanes: readonly number[]): LaneWork[] {
    return lanes.flatMap((lane) => this.#workload.lanes.get(lane) ?? []);
  }

  #isQuiet(lane: LaneWork): boolean {
    return this.#dispatcher.inFlightOf(lane).length === 0 && lane.writes === 0;
  }

  #laneSet(): LaneSet | null {
    const lanes = this.#workload.laneList.filter((lane) => lane.active);
    const [any] = lanes;
    return any === undefined
      ? null
      : { laneCount: any.lease.laneCount, lanes: lanes.map((lane) => lane.lane) };
  }

  #fences(): { laneCount: number; fences: { lane: number; token: number; position: number }[] } {
    const lanes = this.#workload.laneList.filter((lane) => lane.active);
    const fences = lanes.map((lane) => ({ lane: lane.lane, token: lane.lease.token, position: 0 }));
    return { laneCount: lanes[0]?.lease.laneCount ?? 1, fences };
  }
}

/** Waits end with a signal; these are only the net below it. */
const releaseLookMs = 200;
const idleLookMs = 200;
const raisePauseMs = 500;
