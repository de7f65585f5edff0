/**
 * The seam between the shared engine and the classes of consumers.
 *
 * The engine decides which lanes a process works and when it must stop; a runner works them. One runner serves one
 * consumer (one `consumers.id`, so one build of a projection) in one process.
 *
 *   take ──► working ──► release   the engine wants the lanes back: finish what is in flight, then resolve
 *               └──────► drop      the lease is lost: nothing may be written any more
 *
 * Rules that both sides rely on:
 * - `take`, `release` and `carryOut` of one runner are called one after the other, never side by side; the other methods
 *   may be called at any time. Calls of `carryOut` come beside one another where the runner says that they may.
 * - All lanes that a runner holds at one time belong to one generation, so they have the same `types`, `laneCount`
 *   and `stopAt`; a changed `stopAt` comes as a release followed by a take.
 * - The fence: every write of an owner (checkpoint, inbox, parked rows, rows of a projection …) contains, in the same
 *   statement or transaction,
 *     select … from factline.lanes
 *      where consumer_id = $ and lane = $ and token = $ and stop_at >= $position for share
 *   where `$position` is the event's position or the new checkpoint (0 for a write that moves neither). No row →
 *   `factline.refuse('FL001', …)`; the runner then calls `services.onLeaseLost(lane)` and forgets the lane.
 *   `stop_at` is what keeps a process that has not heard of a new generation yet from passing its barrier.
 * - A runner that has reached `stopAt` writes that checkpoint at once, without waiting for its usual interval: the next
 *   generation begins when all lanes stand there.
 * - An event whose type is in `lease.types` but not in the definition's (a rolled-back deploy) is parked `waiting`
 *   with the reason 'no code', never skipped.
 */
import type { Clock, Randomness, Telemetry } from '../foundation/index.ts';
import type { Tail } from '../log/index.ts';
import type { Database } from '../postgres/index.ts';
import type { LiveDelays } from './ceiling/index.ts';
import type { ConsumerDefinition, Ordering } from './definition.ts';

/** A consumer as it is stored. */
export interface RegisteredConsumer {
  readonly id: number;
  readonly class: ConsumerDefinition['class'];
  readonly name: string;
  /** Of a projection: which of its tables. 1 for the other classes. */
  readonly build: number;
  readonly version: number;
  readonly state: ConsumerState;
  /** The generation that this process declares; while it does not lead yet, leases carry an earlier one. */
  readonly generation: number;
  readonly lanes: number;
  readonly ordering: Ordering;
  readonly types: ReadonlySet<string>;
  readonly startPosition: number;
}

/** building: a projection's table that is not read yet. retired: kept on record, worked by nobody. */
export type ConsumerState = 'live' | 'building' | 'retired';

/** The right to work one lane until it is released, dropped or lost. */
export interface LaneLease {
  readonly consumerId: number;
  readonly lane: number;
  readonly generation: number;
  /** The fencing token; a later owner has a higher one. */
  readonly token: number;
  /** The checkpoint: everything up to and including it is dealt with. */
  readonly position: number;
  readonly dispatchLimit: number;
  /** The settled position of this process's tail when the takeover had committed. */
  readonly settledAtTakeover: number;
  /** False: the previous owner did not release the lane, so its events in flight are suspects (ENGINE.md §5). */
  readonly clean: boolean;
  /** What the generation reads; during a deploy it differs from the definition's types. */
  readonly types: ReadonlySet<string>;
  /** The number of lanes of this generation, for `laneFor`. */
  readonly laneCount: number;
  /** Work no event above it and move no checkpoint past it: the barrier of the next generation, else `noBarrier`. */
  readonly stopAt: number;
}

export const noBarrier: number = Number.MAX_SAFE_INTEGER;

/** A wish of the command line or the console, from the table `requests`. */
export interface OwnerRequest {
  readonly id: number;
  readonly verb: string;
  /** The number that people type (`quarantine retry 7`). */
  readonly parkedId: number | null;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly actor: string;
  readonly reason: string | null;
}

/** `answer` is shown to who asked; JSON. */
export interface OwnerAnswer {
  readonly state: 'done' | 'refused';
  readonly answer: Readonly<Record<string, unknown>>;
}

export interface LaneProgress {
  readonly lane: number;
  readonly checkpoint: number;
  /** Everything up to here was read from the log. */
  readonly readUpTo: number;
  /** Events that are being handled now. */
  readonly inFlight: number;
  /** Events read and not yet begun. */
  readonly waiting: number;
}

export interface RunnerProgress {
  readonly lanes: readonly LaneProgress[];
  /** Events handled since this runner was made. */
  readonly handled: number;
  /** The key with the most events waiting in memory, when it holds up others or is about to. */
  readonly hottestKey: { readonly key: string; readonly waiting: number } | null;
  /** Sentences that `status` shows: why the consumer is slower than it could be. */
  readonly reasons: readonly string[];
}

export interface Pause {
  readonly reason: string;
  readonly by: string;
}

/** A type, or a key, whose events a person lets wait. */
export interface HeldPart {
  readonly scope: 'type' | 'key';
  readonly value: string;
}

export interface ConsumerRunner {
  /** After the takeover has committed: load the state in a new snapshot, then work these lanes. */
  take(leases: readonly LaneLease[]): Promise<void>;
  /** Finish or roll back what is in flight, write checkpoints (fenced), forget. The engine then gives the lanes up. */
  release(lanes: readonly number[]): Promise<void>;
  /** The lease is lost: stop at once, abort what is in flight, write nothing more. Lanes it does not work are no error. */
  drop(lanes: readonly number[]): void;
  /** A person pauses or (null) resumes the consumer: no new event is begun; lanes are kept, requests carried out. */
  pause(pause: Pause | null): void;
  /** All that is held from now on: no event of it is begun. A class that is paused as a whole only does not have it. */
  hold?(parts: readonly HeldPart[]): void;
  /**
   * The heartbeat (every 2 s, and after a wake-up) saw that by the database's clock parked events of this consumer are
   * due, or its breaker may probe. Only a hint: the runner looks for itself, and may keep timers of its own.
   * `idle` waits for what it begins because of it.
   */
  due(): void;
  /** Only for lanes that this runner holds. It answers `refused` when it does not know the verb; it may throw. */
  carryOut(request: OwnerRequest): Promise<OwnerAnswer>;
  /** `carryOut` may be called while it is under way. What it is about may be the same. */
  readonly actsSideBySide?: true;
  progress(): RunnerProgress;
  /** Resolves when everything that was settled at the call, in the lanes held, is handled or parked; at once without lanes. */
  idle(): Promise<void>;
}

/** Called at every step that the crash explorer can stop at; the process may end inside. */
export type TestStep = (step: string) => void | Promise<void>;

/** The app that a process runs. */
export interface AppIdentity {
  readonly name: string;
  /** The CloudEvents `source` of what its handlers publish. */
  readonly source: string;
  readonly codeVersion: string;
  /** Where the views of projections are. */
  readonly projectionSchema: string;
}

export interface RunnerServices {
  readonly database: Database;
  readonly tail: Tail;
  readonly telemetry: Telemetry;
  /** Of all consumers of the process. */
  readonly liveDelays: LiveDelays;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly app: AppIdentity;
  readonly process: { readonly id: number; readonly incarnation: string };
  readonly consumer: RegisteredConsumer;
  /** A write was refused with FL001: the engine drops the lane (it calls `drop` as well) and looks again. */
  onLeaseLost(lane: number): void;
  readonly testStep?: TestStep;
}
