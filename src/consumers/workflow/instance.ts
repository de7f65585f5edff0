import type { JournalEntry, RecordedFailure } from './journal.ts';

/*
 * An instance as it is stored.
 *
 *   queued ──► running ◄──► waiting          running: somebody has work to do. waiting: for a moment or an event.
 *                │  │
 *                │  └─ failed, cancelled ──► compensating ──► failed, cancelled
 *                │                                │ an undo fails for good
 *                ├─ code and journal differ, …──► stuck ──► (a person) running or compensating
 *                └──► completed
 */
export type InstanceState =
  | 'queued'
  | 'running'
  | 'waiting'
  | 'compensating'
  | 'stuck'
  | 'completed'
  | 'failed'
  | 'cancelled';

export const endStates: readonly InstanceState[] = ['completed', 'failed', 'cancelled'];

/** What led to an instance; what it publishes carries it on. */
export interface InstanceCause {
  readonly correlationId?: string;
  readonly causationId?: string;
  readonly traceparent?: string;
  readonly tracestate?: string;
}

/** Why an instance needs a person. */
export interface StuckReason {
  readonly reason:
    | 'nondeterministic'
    | 'damaged journal'
    | 'compensation failed'
    | 'killed the process'
    | 'too many calls'
    | 'cannot be recorded';
  readonly message: string;
  /** Of a difference: code and journal side by side. */
  readonly recorded?: readonly string[];
  readonly called?: readonly string[];
  readonly ordinal?: number;
  /** The step whose compensation failed. */
  readonly step?: string;
}

/** Why an instance compensates. */
export interface EndingFailure extends RecordedFailure {
  /** Who cancelled it. */
  readonly cancelledBy?: string;
  /** The process that had it in memory did not let go of it: what the function called may have begun, with nothing on record. */
  readonly unsettled?: boolean;
}

export interface LoadedEntry extends JournalEntry {
  /** Of a pending one: its moment has come. */
  readonly due: boolean;
}

/** An instance with its journal, as an executor loads it. */
export interface LoadedInstance {
  readonly id: number;
  readonly workflowId: number;
  readonly consumerId: number;
  readonly version: number;
  readonly key: string;
  readonly keyHash: number;
  readonly state: InstanceState;
  readonly ending: 'failed' | 'cancelled' | null;
  readonly input: unknown;
  readonly startPosition: number;
  readonly cause: InstanceCause;
  readonly failure: EndingFailure | null;
  readonly deaths: number;
  /** A process had it in memory before, and did not let go of it. */
  readonly wasHeld: boolean;
  /** How far its open waits have looked. */
  readonly waits: readonly { readonly ordinal: number; readonly after: number }[];
  /** A process that began it as a suspect is on record: what it records next clears it. */
  readonly suspected: boolean;
  /** At least so many calls were on record. */
  readonly calls: number;
  readonly journal: readonly LoadedEntry[];
}

type StoredEntry = Omit<LoadedEntry, 'due'> & { readonly hasValue: boolean; readonly due: boolean | null };

/** An element of `instances` of the statement `take_due`. */
export const toLoadedInstance = (
  stored: Omit<LoadedInstance, 'journal'> & {
    readonly hasInput: boolean;
    readonly journal: readonly StoredEntry[];
  },
): LoadedInstance => ({
  ...stored,
  input: stored.hasInput ? stored.input : undefined,
  journal: stored.journal.map(({ hasValue, ...entry }) => ({
    ...entry,
    value: hasValue ? entry.value : undefined,
    due: entry.due === true,
  })),
});
