import { FactlineError, retryDelayMs, type Timer } from '../../foundation/index.ts';
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
import { beginRebuild, dropOutdated, prepareBuild, relationOf, switchBuild } from './builds.ts';
import type { FoldingProjection, Projection } from './definition.ts';
import { FoldWriter } from './fold-writer.ts';
import { LaneStore } from './lane-store.ts';
import { LaneWorker } from './lane-worker.ts';
import { ParkedKeys } from './parked-keys.ts';
import { releaseEvents, restoreEvent } from './parked-requests.ts';
import { reachedPositions } from './reached.ts';
import type { SqlProjection } from './sql-definition.ts';
import { SqlWriter } from './sql-writer.ts';

/** A switch that was refused (behind, or the view is being read) is tried again after a while, without a limit. */
const switchRetry = {
  attempts: Number.POSITIVE_INFINITY,
  baseMs: 50,
  factor: 2,
  capMs: 5000,
  jitter: 'equal',
} as const;

interface Held {
  readonly worker: LaneWorker;
  readonly parked: ParkedKeys;
  readonly store: LaneStore;
  readonly relation: string;
}

/** One build of a projection in this process. */
class ProjectionRunner implements ConsumerRunner {
  readonly #projection: Projection;
  readonly #services: RunnerServices;
  #held: Held | null = null;
  #handledBefore = 0;
  #pause: Pause | null = null;
  #waiters = new Set<() => void>();
  /** Fed but not read: looks for the moment at which it may take the view over. */
  #building = false;
  #switchFailures = 0;
  #switchTimer: Timer | null = null;
  #switching: Promise<void> | null = null;
  #startedAt = 0;
  #obstacle: string | null = null;

  constructor(projection: Projection, services: RunnerServices) {
    this.#projection = projection;
    this.#services = services;
  }

  async take(leases: readonly LaneLease[]): Promise<void> {
    const [lease] = leases;
    if (lease === undefined) return;
    const services = this.#services;
    const relation = await relationOf(services.database.operations, services.consumer);
    const store = new LaneStore(services, lease);
    const { state } = await store.readState();
    const parked = new ParkedKeys();
    const worker = new LaneWorker({
      projection: this.#projection,
      store,
      parked,
      services,
      writer: this.#writer({ relation, store, parked }),
      onProgress: () => this.#progressed(),
    });
    worker.pause(this.#pause !== null);
    this.#building = state === 'building';
    this.#startedAt = services.clock.monotonic();
    this.#held = { worker, parked, store, relation };
    await worker.start();
    if (state === 'live') void dropOutdated(services.database, services.consumer).catch(() => undefined);
  }

  async release(): Promise<void> {
    const held = this.#held;
    this.#stopSwitching();
    await held?.worker.stop();
    await this.#switching;
    this.#forget(held);
  }

  drop(): void {
    const held = this.#held;
    this.#stopSwitching();
    held?.worker.drop();
    this.#forget(held);
  }

  pause(pause: Pause | null): void {
    this.#pause = pause;
    this.#held?.worker.pause(pause !== null);
  }

  due(): void {
    this.#held?.parked.markDue();
    this.#held?.worker.wake();
  }

  async carryOut(request: OwnerRequest): Promise<OwnerAnswer> {
    const held = this.#held;
    if (held === null) return refused({ reason: 'this process does not work the projection' });
    switch (request.verb) {
      case 'retry':
        return this.#retry(held, request);
      case 'discard':
        return this.#discard(held, request);
      case 'release':
        return releaseEvents({ ...held, services: this.#services }, request);
      case 'restore':
        return restoreEvent({ ...held, services: this.#services }, request);
      case 'rebuild':
        return this.#rebuild();
      default:
        return refused({ reason: `a projection does not know the verb ${request.verb}` });
    }
  }

  progress(): RunnerProgress {
    const worker = this.#held?.worker;
    const reasons: string[] = [];
    if (worker?.reason) reasons.push(worker.reason);
    if (this.#building)
      reasons.push(`build ${this.#services.consumer.build} is being filled; the view shows an earlier one`);
    if (this.#obstacle !== null) reasons.push(this.#obstacle);
    return {
      lanes: worker === undefined ? [] : [worker.progress],
      handled: this.#handledBefore + (worker?.handled ?? 0),
      hottestKey: null,
      reasons,
    };
  }

  async idle(): Promise<void> {
    const target = this.#services.tail.settled;
    const done = (): boolean => {
      const worker = this.#held?.worker;
      return worker === undefined || (worker.reached >= target && worker.drained);
    };
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

  #progressed(): void {
    const worker = this.#held?.worker;
    if (worker === undefined) return;
    reachedPositions(this.#services.database).set(this.#services.consumer.id, worker.reached);
    this.#wakeWaiters();
    if (this.#building) this.#considerSwitch(worker);
  }

  #wakeWaiters(): void {
    const waiters = this.#waiters;
    this.#waiters = new Set();
    for (const wake of waiters) wake();
  }

  #forget(held: Held | null): void {
    if (held === null || this.#held !== held) return;
    this.#handledBefore += held.worker.handled;
    this.#held = null;
    reachedPositions(this.#services.database).forget(this.#services.consumer.id);
    this.#wakeWaiters();
  }

  #considerSwitch(worker: LaneWorker): void {
    if (this.#switching !== null || this.#switchTimer !== null) return;
    if (worker.reached < this.#services.tail.settled) return;
    this.#switching = this.#switch().finally(() => {
      this.#switching = null;
    });
  }

  async #switch(): Promise<void> {
    const held = this.#held;
    if (held === null) return;
    const { services, relation } = { services: this.#services, relation: held.relation };
    try {
      await services.testStep?.('projection.before-switch');
      const outcome = await held.worker.between(async () => {
        await held.worker.flush();
        const { lease } = held.worker;
        const build = { definition: this.#projection, relation, lease, position: held.worker.position };
        return switchBuild(services, build);
      });
      await services.testStep?.('projection.after-switch');
      if (outcome === 'behind') return this.#switchLater();
      this.#building = false;
      this.#obstacle = null;
      if (outcome === 'switched') this.#tell(held);
      await dropOutdated(services.database, services.consumer).catch(() => undefined);
    } catch (error) {
      if (FactlineError.is(error, 'STOPPED') || FactlineError.is(error, 'LEASE_LOST')) return;
      this.#obstacle = `the view could not be moved to build ${services.consumer.build}: ${(error as Error).message}`;
      services.telemetry.emit('engine.error', { unit: `the switch of ${services.consumer.name}`, error });
      this.#switchLater();
    }
  }

  #switchLater(): void {
    this.#switchFailures += 1;
    const { clock, randomness } = this.#services;
    const delay = retryDelayMs(switchRetry, this.#switchFailures, randomness);
    this.#switchTimer = clock.timer(
      delay,
      () => {
        this.#switchTimer = null;
        this.#progressed();
      },
      { unref: true },
    );
  }

  #stopSwitching(): void {
    this.#switchTimer?.cancel();
    this.#switchTimer = null;
  }

  #tell({ worker }: Held): void {
    const { telemetry, consumer, clock } = this.#services;
    telemetry.emit('projection.rebuilt', {
      consumer: consumer.name,
      build: consumer.build,
      events: worker.handled,
      durationMs: Math.round(clock.monotonic() - this.#startedAt),
    });
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

  async #rebuild(): Promise<OwnerAnswer> {
    if (this.#building) return refused({ reason: 'this build is being filled itself' });
    const build = await beginRebuild({
      services: this.#services,
      definition: this.#projection,
      projectionClass,
    });
    return { state: 'done', answer: { build } };
  }

  async #find(id: number | null): Promise<Awaited<ReturnType<typeof findParked>>> {
    const found = id === null ? null : await findParked(this.#services.database.operations, id);
    return found?.consumerId === this.#services.consumer.id ? found : null;
  }
}

const refused = (answer: OwnerAnswer['answer']): OwnerAnswer => ({ state: 'refused', answer });

const createProjectionRunner = (definition: ConsumerDefinition, services: RunnerServices): ConsumerRunner =>
  new ProjectionRunner(definition as Projection, services);

/** What the shared engine needs of this class. */
export const projectionClass: ConsumerClass = { createRunner: createProjectionRunner, prepare: prepareBuild };
