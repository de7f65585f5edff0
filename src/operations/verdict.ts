import type { BurnRate } from './burn-rate.ts';
import type { ConsumerClassName, OwnerFacts, PauseBuffer } from './facts.ts';
import type { WorkflowStanding } from './workflows/workflow-facts.ts';

/**
 * OK: the oldest unhandled event is younger than the promise. LATE: older, but the consumer makes progress. STALLED: unhandled
 * events and no progress for max(30 s, the promise), or lanes that nobody owns. PAUSED: by a breaker or a person. UNKNOWN:
 * there is no measurement younger than 15 s, the database's clock jumped, or probes are sent and none comes through.
 * A build of a projection whose rows are still being made is never LATE: nobody reads it, so it promises nothing.
 */
export type VerdictName = 'OK' | 'LATE' | 'STALLED' | 'PAUSED' | 'UNKNOWN';

/** What made the verdict, or is worth knowing beside it. Codes are stable; a new one may come at any time. */
export type ReasonCode =
  | 'breaker-open'
  | 'budget-spent'
  | 'building'
  | 'burning'
  | 'clock-jumped'
  | 'falling-behind'
  | 'generation-handover'
  | 'hot-key'
  | 'instances-stuck'
  | 'lanes-unowned'
  | 'no-code'
  | 'no-progress'
  | 'not-measured'
  | 'not-registered'
  | 'older-than-promised'
  | 'part-paused'
  | 'paused-by-person'
  | 'probe-missing'
  | 'quarantine'
  | 'retrying'
  | 'runner'
  | 'tail-blocked';

export interface Reason {
  readonly code: ReasonCode;
  /** One sentence for people, without a full stop. */
  readonly text: string;
}

/**
 * One consumer (one build of a projection), measured at the source. The JSON form is stable: fields are added, never renamed.
 * Times are seconds with up to three decimals; what could not be measured is null, never zero.
 */
export interface Verdict {
  readonly consumer: string;
  readonly class: ConsumerClassName;
  readonly verdict: VerdictName;
  /** In order of weight; the first one explains the verdict when it is not OK. */
  readonly reasons: readonly Reason[];
  /**
   * Age of the oldest event that is neither handled nor quarantined, or of a workflow since the oldest instance is due that nobody
   * works at; 0 when there is none.
   */
  readonly lagSeconds: number | null;
  /** False: the lag is at most this much, because the bounded look at the log did not find the event itself. */
  readonly lagExact: boolean;
  readonly handledWithinSeconds: number;
  /** The share of events that may be late or quarantined: 0.01 is one per cent. */
  readonly errorBudget: number;
  /** What the last thirty days did to the budget; null while nothing was sampled. */
  readonly budget: BudgetSpent | null;
  /** How fast the budget is being spent, by the four two-window rules; null when the verdict is UNKNOWN. */
  readonly burn: readonly BurnRate[] | null;
  /** Until the backlog is worked off at the present rate; 0 without backlog, null when it is not shrinking or not known. */
  readonly timeToDrainSeconds: number | null;
  /** Until the lag exceeds the promise at the present rate; 0 when it does, null when it is not growing or not known. */
  readonly timeToBreachSeconds: number | null;
  /** Events that are neither handled nor quarantined, nor wait behind a quarantined one. */
  readonly unhandled: number | null;
  /** False: there are at least that many. */
  readonly unhandledExact: boolean;
  /** Events that failed and wait for their next attempt. */
  readonly retrying: number | null;
  /** Events parked behind one that is being tried, or for their turn. */
  readonly waiting: number | null;
  readonly quarantined: QuarantineCounts | null;
  /** Events handled by this process since it started; null where the consumer does not run in this process. */
  readonly handled: number | null;
  readonly hottestKey: { readonly key: string; readonly waiting: number } | null;
  /** The instances of a workflow; null for the other classes, and when nothing is known. */
  readonly workflow: WorkflowStanding | null;
  readonly lanes: { readonly total: number; readonly owned: number; readonly unowned: readonly number[] };
  readonly owners: readonly (OwnerFacts & { readonly lanes: readonly number[] })[];
  /** The lowest checkpoint of all lanes. */
  readonly checkpoint: number | null;
  /** The highest position in the log. */
  readonly head: number | null;
  readonly breaker: VerdictBreaker | null;
  /** By a person. */
  readonly paused: VerdictPause | null;
  /** Types and keys that a person has paused; the others flow, and the verdict is about those. */
  readonly pausedParts: readonly (VerdictPause & {
    readonly scope: 'type' | 'key';
    readonly value: string;
  })[];
  /** Events that wait for these, and behind them in their keys; not in `unhandled`. */
  readonly held: number | null;
  readonly version: number;
  readonly build: number;
  readonly state: 'live' | 'building';
  /** How far a build is whose rows are still being made; null for everything else. */
  readonly filling: VerdictFilling | null;
  readonly generation: number;
  readonly startPosition: number | null;
  /** How old the measurement is that all of this rests on; null when there never was one. */
  readonly measuredSecondsAgo: number | null;
}

export interface VerdictFilling {
  /** The share of the log that it has dealt with, 0 to 1. */
  readonly done: number;
  /** Until it has caught up, at its average rate; null while nothing can be said. */
  readonly etaSeconds: number | null;
}

export interface BudgetSpent {
  /** Events of thirty days, sampled once a minute while a process of the app runs. */
  readonly events: number;
  /** Written while the consumer was behind its promise. */
  readonly late: number;
  readonly quarantined: number;
  /** Share of the budget that is spent; 1 is all of it. */
  readonly spent: number;
}

export interface QuarantineCounts {
  readonly keys: number;
  readonly events: number;
  /** Events that wait behind a quarantined one of their key. */
  readonly waiting: number;
  readonly oldestSeconds: number | null;
}

export interface VerdictPause {
  readonly reason: string;
  readonly by: string | null;
  readonly forSeconds: number;
  /** Null: until a person lets it go on. */
  readonly resumesInSeconds: number | null;
  /** How many events may come while it lasts, how many have, and whether it goes on by itself when more do; null: no limit. */
  readonly buffer: PauseBuffer | null;
}

export interface VerdictBreaker {
  readonly kind: 'transient' | 'bug' | 'person';
  readonly reason: string;
  readonly fingerprint: string | null;
  readonly openedAt: string;
}
