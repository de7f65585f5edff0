import { Background, FactlineError, type Telemetry } from '../foundation/index.ts';
import { classifyDatabaseError, type Database } from '../postgres/index.ts';
import { releaseLanes, type TakenLane } from './lanes/lane-store.ts';
import type { Holding, LaneRef } from './lanes/plan-lanes.ts';
import type { Registration } from './registration/register.ts';
import {
  type ConsumerRunner,
  type HeldPart,
  type LaneLease,
  noBarrier,
  type OwnerRequest,
  type Pause,
  type TestStep,
} from './runner.ts';
import { reachStep } from './steps.ts';

export interface ConsumerUnitOptions {
  readonly registration: Registration;
  readonly database: Database;
  readonly telemetry: Telemetry;
  /** What this process may know is settled at a takeover. */
  readonly settled: () => number;
  /** A step has ended, or a lease was lost: the engine should look again. */
  readonly look: () => void;
  readonly testStep: TestStep | undefined;
}

/** How a request ended, for its row. */
export interface Answered {
  readonly state: 'done' | 'refused';
  readonly answer: Readonly<Record<string, unknown>>;
}

/**
 * One consumer in this process: its runner, the leases it holds, and the order of steps. `take`, `release` and `carryOut`
 * of the runner run one after the other (acts beside one another, where the runner can), in the background, so that a handler that
 * takes a minute to finish holds up neither the heartbeat nor other consumers. `drop` comes in between at any time; a lease dropped while it is being
 * taken or released is simply no longer in `#leases`.
 */
export class ConsumerUnit {
  readonly #options: ConsumerUnitOptions;
  readonly #background: Background;
  readonly #leases = new Map<number, LaneLease>();
  /** Why the runner could not begin to work lanes, the last time it was to; null when it could. */
  takeFailure: { readonly error: unknown } | null = null;
  #registration: Registration;
  #runner: ConsumerRunner | undefined;
  /** Ends with every step so far. */
  #last: Promise<unknown> = Promise.resolve();
  /** Ends with the latest step that nothing may run beside. */
  #lastAlone: Promise<unknown> = Promise.resolve();
  #paused = false;
  #held = '[]';
  #lookWanted = false;
  #watched = false;

  constructor(options: ConsumerUnitOptions) {
    this.#options = options;
    this.#registration = options.registration;
    this.#background = new Background((error) => this.#report(error));
  }

  /** Before anything else; apart from the constructor because the runner's services call back into the unit. */
  attach(runner: ConsumerRunner): void {
    this.#runner = runner;
  }

  get registration(): Registration {
    return this.#registration;
  }

  /** What is stored has changed (a generation, a state). */
  update(registration: Registration): void {
    this.#registration = registration;
  }

  get runner(): ConsumerRunner {
    return this.#runner as ConsumerRunner;
  }

  get busy(): boolean {
    return this.#background.count > 0;
  }

  get leases(): ReadonlyMap<number, LaneLease> {
    return this.#leases;
  }

  /** What the plan is made from; when a step is under way, the engine is told to look again once it has ended. */
  holding(): Holding {
    if (this.busy) this.#lookWanted = true;
    const leases = [...this.#leases.values()];
    return {
      consumerId: this.#registration.consumer.id,
      tokens: new Map(leases.map((lease) => [lease.lane, lease.token])),
      stopAt: leases[0]?.stopAt ?? noBarrier,
      busy: this.busy,
    };
  }

  take(taken: readonly TakenLane[]): void {
    const leases = taken.flatMap((lane) => this.#toLease(lane) ?? []);
    if (leases.length === 0) return;
    const { telemetry } = this.#options;
    const consumer = this.#registration.stored.name;
    for (const lease of leases) {
      this.#leases.set(lease.lane, lease);
      telemetry.emit('lane.taken', { consumer, lane: lease.lane, token: lease.token, clean: lease.clean });
    }
    telemetry.metrics.count('factline_lane_takeovers_total', { consumer }, leases.length);
    this.#measure();
    this.#step(async () => {
      await reachStep(this.#options.testStep, 'engine.before-work');
      const held = leases.filter((lease) => this.#leases.get(lease.lane) === lease);
      if (held.length === 0) return;
      try {
        await this.runner.take(held);
      } catch (error) {
        // The database still names this process; the next look takes the lanes again, under a new token.
        this.drop(held.filter((lease) => this.#leases.get(lease.lane) === lease).map((lease) => lease.lane));
        this.takeFailure = { error };
        throw error;
      }
      this.takeFailure = null;
    });
  }

  release(lanes: readonly LaneRef[]): void {
    this.#step(async () => {
      const held = lanes.filter((ref) => this.#leases.get(ref.lane)?.token === ref.token);
      let clean = true;
      if (held.length > 0) {
        try {
          await this.runner.release(held.map((ref) => ref.lane));
        } catch (error) {
          clean = false;
          this.runner.drop(held.map((ref) => ref.lane));
          this.#report(error);
        }
      }
      // Forgotten before the statement: when it fails, the next look finds lanes that nobody here works, and goes on.
      const consumer = this.#registration.stored.name;
      for (const { lane } of held) this.#leases.delete(lane);
      this.#measure();
      await reachStep(this.#options.testStep, 'engine.before-release');
      await releaseLanes(this.#options.database, lanes, { clean });
      await reachStep(this.#options.testStep, 'engine.after-release');
      for (const { lane, token } of held) {
        this.#options.telemetry.emit('lane.released', { consumer, lane, token });
      }
    });
  }

  /** The leases are lost, or may be. */
  drop(lanes: readonly number[]): void {
    const held = lanes.filter((lane) => this.#leases.has(lane));
    if (held.length === 0) return;
    const { telemetry } = this.#options;
    const consumer = this.#registration.stored.name;
    for (const lane of held) {
      telemetry.emit('lane.lost', { consumer, lane, token: this.#leases.get(lane)?.token ?? 0 });
      this.#leases.delete(lane);
    }
    telemetry.metrics.count('factline_leases_lost_total', { consumer }, held.length);
    this.#measure();
    this.runner.drop(held);
  }

  dropAll(): void {
    this.drop([...this.#leases.keys()]);
  }

  pause(pause: Pause | null): void {
    if (this.#paused === (pause !== null)) return;
    this.#paused = pause !== null;
    this.runner.pause(pause);
  }

  /** Whether single types and keys of it can be paused. */
  get holds(): boolean {
    return this.runner.hold !== undefined;
  }

  hold(parts: readonly HeldPart[]): void {
    const text = JSON.stringify(parts);
    if (this.#held === text) return;
    this.#held = text;
    this.runner.hold?.(parts);
  }

  /** `answer` is called with what the runner said, in its turn; a runner that throws has refused. */
  carryOut(request: OwnerRequest, answer: (answered: Answered) => Promise<void>, ended: () => void): void {
    const work = async (): Promise<void> => {
      let answered: Answered;
      try {
        answered = await this.runner.carryOut(request);
      } catch (error) {
        // The request stays open for the next look, or for the lane's next owner.
        if (classifyDatabaseError(error) === 'transient' || FactlineError.is(error, 'LEASE_LOST'))
          throw error;
        answered = { state: 'refused', answer: describe(error) };
      }
      await answer(answered);
    };
    this.#step(() => work().finally(ended), { beside: this.runner.actsSideBySide === true });
  }

  /** Any other step in the unit's order; `ended` is called whatever became of it. */
  enqueue(work: () => Promise<void>, ended: () => void): void {
    this.#step(() => work().finally(ended));
  }

  /** Resolves when no step is waiting or under way. */
  settled(): Promise<void> {
    return this.#background.settled();
  }

  /** `beside`: other such steps may be under way. Any other step waits for all before it, and all after it wait for it. */
  #step(work: () => Promise<void>, { beside } = { beside: false }): void {
    const done = (beside ? this.#lastAlone : this.#last).then(work);
    const ended = done.catch(() => undefined);
    this.#last = beside ? Promise.all([this.#last, ended]) : ended;
    if (!beside) this.#lastAlone = ended;
    this.#background.run(() => done);
    if (this.#watched) return;
    this.#watched = true;
    void this.#background.settled().then(() => {
      this.#watched = false;
      if (!this.#lookWanted) return;
      this.#lookWanted = false;
      this.#options.look();
    });
  }

  /** Null when the generation is not known here yet: the next look knows it. */
  #toLease(lane: TakenLane): LaneLease | null {
    const generation = this.#registration.stored.generations.find(
      (each) => each.generation === lane.generation,
    );
    if (generation === undefined) return null;
    return {
      ...lane,
      types: new Set(generation.types),
      laneCount: generation.lanes,
      settledAtTakeover: this.#options.settled(),
    };
  }

  #measure(): void {
    const { metrics } = this.#options.telemetry;
    metrics.set('factline_lanes_owned', { consumer: this.#registration.stored.name }, this.#leases.size);
  }

  #report(error: unknown): void {
    const unit = `the consumer ${this.#registration.stored.name}`;
    this.#options.telemetry.emit('engine.error', { unit, error });
  }
}

const describe = (error: unknown): Readonly<Record<string, unknown>> => {
  if (!(error instanceof Error)) return { error: String(error) };
  const { code, remedy } = error as { code?: unknown; remedy?: unknown };
  return {
    error: error.message,
    ...(code === undefined ? {} : { code }),
    ...(remedy === undefined ? {} : { remedy }),
  };
};
