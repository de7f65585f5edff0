import type { LaneFacts } from '../facts.ts';
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
