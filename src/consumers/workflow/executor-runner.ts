import { Background, keyHash, laneOf, Signal, type Timer } from '../../foundation/index.ts';
import { contractSetOf } from '../definition.ts';
import type {
  ConsumerRunner,
  LaneLease,
  OwnerAnswer,
  OwnerRequest,
  Pause,
  RunnerProgress,
  RunnerServices,
} from '../runner.ts';
import { Execution } from './execution.ts';
import type { Departure, ExecutionServices, HeldLane } from './execution-services.ts';
import { flusherOf } from './flusher.ts';
import { hubOf, type Reservation, type WorkflowHub } from './hub.ts';
import type { LoadedInstance } from './instance.ts';
import { InstanceStore, type Taken } from './instance-store.ts';
import { Mailbox } from './mailbox.ts';
import { Suspects } from './suspects.ts';
import { Verbs } from './verbs.ts';
import type { ExecutorDefinition } from './versions.ts';

/** How long lanes that are given back, and acts of people, wait for steps that run; then these are given up, uncounted. */
const releaseGraceMs = 5_000;
const failedLoadMs = 1_000;
const touchedMs = 20;
/** Waits end with a signal; this is only the net below it. */
const lookMs = 200;
/** The database's clock decides; a timer of ours may be a little early. */
const timerSlackMs = 1;

/*
 * Runs the instances of one version of a workflow on the lanes that this process holds.
 *
 *   due (start, moment, mail, act) ──► load, as many as there are slots ──► Execution ──► departs: resting, ended, frozen
 *       ▲ one timer for the next moment of all lanes                            │
 *       └───────────────────────────────────────────────────────────────────────┘
 *
 * Nothing of a sleeping or waiting instance is in memory. What may have ended the process that had it in memory: suspects.ts.
 */
export class ExecutorRunner implements ConsumerRunner {
  readonly actsSideBySide = true;
  readonly #services: RunnerServices;
  readonly #definition: ExecutorDefinition;
  readonly #execution: ExecutionServices;
  readonly #lanes = new Map<number, HeldLane>();
  readonly #store: InstanceStore;
  readonly #hub: WorkflowHub;
  readonly #verbs: Verbs;
  readonly #atWork = new Map<number, Execution>();
  readonly #suspects: Suspects;
  readonly #background: Background;
  readonly #changed: Signal;
  #laneCount = 1;
  /** Slots that are kept for instances that are just being started here. They end with the lane: who starts one may never answer. */
  readonly #starting = new Set<{ readonly key: string; readonly held: HeldLane }>();
  #handled = 0;
  #pause: Pause | null = null;
  #releasing = new Set<number>();
  #loading = false;
  #loadAgain = false;
  #timer: Timer | null = null;
  #timerAtMs = Number.POSITIVE_INFINITY;
  /** Loads come one after the other. */
  #serial: Promise<unknown> = Promise.resolve();
  /** The instances that acts of people are about: each stays out of memory until the latest act on it has ended. */
  readonly #actedOn = new Map<number, Promise<void>>();

  constructor(definition: ExecutorDefinition, services: RunnerServices) {
    this.#services = services;
    this.#definition = definition;
    const { workflow } = definition;
    this.#execution = {
      runner: services,
      workflow,
      contracts: contractSetOf(workflow),
      flusher: flusherOf(services),
      mailbox: new Mailbox(services),
    };
    this.#store = new InstanceStore(services, {
      lanes: () => [...this.#lanes.values()].filter(({ lane }) => !this.#releasing.has(lane)),
      laneCount: () => this.#laneCount,
    });
    this.#suspects = new Suspects({
      services,
      store: this.#store,
      unit: `a suspect of ${definition.name}`,
      freeSlots: () => this.#free,
      isAtWork: (id) => this.#atWork.has(id),
      run: (instances) => this.#runSuspects(instances),
    });
    this.#changed = new Signal(services.clock);
    const unit = `the workflow ${definition.name}`;
    this.#background = new Background((error) => services.telemetry.emit('engine.error', { unit, error }));
    this.#hub = hubOf(services.database);
    this.#hub.register({
      consumerId: services.consumer.id,
      name: definition.name,
      reserve: (key) => this.#reserve(key),
      wake: (instances) => this.#wake(instances),
      has: (id) => this.#atWork.has(id),
      alone: () => this.#lanes.size === this.#laneCount,
    });
    this.#verbs = new Verbs(services, workflow, {
      laneOf: (keyHash) => this.#lanes.get(laneOf(keyHash, this.#laneCount)),
      apart: (id, hurry, work) => this.#apart(id, hurry, work),
    });
  }

  async take(leases: readonly LaneLease[]): Promise<void> {
    this.#laneCount = leases[0]?.laneCount ?? 1;
    for (const { lane, token } of leases) {
      this.drop([lane]);
      this.#lanes.set(lane, { lane, token, dropped: false });
    }
    await this.#store.wakeEarly(leases.map(({ lane }) => lane));
    const unclean = leases.filter(({ clean }) => !clean).map(({ lane }) => lane);
    if (unclean.length > 0) {
      for (const { id, keyHash, begunBefore } of await this.#store.suspects(unclean)) {
        const held = this.#lanes.get(laneOf(keyHash, this.#laneCount));
        if (held !== undefined) this.#suspects.add({ id, held, alone: begunBefore });
      }
      this.#background.run(() => this.#suspects.run().then(() => this.#load()));
    }
    this.#load();
  }

  async release(lanes: readonly number[]): Promise<void> {
    for (const lane of lanes) this.#releasing.add(lane);
    await this.#serial;
    const leaving = [...this.#atWork.values()].filter(({ lane }) => lanes.includes(lane.lane));
    try {
      await Promise.all(leaving.map((execution) => this.#letGo(execution, false)));
    } finally {
      this.#forget(lanes);
      for (const lane of lanes) this.#releasing.delete(lane);
    }
    if (this.#lanes.size === 0) this.#timer?.cancel();
  }

  drop(lanes: readonly number[]): void {
    for (const lane of lanes) {
      const held = this.#lanes.get(lane);
      if (held === undefined) continue;
      held.dropped = true;
      for (const execution of [...this.#atWork.values()]) if (execution.lane === held) execution.drop();
    }
    this.#forget(lanes);
  }

  pause(pause: Pause | null): void {
    this.#pause = pause;
    if (pause === null) this.#load();
  }

  due(): void {
    this.#load();
    for (const execution of this.#atWork.values()) execution.look();
  }

  carryOut(request: OwnerRequest): Promise<OwnerAnswer> {
    return this.#verbs.carryOut(request).finally(() => this.#load());
  }

  progress(): RunnerProgress {
    const atWork = [...this.#atWork.values()];
    return {
      lanes: [...this.#lanes.values()].map(({ lane }) => ({
        lane,
        checkpoint: this.#services.consumer.startPosition,
        readUpTo: this.#services.consumer.startPosition,
        inFlight: atWork.filter((execution) => execution.lane.lane === lane).length,
        waiting: 0,
      })),
      handled: this.#handled,
      hottestKey: null,
      reasons: this.#pause === null ? [] : [`paused by ${this.#pause.by}: ${this.#pause.reason}`],
    };
  }

  async idle(): Promise<void> {
    while (this.#lanes.size > 0) {
      if (this.#atWork.size === 0 && !this.#loading && this.#suspects.size === 0) {
        if (this.#pause !== null || !(await this.#store.isDue([]))) return;
        this.#load();
      }
      await this.#changed.wait(lookMs);
    }
  }

  /** Out of memory, with what has happened on record; what does not end is given up. */
  async #letGo(execution: Execution, hurry: boolean): Promise<boolean> {
    const grace = this.#services.clock.timer(releaseGraceMs, () => execution.abandon());
    try {
      return await execution.freeze({ hurry });
    } finally {
      grace.cancel();
    }
  }

  /** Acts on one instance come one after the other, those on many wait side by side for what these run. */
  async #apart<T>(id: number, hurry: boolean, work: (settled: boolean) => Promise<T>): Promise<T> {
    const before = this.#actedOn.get(id);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#actedOn.set(id, promise);
    this.#touched.add(id);
    await before;
    try {
      const execution = this.#atWork.get(id);
      return await work(execution !== undefined && (await this.#letGo(execution, hurry)));
    } finally {
      if (this.#actedOn.get(id) === promise) this.#actedOn.delete(id);
      resolve();
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#serial.then(work);
    this.#serial = done.catch(() => undefined);
    return done;
  }

  get #free(): number {
    return this.#definition.workflow.concurrency - this.#atWork.size - this.#starting.size;
  }

  #reserve(key: string): Reservation | null {
    const held = this.#lanes.get(laneOf(keyHash(key), this.#laneCount));
    if (held === undefined || this.#releasing.has(held.lane) || this.#pause !== null || this.#free <= 0)
      return null;
    const place = { key, held };
    this.#starting.add(place);
    return {
      give: (instance) => {
        const isTaken = this.#atWork.has(instance.id) || this.#actedOn.has(instance.id);
        if (!this.#starting.delete(place) || this.#releasing.has(held.lane) || isTaken) return;
        this.#begin(instance, held);
      },
      cancel: () => void this.#starting.delete(place),
    };
  }

  #wake(instances: readonly number[]): void {
    for (const id of instances) this.#atWork.get(id)?.look();
    this.#load();
  }

  /** Looks for what is due; a call during a look has another one follow. */
  #load(): void {
    if (this.#loading) {
      this.#loadAgain = true;
      return;
    }
    if (this.#lanes.size === 0 || this.#pause !== null) return;
    this.#loading = true;
    this.#timer?.cancel();
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    this.#background.run(async () => {
      try {
        do {
          this.#loadAgain = false;
          await this.#inTurn(() => this.#loadOnce());
        } while (this.#loadAgain);
      } catch (error) {
        this.#expect(failedLoadMs);
        throw error;
      } finally {
        this.#loading = false;
        this.#changed.fire();
      }
    });
  }

  async #loadOnce(): Promise<void> {
    const waiting = [...this.#atWork.values()].filter((execution) => execution.waits);
    const fallen = await this.#store.fallDue(waiting.map(({ instance }) => instance.id));
    for (const [id, rows] of Map.groupBy(fallen, ({ instance }) => instance))
      this.#atWork.get(id)?.fallDue(rows.filter(({ undo }) => !undo).map(({ ordinal }) => ordinal));
    const limit = this.#free;
    if (limit <= 0) {
      this.#fullAtLastLook = true;
      return;
    }
    const not = [...this.#atWork.keys(), ...this.#suspects.ids, ...this.#actedOn.keys()];
    const { full, nextMs } = await this.#take({ not, limit }, (instance, held) =>
      this.#begin(instance, held),
    );
    this.#fullAtLastLook = full;
    if (nextMs !== null) this.#expect(nextMs);
  }

  /** Whether more was due than there were slots. */
  #fullAtLastLook = false;

  /**
   * Takes what is due. What was at work here since the question was asked, or is being started, is left out: the answer may be
   * older than what it has recorded meanwhile. It is asked for again.
   */
  async #take(
    request: Parameters<InstanceStore['takeDue']>[0],
    adopt: (instance: LoadedInstance, held: HeldLane) => void,
  ): Promise<Taken> {
    const lanes = new Map(this.#lanes);
    const starting = (key: string): boolean => [...this.#starting].some((place) => place.key === key);
    this.#touched = new Set(this.#atWork.keys());
    const taken = await this.#store.takeDue(request);
    for (const instance of taken.instances) {
      const lane = laneOf(instance.keyHash, this.#laneCount);
      const held = this.#lanes.get(lane);
      if (held === undefined || held.dropped || held !== lanes.get(lane)) continue;
      const isKnown = this.#touched.has(instance.id) || starting(instance.key);
      if (isKnown) this.#expect(touchedMs);
      else adopt(instance, held);
    }
    return taken;
  }

  /** At work here since the last look at the table began. */
  #touched = new Set<number>();

  #begin(instance: LoadedInstance, lane: HeldLane, suspect?: { readonly survived: () => void }): void {
    const execution = new Execution(this.#execution, {
      instance,
      lane,
      suspect: suspect !== undefined,
      listener: {
        onDeparture: (departure) => this.#departed(execution, departure),
        onExpect: (dueMs) => this.#expect(dueMs),
        onSurvived: () => suspect?.survived(),
      },
    });
    this.#atWork.set(instance.id, execution);
    this.#touched.add(instance.id);
    this.#measure();
    execution.begin();
  }

  #departed(execution: Execution, departure: Departure): void {
    const { id } = execution.instance;
    if (this.#atWork.get(id) === execution) this.#atWork.delete(id);
    this.#handled += 1;
    this.#measure();
    const { metrics } = this.#services.telemetry;
    const workflow = this.#definition.workflow.name;
    if (departure.kind === 'ended') {
      metrics.count('factline_workflow_instances_total', { workflow, state: departure.state });
      const { kind: _, ...end } = departure;
      this.#hub.ended({ id, ...end });
    } else if (departure.kind === 'resting') {
      metrics.count('factline_workflow_instances_total', { workflow, state: 'waiting' });
      if (departure.dueMs !== null) this.#expect(departure.dueMs);
    } else if (departure.kind === 'lost' && !execution.lane.dropped) {
      this.#services.onLeaseLost(execution.lane.lane);
    }
    // What is stored goes on, but not at once: whatever made it so may last.
    if (departure.kind === 'stale') this.#expect(failedLoadMs);
    if (this.#fullAtLastLook) this.#load();
    this.#changed.fire();
  }

  /** Another look after so many milliseconds, unless one comes before. */
  #expect(ms: number): void {
    const { clock } = this.#services;
    const atMs = clock.monotonic() + ms + timerSlackMs;
    if (atMs >= this.#timerAtMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = atMs;
    const look = (): void => {
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      this.#load();
    };
    this.#timer = clock.timer(ms + timerSlackMs, look, { unref: true });
  }

  async #runSuspects(instances: readonly number[]): Promise<void> {
    while (instances.some((id) => this.#actedOn.has(id)))
      await Promise.all(instances.map((id) => this.#actedOn.get(id)));
    const survived: Promise<void>[] = [];
    const request = { not: [...this.#actedOn.keys()], limit: instances.length, only: instances };
    await this.#inTurn(() =>
      this.#take(request, (instance, lane) => {
        const { promise, resolve } = Promise.withResolvers<void>();
        survived.push(promise);
        this.#begin(instance, lane, { survived: resolve });
      }),
    );
    await Promise.all(survived);
  }

  #forget(lanes: readonly number[]): void {
    for (const lane of lanes) this.#lanes.delete(lane);
    for (const place of this.#starting) if (lanes.includes(place.held.lane)) this.#starting.delete(place);
    this.#suspects.forget(lanes);
    this.#changed.fire();
  }

  #measure(): void {
    const { metrics } = this.#services.telemetry;
    metrics.set('factline_workflow_at_work', { workflow: this.#definition.workflow.name }, this.#atWork.size);
  }
}
