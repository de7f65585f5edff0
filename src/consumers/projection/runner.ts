import { FactlineError, laneOf } from '../../foundation/index.ts';
import { loadQueries, run } from '../../postgres/index.ts';
import { Pace, readLiveDanger } from '../ceiling/index.ts';
import type { ConsumerClass } from '../consumer-class.ts';
import type { ConsumerDefinition } from '../definition.ts';
import { findParked } from '../parked/index.ts';
import type {
  ConsumerRunner,
  LaneLease,
  OwnerAnswer,
  OwnerRequest,
  Pause,
  RunnerProgress,
  RunnerServices,
} from '../runner.ts';
import type { BatchWriter } from './batch-writer.ts';
import { BuildKeeper } from './build-keeper.ts';
import { readBuilds } from './build-record.ts';
import { type BuildWishes, beginRebuild, dropOutdated, prepareBuild, renameBuild } from './builds.ts';
import type { FoldingProjection, Projection } from './definition.ts';
import { FoldWriter } from './fold-writer.ts';
import { LaneStore } from './lane-store.ts';
import { LaneWorker } from './lane-worker.ts';
import { ParkedKeys } from './parked-keys.ts';
import { releaseEvents, restoreEvent } from './parked-requests.ts';
import { reachedPositions } from './reached.ts';
import { relationOf } from './relation.ts';
import { shardsFor, shardsMax } from './sharding.ts';
import type { SqlProjection } from './sql-definition.ts';
import { SqlWriter } from './sql-writer.ts';

const sql = loadQueries<'wake_owners'>(new URL('./builds.sql', import.meta.url));

interface Held {
  readonly worker: LaneWorker;
  readonly parked: ParkedKeys;
  readonly store: LaneStore;
}

/** Without a wish for less: far more than a process folds. */
const ceilingDefault = 100_000;
/** As long as a build may go at all it may do this share of its ceiling. */
const floorShare = 1 / 1000;

/** One build of a projection in this process: its one lane, or while it is filled some of several. */
class ProjectionRunner implements ConsumerRunner {
  readonly #projection: Projection;
  readonly #services: RunnerServices;
  readonly #lanes = new Map<number, Held>();
  #handledBefore = 0;
  #pause: Pause | null = null;
  #waiters = new Set<() => void>();
  /** Of a build that is fed and not read: what holds it back, and in the process of its first lane who looks after it. */
  #pace: Pace | null = null;
  #keeper: BuildKeeper | null = null;

  constructor(projection: Projection, services: RunnerServices) {
    this.#projection = projection;
    this.#services = services;
  }

  async take(leases: readonly LaneLease[]): Promise<void> {
    const { database, consumer } = this.#services;
    const relation = await relationOf(database.operations, consumer);
    const [own] = (await readBuilds(database.operations, [consumer.name])).filter(
      ({ id }) => id === consumer.id,
    );
    const isRead = own === undefined || own.stage === 'live';
    if (isRead) this.#rest();
    else {
      this.#startPace(own.ceiling);
      // It answers for a state that is being taken again: a keeper of the lanes before knows other leases.
      if (leases.some(({ lane }) => lane === 0)) this.#keeper = this.#makeKeeper();
    }
    await Promise.all(leases.map((lease) => this.#take(lease, relation)));
  }

  async #take(lease: LaneLease, relation: string): Promise<void> {
    const services = this.#services;
    const store = new LaneStore(services, lease);
    await store.readState();
    const parked = new ParkedKeys();
    const worker = new LaneWorker({
      projection: this.#projection,
      store,
      parked,
      services,
      writer: this.#writer({ relation, store, parked }),
      onProgress: (lane) => this.#progressed(lane),
      pace: () => this.#pace,
    });
    worker.pause(this.#pause !== null);
    this.#lanes.set(lease.lane, { worker, parked, store });
    await worker.start();
    // At the log's end there may be no progress to be told of.
    if (lease.lane === 0) this.#keeper?.consider(worker);
  }

  async release(lanes: readonly number[]): Promise<void> {
    if (lanes.includes(0)) await this.#dismissKeeper();
    await Promise.all(lanes.map((lane) => this.#lanes.get(lane)?.worker.stop()));
    for (const lane of lanes) this.#forget(lane);
    if (this.#lanes.size === 0) await this.#pace?.stop();
  }

  drop(lanes: readonly number[]): void {
    if (lanes.includes(0)) void this.#dismissKeeper();
    for (const lane of lanes) {
      this.#lanes.get(lane)?.worker.drop();
      this.#forget(lane);
    }
    if (this.#lanes.size === 0) void this.#pace?.stop();
  }

  pause(pause: Pause | null): void {
    this.#pause = pause;
    for (const { worker } of this.#lanes.values()) worker.pause(pause !== null);
  }

  due(): void {
    for (const { parked, worker } of this.#lanes.values()) {
      parked.markDue();
      worker.wake();
    }
  }

  async carryOut(request: OwnerRequest): Promise<OwnerAnswer> {
    if (request.verb === 'rebuild') return this.#rebuild(request);
    const found = await this.#find(request.parkedId);
    const held = this.#holderOf(found);
    if (held === null) return refused({ reason: 'this process does not work the projection' });
    const { laneCount } = held.worker.lease;
    // Events of other keys have changed its row since: it would come too late.
    if (found?.failure?.code === 'PROJECTION_NOT_SHARDABLE' && request.verb !== 'discard')
      return refused({
        reason: 'the build has to be made anew in one lane: factline projection rebuild --shards 1',
      });
    switch (request.verb) {
      case 'retry':
        return this.#retry(held, request);
      case 'discard':
        return this.#discard(held, request);
      case 'release':
      case 'restore': {
        if (laneCount > 1)
          return refused({ reason: `it is being filled by ${laneCount} lanes; wait until they are merged` });
        const lane = { ...held, services: this.#services };
        return request.verb === 'release' ? releaseEvents(lane, request) : restoreEvent(lane, request);
      }
      default:
        return refused({ reason: `a projection does not know the verb ${request.verb}` });
    }
  }

  progress(): RunnerProgress {
    const { consumer } = this.#services;
    const held = [...this.#lanes.values()];
    const reasons = held.flatMap(({ worker }) => worker.reason ?? []);
    if (this.#pace !== null && held.length > 0) {
      const how = consumer.state === 'building' ? 'is being filled' : 'is fed';
      reasons.push(`build ${consumer.build} ${how}; the view shows another one`);
      if (this.#pace.reason !== null) reasons.push(this.#pace.reason);
    }
    if (this.#keeper?.obstacle) reasons.push(this.#keeper.obstacle);
    return {
      lanes: held.map(({ worker }) => worker.progress),
      handled: held.reduce((sum, { worker }) => sum + worker.handled, this.#handledBefore),
      hottestKey: null,
      reasons,
    };
  }

  async idle(): Promise<void> {
    const target = this.#services.tail.settled;
    const done = (): boolean =>
      [...this.#lanes.values()].every(
        ({ worker }) => worker.reached >= Math.min(target, worker.lease.stopAt) && worker.drained,
      );
    while (!done()) await this.#nextProgress();
  }

  #writer(options: { relation: string; store: LaneStore; parked: ParkedKeys }): BatchWriter {
    const shared = { ...options, services: this.#services };
    return this.#projection.form === 'fold'
      ? (new FoldWriter({ ...shared, projection: this.#projection as FoldingProjection }) as BatchWriter)
      : (new SqlWriter({ ...shared, projection: this.#projection as SqlProjection }) as BatchWriter);
  }

  #nextProgress(): Promise<void> {
    return new Promise((resolve) => this.#waiters.add(resolve));
  }

  #progressed(worker: LaneWorker): void {
    const { consumer, database } = this.#services;
    const { lane, laneCount, stopAt } = worker.lease;
    if (laneCount === 1) reachedPositions(database).set(consumer.id, worker.reached);
    this.#wakeWaiters();
    // The next generation begins when all lanes stand there: that need not wait for a heartbeat.
    if (worker.position >= stopAt)
      void run(database.operations, sql.wake_owners, [String(consumer.id)]).catch(() => undefined);
    if (lane === 0) this.#keeper?.consider(worker);
  }

  #wakeWaiters(): void {
    const waiters = this.#waiters;
    this.#waiters = new Set();
    for (const wake of waiters) wake();
  }

  #forget(lane: number): void {
    const held = this.#lanes.get(lane);
    if (held === undefined) return;
    this.#handledBefore += held.worker.handled;
    this.#lanes.delete(lane);
    if (lane === 0) reachedPositions(this.#services.database).forget(this.#services.consumer.id);
    this.#wakeWaiters();
  }

  #makeKeeper(): BuildKeeper {
    const keeper = new BuildKeeper({
      projection: this.#projection,
      services: this.#services,
      onRest: () => {
        if (this.#keeper === keeper) this.#rest();
      },
    });
    return keeper;
  }

  /** It is read now, or is the way back: nothing holds it back, and nobody looks after it. */
  #rest(): void {
    this.#keeper = null;
    void this.#pace?.stop();
    this.#pace = null;
    void dropOutdated(this.#services.database, this.#services.consumer).catch(() => undefined);
  }

  async #dismissKeeper(): Promise<void> {
    const keeper = this.#keeper;
    this.#keeper = null;
    await keeper?.stop();
  }

  #startPace(wanted: number | null): void {
    const { clock, database } = this.#services;
    const ceiling = wanted ?? ceilingDefault;
    this.#pace ??= new Pace({
      clock,
      limits: { ceiling, floor: Math.max(1, ceiling * floorShare) },
      look: () => readLiveDanger(database.operations),
      strained: () => database.handlers.waitingCount > 0,
    });
    this.#pace.start();
  }

  /** The lane of a parked event, or of what concerns the whole projection. */
  #holderOf(parked: { readonly keyHash: number } | null): Held | null {
    const [any] = this.#lanes.values();
    if (any === undefined || parked === null) return this.#lanes.get(0) ?? null;
    return this.#lanes.get(laneOf(parked.keyHash, any.worker.lease.laneCount)) ?? null;
  }

  async #retry({ worker, store, parked }: Held, { parkedId }: OwnerRequest): Promise<OwnerAnswer> {
    const found = await this.#find(parkedId);
    if (found === null) return refused({ reason: `there is no parked event ${parkedId}` });
    const keys = await worker.between(async () => {
      const released = await store.release(found.position);
      for (const key of released) {
        const head = parked.head(key);
        if (head?.position === found.position)
          parked.setHead(key, { ...head, state: 'waiting', dueAt: null });
      }
      return released;
    });
    return { state: 'done', answer: { position: found.position, keys } };
  }

  async #discard({ worker, store }: Held, request: OwnerRequest): Promise<OwnerAnswer> {
    const found = await this.#find(request.parkedId);
    if (found === null) return refused({ reason: `there is no parked event ${request.parkedId}` });
    if (!request.reason || !request.actor) {
      const missing = request.reason ? 'the name of who decides' : 'a reason';
      throw new FactlineError('DISCARD_NEEDS_REASON', { id: request.parkedId, missing });
    }
    const answer = {
      position: found.position,
      eventId: found.eventId,
      by: request.actor,
      reason: request.reason,
    };
    const keys = await worker.between(async () => {
      const gone = await store.discard(found.position, { id: request.id, answer });
      await worker.refreshHeads(gone);
      return gone;
    });
    this.#services.telemetry.emit('quarantine.discarded', {
      consumer: this.#services.consumer.name,
      id: request.parkedId,
      eventId: found.eventId,
      by: request.actor,
      reason: request.reason,
    });
    return { state: 'done', answer: { ...answer, keys } };
  }

  async #rebuild(request: OwnerRequest): Promise<OwnerAnswer> {
    const wishes = wishesOf(request);
    if (wishes === null) return refused({ reason: 'shards, ceiling or switching is not usable' });
    const begun = await beginRebuild({
      services: this.#services,
      definition: this.#projection,
      projectionClass,
      wishes,
    });
    return { state: 'done', answer: { ...begun } };
  }

  async #find(id: number | null): Promise<Awaited<ReturnType<typeof findParked>>> {
    const found = id === null ? null : await findParked(this.#services.database.operations, id);
    return found?.consumerId === this.#services.consumer.id ? found : null;
  }
}

const refused = (answer: OwnerAnswer['answer']): OwnerAnswer => ({ state: 'refused', answer });

const createProjectionRunner = (definition: ConsumerDefinition, services: RunnerServices): ConsumerRunner =>
  new ProjectionRunner(definition as Projection, services);

/** Null when it asks for what cannot be. */
const wishesOf = ({ arguments: given, actor, reason }: OwnerRequest): BuildWishes | null => {
  const { shards = null, ceiling = null, switching = 'automatic' } = given;
  const isCount = (value: unknown, max: number): value is number | null =>
    value === null || (Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= max);
  if (!isCount(shards, shardsMax) || !isCount(ceiling, 1_000_000)) return null;
  if (switching !== 'automatic' && switching !== 'manual') return null;
  return { shards, ceiling, switching, by: actor, reason };
};

/** What the shared engine needs of this class. */
export const projectionClass: ConsumerClass = {
  createRunner: createProjectionRunner,
  prepare: prepareBuild,
  rename: renameBuild,
  lanesToFill: (definition, head) => shardsFor(definition, { head, wanted: null }),
};
