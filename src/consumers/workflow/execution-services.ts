import type { ContractSet } from '../../contracts/index.ts';
import type { RunnerServices } from '../runner.ts';
import type { AnyWorkflow } from './definition.ts';
import type { Flusher } from './flusher.ts';
import type { InstanceState } from './instance.ts';
import type { RecordedFailure } from './journal.ts';
import type { Mailbox } from './mailbox.ts';

/** A lane as the instances on it see it. */
export interface HeldLane {
  readonly lane: number;
  readonly token: number;
  /** The lease is lost: nothing may be written any more. */
  dropped: boolean;
}

/** What all instances of one executor share. */
export interface ExecutionServices {
  readonly runner: RunnerServices;
  readonly workflow: AnyWorkflow;
  readonly contracts: ContractSet;
  readonly flusher: Flusher;
  readonly mailbox: Mailbox;
}

/** Why an instance is no longer in memory. `dueMs`: until it is due again; null: when somebody says so. */
export type Departure =
  | { readonly kind: 'resting'; readonly dueMs: number | null }
  | {
      readonly kind: 'ended';
      readonly state: InstanceState;
      readonly result?: unknown;
      readonly failure?: RecordedFailure;
    }
  | { readonly kind: 'frozen' | 'lost' | 'stale' };

/** What an instance tells its executor. */
export interface ExecutionListener {
  /** It has left memory. */
  onDeparture(departure: Departure): void;
  /** Something it waits for in memory is due after so many milliseconds. */
  onExpect(dueMs: number): void;
  /** A suspect has got past what it was suspected of. */
  onSurvived(): void;
}
