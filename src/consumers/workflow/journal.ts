/** What a call of the context is. `transaction` is a step that is one transaction. */
export type CallKind =
  | 'step'
  | 'transaction'
  | 'sleep'
  | 'wait'
  | 'publish'
  | 'send'
  | 'now'
  | 'random'
  | 'uuid';

/**
 * pending: a sleep, an open wait, or a step that is tried again. failed: the last attempt failed. skipped: a person decided that
 * it need not happen. What was never recorded has never failed and is not asleep.
 */
export type EntryState = 'pending' | 'done' | 'failed' | 'skipped';

/** An error as it is recorded, and thrown again from the record. */
export interface RecordedFailure {
  readonly name: string;
  /** Of an error of the catalogue: with its details, so that it can be made again. */
  readonly code: string | null;
  readonly message: string;
  readonly stack: string;
  readonly details: Readonly<Record<string, unknown>> | null;
}

/** One call of an instance, as the journal has it. */
export interface JournalEntry {
  /** The compensation of the step at this ordinal. */
  readonly undo: boolean;
  /** The place of the call in the code, from 0. */
  readonly ordinal: number;
  readonly kind: CallKind;
  readonly name: string;
  readonly state: EntryState;
  /** Attempts that have ended. */
  readonly attempts: number;
  /** The place of its result among those that the function got; null for calls that answer at once, and until then. */
  readonly completion: number | null;
  /** Undefined: nothing was returned. */
  readonly value: unknown;
  readonly error: RecordedFailure | null;
}

/** An instance has at most so many calls; a loop that never ends is parked there. */
export const callsMax = 10_000;

/** A call as people see it beside another one. */
export const callText = ({ kind, name }: Pick<JournalEntry, 'kind' | 'name'>): string =>
  kind === 'step' || kind === 'transaction' ? `step ${name}` : name;

/** How a result reaches the function. */
export type Delivery =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: RecordedFailure };

/** What a completed entry hands to the function. */
export const deliveryOf = (entry: JournalEntry): Delivery =>
  entry.state === 'failed' && entry.error !== null
    ? { ok: false, error: entry.error }
    : { ok: true, value: entry.value };
