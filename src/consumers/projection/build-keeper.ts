/**
 * Looks after one build that is fed and not read, in the process that works its first lane. See build-stage.ts for the
 * stages; this is who moves it from one to the next:
 *
 *   over several lanes ── all have caught up ──► merge: a generation of one lane, begun at one position
 *   filling            ── caught up ───────────► checking (same version as the build that is read), else ready
 *   checking           ── compared ────────────► ready, or differs: a person decides
 *   ready              ── switched by itself ──► live
 *
 * What speaks against a step is written down as the build's obstacle, and the step is tried again.
 */
import { FactlineError, retryDelayMs, type Timer } from '../../foundation/index.ts';
import { engineTransaction, loadQueries, run } from '../../postgres/index.ts';
import { insertGeneration } from '../registration/register.ts';
import type { RunnerServices } from '../runner.ts';
import { type Build, enterStage, noteObstacle, readBuilds } from './build-record.ts';
import { dropOutdated } from './builds.ts';
import { compareBuilds } from './comparing.ts';
import { type Comparison, withoutValues } from './comparison.ts';
import type { Projection } from './definition.ts';
import type { LaneWorker } from './lane-worker.ts';
import type { ProjectionStep } from './steps.ts';
import { parkedObstacle, switchBuild } from './switching.ts';

const sql = loadQueries<'lanes_to_merge'>(new URL('./builds.sql', import.meta.url));

/** A step that cannot be done yet is tried again after a while, without a limit. */
const again = {
  attempts: Number.POSITIVE_INFINITY,
  baseMs: 50,
  factor: 2,
  capMs: 5000,
  jitter: 'equal',
} as const;

/** How often it is looked whether the other lanes have come as far as the first. */
const slowerLanesMs = 250;

type Outcome = 'go on' | 'soon' | 'later' | 'done';

export interface BuildKeeperOptions {
  readonly projection: Projection;
  readonly services: RunnerServices;
  /** The build is read from now on, or is the way back: nothing is left to look after. */
  readonly onRest: () => void;
}

export class BuildKeeper {
  readonly #options: BuildKeeperOptions;
  readonly #ending = new AbortController();
  #busy: Promise<void> | null = null;
  #timer: Timer | null = null;
  #failures = 0;
  /** Where the log ended when the first lane came there: lanes are merged when all have been there. */
  #mergeAt: number | null = null;
  #worker: LaneWorker | null = null;
  #obstacle: string | null = null;
  #startedAt: number;

  constructor(options: BuildKeeperOptions) {
    this.#options = options;
    this.#startedAt = options.services.clock.monotonic();
  }

  /** Why the build is not read yet. */
  get obstacle(): string | null {
    return this.#obstacle;
  }

  /** Its first lane has made progress. */
  consider(worker: LaneWorker): void {
    this.#worker = worker;
    if (this.#busy !== null || this.#timer !== null || this.#ending.signal.aborted) return;
    if (worker.reached < Math.min(this.#options.services.tail.settled, worker.lease.stopAt)) return;
    this.#busy = this.#step(worker).finally(() => {
      this.#busy = null;
    });
  }

  /** Nothing new is begun; resolves when what is under way has ended. */
  async stop(): Promise<void> {
    this.#ending.abort(new FactlineError('STOPPED', { unit: 'a build', operation: 'comparing' }));
    this.#timer?.cancel();
    await this.#busy;
  }

  async #step(worker: LaneWorker): Promise<void> {
    const { services } = this.#options;
    let outcome: Outcome = 'go on';
    try {
      while (outcome === 'go on' && !this.#ending.signal.aborted) {
        outcome = worker.lease.laneCount > 1 ? await this.#merge() : await this.#advance(worker);
        if (outcome === 'go on') this.#failures = 0;
      }
    } catch (error) {
      if (
        this.#ending.signal.aborted ||
        FactlineError.is(error, 'STOPPED') ||
        FactlineError.is(error, 'LEASE_LOST')
      )
        return;
      await this.#obstructed((error as Error).message).catch(() => undefined);
      if (!FactlineError.is(error, 'PROJECTION_BUSY'))
        services.telemetry.emit('engine.error', {
          unit: `build ${services.consumer.build} of ${services.consumer.name}`,
          error,
        });
      outcome = 'later';
    }
    if (outcome === 'later') this.#later();
    else if (outcome === 'soon') this.#wakeIn(slowerLanesMs);
    else if (outcome === 'done') this.#options.onRest();
  }

  async #advance(worker: LaneWorker): Promise<Outcome> {
    const { database } = this.#options.services;
    const builds = await readBuilds(database.operations, this.#names());
    const own = builds.find(({ id }) => id === this.#options.services.consumer.id);
    const live = builds.find(({ stage }) => stage === 'live') ?? null;
    switch (own?.stage) {
      case 'filling':
        return this.#filled(own, live);
      case 'checking':
        return this.#check(own, live);
      case 'ready':
        return this.#mayGoLive(own, live) ? this.#goLive(worker, own) : 'later';
      case 'differs':
        return 'later';
      default:
        return 'done';
    }
  }

  #names(): readonly string[] {
    const { name, formerly } = this.#options.projection;
    return [name, ...formerly];
  }

  async #filled(own: Build, live: Build | null): Promise<Outcome> {
    const { operations } = this.#options.services.database;
    const parked = live === null ? null : await parkedObstacle(operations, { live, to: own });
    if (parked !== null) return this.#obstructed(parked);
    const stage = live?.version === own.version ? 'checking' : 'ready';
    await enterStage(operations, own.id, { stage });
    return 'go on';
  }

  async #check(own: Build, live: Build | null): Promise<Outcome> {
    const { database, clock } = this.#options.services;
    if (live === null) {
      await enterStage(database.operations, own.id, { stage: 'ready' });
      return 'go on';
    }
    await this.#reach('projection.before-compare');
    const comparison = await compareBuilds({
      database,
      clock,
      live,
      build: own,
      signal: this.#ending.signal,
    });
    await this.#reach('projection.after-compare');
    const finding = withoutValues(comparison);
    if (comparison.verdict === 'differs') {
      const obstacle = differsSentence(comparison);
      this.#obstacle = obstacle;
      await enterStage(database.operations, own.id, { stage: 'differs', obstacle, finding });
      return 'later';
    }
    if (comparison.verdict === 'undecided')
      return this.#obstructed(
        `${comparison.different} rows that differed did not stand still long enough to be compared`,
      );
    await enterStage(database.operations, own.id, { stage: 'ready', finding });
    return 'go on';
  }

  /** An older build does not take the place of a newer one by itself: older code may still run. */
  #mayGoLive(own: Build, live: Build | null): boolean {
    const older = live !== null && (own.build < live.build || own.version < live.version);
    const waits = own.switching === 'manual' ? 'it is ready' : older ? `build ${live.build} is newer` : null;
    this.#obstacle =
      waits === null ? null : `${waits}; the view moves with: factline projection switch ${own.name}`;
    return waits === null;
  }

  async #goLive(worker: LaneWorker, own: Build): Promise<Outcome> {
    const { database, app, clock } = this.#options.services;
    await this.#reach('projection.before-switch');
    await worker.between(() => worker.flush());
    const request = {
      names: this.#names(),
      build: own.build,
      schema: app.projectionSchema,
      accepted: false,
      clock,
    };
    try {
      await engineTransaction(database.operations, (client) => switchBuild(client, request));
    } catch (error) {
      if (FactlineError.is(error, 'PROJECTION_SWITCH_REFUSED'))
        return this.#obstructed(String(error.details['reason']));
      throw error;
    }
    await this.#reach('projection.after-switch');
    this.#tell(worker);
    await dropOutdated(database, this.#options.services.consumer).catch(() => undefined);
    return 'done';
  }

  /** The lanes run to one position and stop there; from it one lane goes on. */
  async #merge(): Promise<Outcome> {
    const { database, consumer, tail } = this.#options.services;
    const [row] = await run(database.operations, sql.lanes_to_merge, [consumer.id]);
    // Merged already: the lanes are on their way to the barrier, and end there.
    if (Number(row?.['lanes']) === 1) return 'later';
    this.#mergeAt ??= tail.settled;
    if (Number(row?.['position']) < this.#mergeAt) return 'soon';
    await this.#reach('projection.before-merge');
    await mergeLanes(this.#options.services);
    await this.#reach('projection.after-merge');
    return 'later';
  }

  async #obstructed(reason: string): Promise<Outcome> {
    this.#obstacle = reason;
    await noteObstacle(
      this.#options.services.database.operations,
      this.#options.services.consumer.id,
      reason,
    );
    return 'later';
  }

  #later(): void {
    this.#failures += 1;
    this.#wakeIn(retryDelayMs(again, this.#failures, this.#options.services.randomness));
  }

  #wakeIn(ms: number): void {
    if (this.#ending.signal.aborted) return;
    this.#timer = this.#options.services.clock.timer(
      ms,
      () => {
        this.#timer = null;
        if (this.#worker !== null) this.consider(this.#worker);
      },
      { unref: true },
    );
  }

  #tell(worker: LaneWorker): void {
    const { telemetry, consumer, clock } = this.#options.services;
    telemetry.emit('projection.rebuilt', {
      consumer: consumer.name,
      build: consumer.build,
      events: worker.handled,
      durationMs: Math.round(clock.monotonic() - this.#startedAt),
    });
  }

  async #reach(step: ProjectionStep): Promise<void> {
    await this.#options.services.testStep?.(step);
  }
}

/** One generation of one lane, unless somebody was quicker. */
const mergeLanes = async ({ database, consumer }: RunnerServices): Promise<void> => {
  await engineTransaction(database.operations, async (client) => {
    const types = [...consumer.types].sort();
    const generation = {
      consumerId: consumer.id,
      types,
      declaredTypes: types,
      lanes: 1,
      typesChange: false,
      accepted: null,
    };
    const [row] = await run(client, sql.lanes_to_merge, [consumer.id]);
    if (Number(row?.['lanes']) > 1) await insertGeneration(client, generation);
  });
};

const differsSentence = ({ different, atLeast, liveRows, buildRows, live }: Comparison): string =>
  `${atLeast ? 'at least ' : ''}${different} of ${Math.max(liveRows, buildRows)} rows differ from build ${live}, which is read`;
