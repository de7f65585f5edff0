import type { EventContract } from '../contracts/index.ts';
import {
  type Clock,
  Lifecycle,
  type Randomness,
  Signal,
  type Startable,
  type Telemetry,
  withDeadline,
} from '../foundation/index.ts';
import type { Tail } from '../log/index.ts';
import type { Database, Queryable } from '../postgres/index.ts';
import { LiveDelays } from './ceiling/index.ts';
import { type ConsumerClasses, classOf } from './consumer-class.ts';
import { ConsumerUnit } from './consumer-unit.ts';
import type { ConsumerDefinition } from './definition.ts';
import { Looker } from './looking.ts';
import { Membership } from './membership/membership.ts';
import type { Chore } from './membership/picture.ts';
import { runningCode } from './membership/running-code.ts';
import { type Registration, registerConsumers, rereadRegistrations } from './registration/register.ts';
import type { AppIdentity, RegisteredConsumer, RunnerProgress, RunnerServices, TestStep } from './runner.ts';

export interface ConsumerEngineOptions {
  readonly database: Database;
  readonly tail: Tail;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly definitions: readonly ConsumerDefinition[];
  /** Every contract of the app, those included that it only publishes: told to others when this process joins. */
  readonly contracts: readonly EventContract[];
  readonly app: AppIdentity;
  readonly classes: ConsumerClasses;
  /** Reached at every step that the crash explorer can stop at. */
  readonly testStep?: TestStep;
}

/** One consumer as this process works it. */
export interface RunningConsumer {
  readonly consumer: RegisteredConsumer;
  readonly definition: ConsumerDefinition;
  readonly progress: RunnerProgress;
}

/**
 * The consumers of one process: registers them, keeps this process among the living, and works its share of their lanes.
 * `start` resolves when the lanes that are free are being worked; the tail must be started before, and stopped after.
 * `stop` finishes what is in flight and gives all lanes back.
 */
export interface ConsumerEngine extends Startable {
  /**
   * Finds or makes what is stored for the consumers; idempotent. Call it before the first publish, so that a consumer
   * that begins 'now' misses nothing.
   * @throws FactlineError CONSUMER_INVALID, CONSUMER_OF_ANOTHER_APP, PROJECTION_CHANGED_WITHOUT_VERSION, LOG_COMPACTED
   */
  register(): Promise<void>;
  /** Resolves when everything committed before the call is handled or parked in the lanes of this process. */
  idle(): Promise<void>;
  /** Events handled by this process since it started. */
  handled(): number;
  /** What the runners of this process know, one for each consumer (each build of a projection). */
  running(): readonly RunningConsumer[];
  /** For which the last heartbeat has found work, so that an idle process asks no further; at most two seconds old. */
  chores(): ReadonlySet<Chore>;
  /** Looks for work that is due by the database's clock at once, instead of at the next heartbeat. */
  lookForDueWork(): Promise<void>;
}

export const createConsumerEngine = (options: ConsumerEngineOptions): ConsumerEngine => new Engine(options);

/** Channel of wake-ups: a request was made, a lane released, something registered. */
export const requestChannel = 'factline_requests';
const heartbeatMs = 2_000;
/** Looks are at least this far apart, whatever wakes them. */
const lookSpacingMs = 20;
/** A failed look is tried again after this long. */
const failedLookMs = 500;
/** Without the direct session there is nothing to look at; no statement is sent. */
const disconnectedMs = 100;
const doubtEveryMs = 1_000;
const sessionLockMsMax = 30_000;

class Engine extends Lifecycle implements ConsumerEngine {
  readonly #options: ConsumerEngineOptions;
  readonly #wake: Signal;
  readonly #units = new Map<number, ConsumerUnit>();
  readonly #liveDelays = new LiveDelays();
  /** Units of consumers that were retired, until their last step has ended. */
  readonly #leaving = new Set<ConsumerUnit>();
  #registering: Promise<readonly Registration[]> | undefined;
  #membership: Membership | undefined;
  #looker: Looker | undefined;
  #looking: Promise<number | null> | undefined;
  #looks: Promise<void> = Promise.resolve();
  /** Ends with the last step of a stop: also who stops has to know when its lanes are lost, or waits for a database that is away. */
  #watching = new AbortController();
  #watch: Promise<void> = Promise.resolve();
  #forget: (() => void)[] = [];

  constructor(options: ConsumerEngineOptions) {
    super('the consumer engine');
    this.#options = options;
    this.#wake = new Signal(options.clock);
  }

  async register(): Promise<void> {
    await this.#registrations();
  }

  handled(): number {
    return this.running().reduce((sum, { progress }) => sum + progress.handled, 0);
  }

  running(): readonly RunningConsumer[] {
    return [...this.#units.values()].map(({ registration: { consumer, definition }, runner }) => ({
      consumer,
      definition,
      progress: runner.progress(),
    }));
  }

  async idle(): Promise<void> {
    const { tail } = this.#options;
    await tail.whenSettled(await tail.barrier(), { signal: this.stopSignal });
    await this.#stepsEnded();
    // Twice: what one of them routes may begin in another.
    for (let round = 0; round < 2; round += 1)
      await Promise.all([...this.#units.values()].map(({ runner }) => runner.idle()));
  }

  chores(): ReadonlySet<Chore> {
    return this.#looker?.chores ?? new Set();
  }

  async lookForDueWork(): Promise<void> {
    if (this.state === 'running' && this.#looker !== undefined) await this.#look();
  }

  protected async onStart(signal: AbortSignal): Promise<void> {
    const registrations = await this.#registrations();
    const { database, tail, telemetry, clock, definitions, contracts } = this.#options;
    // A process that only publishes joins as well: others see which contracts it runs.
    if (registrations.length === 0 && contracts.length === 0) return;
    const code = runningCode(definitions, contracts);
    const membership = await Membership.join({ ...this.#options, code, session: tail.session });
    this.#membership = membership;
    await this.#holdSessionLock(membership, signal);
    this.#looker = new Looker({
      database,
      tail,
      telemetry,
      clock,
      membership,
      units: this.#units,
      refresh: () => this.#refresh(),
      look: () => this.#wake.fire(),
      testStep: this.#options.testStep,
    });
    this.#watching = new AbortController();
    this.#watch = this.#doubtLoop(this.#watching.signal);
    this.#adopt(registrations);
    telemetry.emit('process.joined', { processId: membership.id, incarnation: membership.incarnation });
    await this.#firstLook();
    if (this.#looker.accompanied) await membership.announce();
    this.#looks = this.#lookLoop(signal);
  }

  protected async onStop(): Promise<void> {
    await this.#looks;
    const releasing = new AbortController();
    const beats = this.#beatLoop(releasing.signal);
    await this.#stepsEnded();
    for (const unit of this.#units.values()) {
      const lanes = [...unit.leases.values()];
      if (lanes.length > 0) unit.release(lanes);
    }
    await this.#stepsEnded();
    releasing.abort();
    await beats;
    this.#units.clear();
    await this.#leave();
    this.#watching.abort();
    await this.#watch;
    for (const forget of this.#forget) forget();
    this.#forget = [];
    this.#looker = undefined;
  }

  /** Registered once for all starts; a failed registration is tried again at the next call. */
  #registrations(): Promise<readonly Registration[]> {
    this.#registering ??= registerConsumers(this.#options).catch((error: unknown) => {
      this.#registering = undefined;
      throw error;
    });
    return this.#registering;
  }

  async #holdSessionLock(membership: Membership, signal: AbortSignal): Promise<void> {
    const { clock, tail } = this.#options;
    const held = Promise.withResolvers<void>();
    const hold = async (client: Queryable): Promise<void> => {
      await membership.holdSessionLock(client);
      held.resolve();
      this.#wake.fire();
    };
    this.#forget.push(
      tail.session.onConnect(hold),
      tail.session.onLost(() => this.#looker?.doubt()),
      tail.session.listen(requestChannel, () => this.#wake.fire()),
    );
    await withDeadline(held.promise, {
      ms: sessionLockMsMax,
      clock,
      signal,
      stage: 'the session lock of this process',
    });
  }

  /** Lanes left over from a stopped process are taken at once; `start` waits until they are worked. */
  async #firstLook(): Promise<void> {
    let again = await this.#look();
    // A registration that was changed in between is read again, then looked at again; more often it is the loop's work.
    if (again === 0) again = await this.#look();
    await this.#stepsEnded();
    const failure = [...this.#units.values()].find((unit) => unit.takeFailure !== null)?.takeFailure;
    if (failure) throw failure.error;
  }

  /** One look at a time; whoever asks during one waits for the next. */
  async #look(): Promise<number | null> {
    while (this.#looking !== undefined) await this.#looking.catch(() => undefined);
    this.#looking = (this.#looker as Looker).look();
    try {
      return await this.#looking;
    } finally {
      this.#looking = undefined;
    }
  }

  async #lookLoop(signal: AbortSignal): Promise<void> {
    const { clock, tail } = this.#options;
    let waitMs = heartbeatMs;
    while (!signal.aborted) {
      await this.#wake.wait(waitMs, signal);
      await clock.sleep(lookSpacingMs, signal);
      if (signal.aborted) return;
      if (!tail.session.connected) {
        waitMs = disconnectedMs;
        continue;
      }
      try {
        waitMs = Math.min((await this.#look()) ?? heartbeatMs, heartbeatMs);
      } catch (error) {
        this.#options.telemetry.emit('engine.error', { unit: 'the heartbeat', error });
        waitMs = failedLookMs;
      }
    }
  }

  /** While lanes are given back: others shall not take this process for dead. */
  async #beatLoop(signal: AbortSignal): Promise<void> {
    const { clock, tail, telemetry } = this.#options;
    while (!signal.aborted) {
      await clock.sleep(heartbeatMs, signal);
      if (signal.aborted || !tail.session.connected) continue;
      await this.#looker
        ?.beat()
        .catch((error: unknown) => telemetry.emit('engine.error', { unit: 'the heartbeat', error }));
    }
  }

  /** By a timer of its own: a heartbeat that hangs must not keep a process working. */
  async #doubtLoop(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#options.clock.sleep(doubtEveryMs, signal);
      if (signal.aborted) return;
      this.#looker?.doubt();
      this.#looker?.severDeaf();
    }
  }

  async #refresh(): Promise<void> {
    const registrations = await rereadRegistrations(this.#options.database.operations, this.#options);
    const ids = new Set(registrations.map(({ consumer }) => consumer.id));
    for (const [id, unit] of this.#units) {
      if (ids.has(id)) continue;
      this.#units.delete(id);
      this.#leaving.add(unit);
      unit.release([...unit.leases.values()]);
      void unit.settled().then(() => this.#leaving.delete(unit));
    }
    this.#adopt(registrations);
  }

  #adopt(registrations: readonly Registration[]): void {
    for (const registration of registrations) {
      const unit = this.#units.get(registration.consumer.id);
      if (unit === undefined) this.#units.set(registration.consumer.id, this.#makeUnit(registration));
      else unit.update(registration);
    }
  }

  #makeUnit(registration: Registration): ConsumerUnit {
    const { database, telemetry, tail, classes, testStep } = this.#options;
    const look = (): void => this.#wake.fire();
    const settled = (): number => tail.settled;
    const unit = new ConsumerUnit({ registration, database, telemetry, settled, look, testStep });
    const services = this.#services(registration.consumer, (lane) => {
      unit.drop([lane]);
      look();
    });
    unit.attach(classOf(classes, registration.definition).createRunner(registration.definition, services));
    return unit;
  }

  #services(consumer: RegisteredConsumer, onLeaseLost: (lane: number) => void): RunnerServices {
    const { database, tail, telemetry, clock, randomness, app, testStep } = this.#options;
    const { id, incarnation } = this.#membership as Membership;
    const process = { id, incarnation };
    const shared = {
      database,
      tail,
      telemetry,
      liveDelays: this.#liveDelays,
      clock,
      randomness,
      app,
      process,
      consumer,
      onLeaseLost,
    };
    return testStep === undefined ? shared : { ...shared, testStep };
  }

  async #stepsEnded(): Promise<void> {
    await Promise.all([...this.#units.values(), ...this.#leaving].map((unit) => unit.settled()));
  }

  /** The row goes only after the lanes: who still owns some shall be found. */
  async #leave(): Promise<void> {
    const membership = this.#membership;
    this.#membership = undefined;
    if (membership === undefined) return;
    const { telemetry } = this.#options;
    try {
      await membership.leave();
      telemetry.emit('process.left', { processId: membership.id, incarnation: membership.incarnation });
    } catch (error) {
      // The session lock ends with the connection: others see that this process is gone.
      telemetry.emit('engine.error', { unit: 'leaving', error });
    }
  }
}
