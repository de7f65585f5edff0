import type { WindowFacts } from './burn-rate.ts';
import type { LaneFacts } from './lane-facts.ts';
import type { WorkflowFacts } from './workflows/workflow-facts.ts';

export type { LaneFacts } from './lane-facts.ts';

/**
 * What is measured of one consumer at one moment: the input of `verdictOf`. Ages are milliseconds at the moment of the
 * measurement, taken by the database's clock, so that no client's clock takes part.
 */
export interface ConsumerFacts {
  readonly id: number;
  readonly app: string;
  readonly consumer: string;
  readonly class: ConsumerClassName;
  readonly version: number;
  readonly build: number;
  /** building: a projection's table that is not read yet. */
  readonly state: 'live' | 'building';
  /** How far a build is whose rows are still being made; null for everything else. */
  readonly filling: FillingFacts | null;
  readonly ordering: 'key' | 'global' | 'none';
  readonly types: readonly string[];
  readonly generation: number;
  /** A later declaration that takes over when every lane stands at `barrier`. */
  readonly newerGeneration: NewerGeneration | null;
  readonly startPosition: number;
  readonly handledWithinMs: number;
  /** Share of events that may be late or quarantined: 0.01 is one per cent. */
  readonly errorBudget: number;
  /** What became of the events of the last thirty days, as far as running processes sampled it. */
  readonly objective: ObjectiveFacts;
  /** The windows of the burn rates, as far as they were sampled. */
  readonly windows: readonly WindowFacts[];
  /** How it stood some minutes ago, sampled by any process; null when nobody did. */
  readonly earlier: EarlierFacts | null;
  readonly databaseClock: ClockFacts;
  /** Since a probe of the app last came through; null: it sends none. */
  readonly probeMs: number | null;
  readonly paused: PauseFacts | null;
  readonly pausedParts: readonly PausedPart[];
  /** Events that wait because of these; they are not in `unhandled`. */
  readonly heldEvents: number;
  readonly breaker: BreakerFacts | null;
  readonly lanes: readonly LaneFacts[];
  readonly owners: readonly OwnerFacts[];
  /** The highest position that is visible. */
  readonly head: number;
  /** The oldest event that is neither handled nor quarantined; null when there is none. */
  readonly oldest: OldestUnhandled | null;
  readonly unhandled: UnhandledFacts;
  readonly quarantined: QuarantineFacts;
  readonly hottestKey: { readonly key: string; readonly waiting: number } | null;
  /** The instances of a workflow; null for the other classes. */
  readonly workflow: WorkflowFacts | null;
}

export interface FillingFacts {
  /** The share of the log that it has dealt with, 0 to 1. */
  readonly done: number;
  /** Until it has caught up, at its average rate; null while nothing can be said. */
  readonly etaMs: number | null;
  /** What holds it up, as whoever fills it has noted; null: nothing. */
  readonly obstacle: string | null;
}

/** A type or a key of the consumer that a person has paused. */
export interface PausedPart extends PauseFacts {
  readonly scope: 'type' | 'key';
  readonly value: string;
}

export interface PauseFacts {
  readonly reason: string;
  readonly by: string | null;
  readonly forMs: number;
  /** Until it goes on by itself; null: when a person lets it. */
  readonly resumesMs: number | null;
  /** What it may buffer; null: nobody said. */
  readonly buffer: PauseBuffer | null;
}

/** How many events may come while a pause lasts, and how many have. */
export interface PauseBuffer {
  readonly max: number;
  readonly events: number;
  /** False: there are at least so many. */
  readonly exact: boolean;
  /** It goes on by itself when more come; otherwise an alert fires. */
  readonly resumes: boolean;
}

export type ConsumerClassName = 'projection' | 'operational' | 'workflow';

export interface NewerGeneration {
  readonly generation: number;
  readonly barrier: number;
  readonly types: readonly string[];
}

export interface BreakerFacts {
  /** transient: a dependency is down. bug: a bad deploy. person: somebody opened it. */
  readonly kind: 'transient' | 'bug' | 'person';
  readonly reason: string;
  readonly fingerprint: string | null;
  /** ISO 8601, by the database's clock. */
  readonly openedAt: string;
}

export interface OwnerFacts {
  readonly process: number;
  readonly host: string;
  readonly pid: number;
  readonly codeVersion: string;
}

/**
 * Where the oldest unhandled event stands: above the mark ('log'), parked and being tried ('running', 'retrying'), parked
 * behind such a one ('waiting'), or parked because the running code does not know its type ('without code'). An instance of a
 * workflow that is due, and that nobody works at, counts like an event ('instance').
 */
export interface OldestUnhandled {
  readonly where: 'log' | 'running' | 'retrying' | 'waiting' | 'without code' | 'instance';
  /** The number of the instance. */
  readonly instance?: number;
  readonly position: number;
  /** Since it was recorded in the log, or was due. */
  readonly ageMs: number;
  readonly lane: number;
  /** Since anything was handled or tried in its lane; never more than `ageMs`. */
  readonly idleMs: number;
  /** False: it is at most this old, because the part of the log that was looked at holds none. */
  readonly exact: boolean;
}

export interface ObjectiveFacts {
  readonly events: number;
  readonly late: number;
  readonly quarantined: number;
}

export interface EarlierFacts {
  readonly agoMs: number;
  readonly lagMs: number;
  /** Unhandled events; null when there were too many to count. */
  readonly unhandled: number | null;
  /** Positions from the lowest checkpoint to the head. */
  readonly behind: number;
}

/** Ages are differences of the database's clock: they are as good as it is. */
export interface ClockFacts {
  /** At the measurement, in milliseconds since 1970. */
  readonly nowMs: number;
  /** How far the newest event is dated ahead of it; zero or less when all is well. */
  readonly headAheadMs: number;
  /** The last time that a process saw it move otherwise than time does. */
  readonly jump: ClockJump | null;
}

export interface ClockJump {
  readonly agoMs: number;
  readonly byMs: number;
  /** What was written up to here has a wrong age. */
  readonly head: number;
}

export interface UnhandledFacts {
  /** All events that are neither handled nor quarantined, nor wait behind a quarantined one. */
  readonly events: number;
  /** False: there are at least this many. */
  readonly exact: boolean;
  readonly retrying: number;
  /** Parked behind one that is being tried, or for its turn. */
  readonly waiting: number;
  readonly withoutCode: number;
  /** Until the next retry is due; negative when it is, null when none waits. */
  readonly nextRetryMs: number | null;
}

export interface QuarantineFacts {
  readonly keys: number;
  readonly events: number;
  /** Events that wait behind a quarantined one. */
  readonly waiting: number;
  readonly oldestMs: number | null;
  /** False: there are at least this many. */
  readonly exact: boolean;
}

/** The open transaction with the lowest floor, which the tail waits for. */
export interface TailIncident {
  readonly pid: number | null;
  readonly query: string | null;
  readonly ageMs: number;
}

/** How lag and backlog moved between two measurements; positive is growing. */
export interface Trend {
  /** Change of the lag in milliseconds per second. */
  readonly lagMsPerSecond: number;
  /** Change of the backlog per second, in the unit of `backlog`. */
  readonly backlogPerSecond: number;
  /** What is left to do: events where they could be counted, else positions. */
  readonly backlog: number;
}

/** What the process that runs the consumer knows beside what is stored. */
export interface RunnerFacts {
  readonly handled: number;
  readonly hottestKey: { readonly key: string; readonly waiting: number } | null;
  readonly reasons: readonly string[];
}

export interface VerdictContext {
  /** How old the measurement is, by a monotonic clock. */
  readonly measuredAgoMs: number;
  readonly trend: Trend | null;
  readonly tail: TailIncident | null;
  readonly runner: RunnerFacts | null;
}
