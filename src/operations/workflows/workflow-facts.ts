import type { LaneFacts } from '../lane-facts.ts';
import type { livingStates } from './instances.ts';

export type LivingState = (typeof livingStates)[number];

/** The instances of one workflow, as they were measured. */
export interface WorkflowFacts {
  /** Rising. */
  readonly versions: readonly VersionFacts[];
}

/** One version: what runs its instances has lanes of its own. */
export interface VersionFacts {
  readonly version: number;
  readonly lanes: readonly LaneFacts[];
  readonly instances: Readonly<Record<LivingState, number>>;
  /** False: there are at least so many. */
  readonly exact: boolean;
  /** Since the oldest stuck one changed; null: none is stuck. */
  readonly stuckMs: number | null;
  /** What should be going on, and nobody works at; null: there is none. */
  readonly due: DueFacts | null;
}

export interface DueFacts {
  readonly instances: number;
  readonly exact: boolean;
  /** The oldest one and its lane. */
  readonly instance: number;
  readonly lane: number;
  /** Since it was due. */
  readonly ageMs: number;
  /** Since any instance of its lane changed; never more than `ageMs`. */
  readonly idleMs: number;
}

export const instancesOf = ({ instances }: Pick<VersionFacts, 'instances'>): number =>
  Object.values(instances).reduce((sum, count) => sum + count, 0);

/** The instances of a workflow beside its verdict. What could not be counted to its end is a lower bound. */
export interface WorkflowStanding {
  /** By state, of those that have not ended. */
  readonly instances: Readonly<Record<LivingState, number>>;
  /** False: there are at least so many. */
  readonly exact: boolean;
  /** Since the oldest stuck one changed; null: none is stuck. */
  readonly stuckOldestSeconds: number | null;
  /** Instances that should be going on and that nobody works at, and since when the oldest is due. */
  readonly due: { readonly instances: number; readonly oldestSeconds: number | null };
  readonly versions: readonly VersionStanding[];
}

export interface VersionStanding {
  readonly version: number;
  readonly instances: number;
  readonly exact: boolean;
  readonly lanes: { readonly total: number; readonly owned: number };
}
