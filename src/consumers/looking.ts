import { type Clock, FactlineError, type Telemetry } from '../foundation/index.ts';
import type { Tail } from '../log/index.ts';
import type { Database } from '../postgres/index.ts';
import type { ConsumerUnit } from './consumer-unit.ts';
import { handOverGeneration, takeLanes } from './lanes/lane-store.ts';
import { type LanePlan, type LaneRef, planLanes } from './lanes/plan-lanes.ts';
import { Liveness } from './membership/liveness.ts';
import type { Membership } from './membership/membership.ts';
import type { Chore, Declared, Picture, SeenConsumer } from './membership/picture.ts';
import { RequestDesk } from './requests.ts';
import type { TestStep } from './runner.ts';
import { reachStep } from './steps.ts';

/** Lanes are released for balance only when no process has come or gone for this long: several often start together. */
const settledMs = 1_000;
const refreshMs = 1_000;
/** So long without an answer: the connections are given up; the next time after twice as long. */
const severAfterMs = 6_000;

export interface LookerOptions {
  readonly database: Database;
  readonly tail: Tail;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly membership: Membership;
  /** The consumers of this process, by id; it changes between two looks. */
  readonly units: ReadonlyMap<number, ConsumerUnit>;
  /** Something is stored that the units do not know yet. */
  readonly refresh: () => Promise<void>;
  readonly look: () => void;
  readonly testStep: TestStep | undefined;
}

/**
 * One look: a heartbeat, what it saw of everybody, and what follows from it. One bounded pass; the loop is the engine's.
 */
export class Looker {
  readonly #options: LookerOptions;
  readonly #liveness = new Liveness();
  readonly #desk: RequestDesk;
  #processes = '';
  #processesSinceMs = Number.NEGATIVE_INFINITY;
  #suspended = false;
  #severAtMs = severAfterMs;
  #silent = false;
  #severed = false;
  #refreshedAtMs = Number.NEGATIVE_INFINITY;
  #chores: ReadonlySet<Chore> = new Set();

  constructor(options: LookerOptions) {
    this.#options = options;
    this.#desk = new RequestDesk(options.database, options.testStep);
  }

  /** Whether other processes lived at the last look. */
  get accompanied(): boolean {
    return this.#processes.includes(',');
  }

  /** For which there was work at the last look. */
  get chores(): ReadonlySet<Chore> {
    return this.#chores;
  }

  /** Milliseconds until the next look is due before the heartbeat, or null. */
  async look(): Promise<number | null> {
    const { membership, clock, units } = this.#options;
    const picture = await membership.beat(this.#declared(), [...units.keys()]);
    if (this.#severed) await this.#severOrphans();
    this.#chores = picture.chores;
    // The statement may have taken so long that others may think that this process is dead.
    if (this.doubt()) return 0;
    const nowMs = clock.monotonic();
    // At most once a second: what cannot be known by this code (yet) must not keep it from its work.
    const isNew = this.#isNew(picture);
    if (isNew && nowMs - this.#refreshedAtMs > refreshMs) {
      this.#refreshedAtMs = nowMs;
      await this.#options.refresh();
      return 0;
    }
    const { live, lookMs } = this.#liveness.observe(picture.processes, { self: membership.id, nowMs });
    const unsettledMs = this.#unsettledMs(live, nowMs);
    const plan = planLanes({
      self: membership.id,
      live,
      picture,
      holdings: [...units.values()].map((unit) => unit.holding()),
      settled: unsettledMs <= 0,
    });
    this.#tell(picture);
    await this.#carryOut(plan, picture, live);
    const waits = [
      lookMs ?? [],
      unsettledMs > 0 ? unsettledMs : [],
      isNew ? refreshMs - (nowMs - this.#refreshedAtMs) + 1 : [],
    ].flat();
    return waits.length === 0 ? null : Math.min(...waits);
  }

  /** Only the sign of life: this process takes nothing any more. */
  async beat(): Promise<void> {
    await this.#options.membership.beat(this.#declared(), []);
  }

  /** Drops all lanes when this process may have lost them; looked at every second, not only at heartbeats. */
  doubt(): boolean {
    const reason = this.#options.membership.doubt();
    if (reason !== null && !this.#suspended) {
      this.#options.telemetry.emit('process.suspended', { processId: this.#options.membership.id, reason });
      for (const unit of this.#options.units.values()) unit.dropAll();
    }
    this.#suspended = reason !== null;
    return this.#suspended;
  }

  /**
   * Called every second. A heartbeat that nobody answers: it may be that nothing comes over these connections any more, and that nobody
   * will say so for a quarter of an hour. The lanes are lost by then, so nothing is lost with what goes on there. A process that stood
   * still itself finds the answers waiting, so it looks twice; a server that is only slow still does what it was asked, therefore less
   * and less often.
   */
  severDeaf(): void {
    const { membership, database, tail, telemetry } = this.#options;
    const { silentMs } = membership;
    const wasSilent = this.#silent;
    this.#silent = silentMs > severAfterMs;
    if (!this.#silent) this.#severAtMs = severAfterMs;
    if (!wasSilent || silentMs <= this.#severAtMs) return;
    this.#severAtMs = silentMs * 2;
    this.#severed = true;
    const connections = database.sever();
    tail.session.giveUp(new FactlineError('WAIT_TIMED_OUT', { ms: silentMs, stage: 'the heartbeat' }));
    if (connections > 0)
      telemetry.emit('connections.severed', { connections, silentMs: Math.round(silentMs) });
  }

  /** The database answers again. What others wait for in their own transactions ends as well, where it is certain that nothing will come. */
  async #severOrphans(): Promise<void> {
    const { membership, database, telemetry } = this.#options;
    // Behind a pooler a connection knows no number of a process of the server.
    const connections = membership.direct ? await database.severOrphans() : 0;
    this.#severed = false;
    if (connections > 0) telemetry.emit('connections.severed', { connections, silentMs: 0 });
  }

  #declared(): Readonly<Record<string, Declared>> {
    const declared: Record<string, Declared> = {};
    for (const [id, { registration }] of this.#options.units) {
      declared[id] = { generation: registration.consumer.generation, covers: registration.covers };
    }
    return declared;
  }

  /** Whether something was registered, handed over or retired since the units were made. */
  #isNew(picture: Picture): boolean {
    const { units } = this.#options;
    const seen = new Map(picture.consumers.map((consumer) => [consumer.id, consumer]));
    for (const [id, unit] of units) {
      const consumer = seen.get(id);
      if (consumer === undefined) return true;
      const { generation, generations, state } = unit.registration.stored;
      if (consumer.leading !== generation || consumer.latest !== generations.at(-1)?.generation) return true;
      if (consumer.state !== state) return true;
    }
    return picture.consumers.some((consumer) => !units.has(consumer.id) && this.#isBuildOfOurs(consumer));
  }

  #isBuildOfOurs(consumer: SeenConsumer): boolean {
    for (const { registration } of this.#options.units.values()) {
      const { class: kind, name, version } = registration.definition;
      const named = consumer.name === name || consumer.formerNames.includes(name);
      if (kind === 'projection' && named && consumer.version === version) return true;
    }
    return false;
  }

  #unsettledMs(live: readonly number[], nowMs: number): number {
    const processes = live.join();
    if (processes !== this.#processes) {
      // A process alone has nobody to wait for, and the first look is no change.
      this.#processesSinceMs = this.#processes === '' || live.length === 1 ? Number.NEGATIVE_INFINITY : nowMs;
      this.#processes = processes;
    }
    return this.#processesSinceMs + settledMs - nowMs;
  }

  #tell(picture: Picture): void {
    for (const consumer of picture.consumers) {
      const unit = this.#options.units.get(consumer.id);
      if (unit === undefined) continue;
      const { pausedAt, pausedReason, pausedBy, held } = consumer;
      unit.hold(held);
      unit.pause(pausedAt === null ? null : { reason: pausedReason ?? '', by: pausedBy ?? '' });
      if (picture.due.has(consumer.id)) unit.runner.due();
    }
  }

  async #carryOut(plan: LanePlan, picture: Picture, live: readonly number[]): Promise<void> {
    const { units, database, membership, testStep } = this.#options;
    for (const [unit, lanes] of this.#byUnit(plan.drop)) unit.drop(lanes.map((lane) => lane.lane));
    for (const [unit, lanes] of this.#byUnit(plan.release)) unit.release(lanes);
    for (const id of plan.handOver) this.#handOver(id, picture, live);
    if (plan.take.length > 0) await reachStep(testStep, 'engine.before-take');
    const taken = await takeLanes(database, membership.id, plan.take);
    if (taken.length > 0) await reachStep(testStep, 'engine.after-take');
    for (const [unit, lanes] of this.#byUnit(taken)) unit.take(lanes);
    for (const unit of units.values()) {
      const own = picture.requests.filter((request) => request.consumerId === unit.registration.consumer.id);
      this.#desk.accept(unit, own);
    }
  }

  *#byUnit<Lane extends Pick<LaneRef, 'consumerId'>>(
    lanes: readonly Lane[],
  ): Generator<[ConsumerUnit, Lane[]]> {
    for (const [id, own] of Map.groupBy(lanes, (lane) => lane.consumerId)) {
      const unit = this.#options.units.get(id);
      if (unit !== undefined) yield [unit, own];
    }
  }

  #handOver(consumerId: number, picture: Picture, live: readonly number[]): void {
    const { units, database, telemetry, look, testStep } = this.#options;
    const owners = picture.lanes.flatMap((lane) =>
      lane.consumerId === consumerId ? (lane.owner ?? []) : [],
    );
    const dead = owners.filter((owner) => !live.includes(owner));
    const unit = units.get(consumerId);
    unit?.enqueue(async () => {
      await reachStep(testStep, 'engine.before-hand-over');
      const done = await handOverGeneration(database, consumerId, dead);
      await reachStep(testStep, 'engine.after-hand-over');
      if (done !== null)
        telemetry.emit('generation.changed', { consumer: unit.registration.stored.name, ...done });
    }, look);
  }
}
