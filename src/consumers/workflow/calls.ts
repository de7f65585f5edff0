import type { Draft, EventContract, FactEvent } from '../../contracts/index.ts';
import type { RetryPolicy } from '../../foundation/index.ts';
import type { Tx } from '../../log/index.ts';
import type { StepCall, UndoCall } from './context.ts';
import { refusalInsideStep } from './inside-step.ts';
import type { CallKind, JournalEntry } from './journal.ts';

/** What a step is to do. */
export interface StepRequest {
  readonly kind: 'step' | 'transaction';
  readonly run: (call: StepCall, tx: Tx | null) => Promise<unknown>;
  /** `tx`: of a transaction. */
  readonly undo: ((result: unknown, call: UndoCall & { readonly tx?: Tx }) => Promise<void>) | null;
  readonly policy: RetryPolicy;
  readonly timeoutMs: number;
}

/** Milliseconds from now, or a moment (ISO 8601). */
export interface SleepRequest {
  readonly kind: 'sleep';
  readonly delayMs: number | null;
  readonly until: string | null;
}

export interface WaitRequest {
  readonly kind: 'wait';
  readonly contract: EventContract;
  /** The value of the event's key, as the event's `subject` has it. */
  readonly key: string;
  readonly withinMs: number | null;
  readonly where: ((event: FactEvent) => boolean) | null;
  /** Events up to here the instance has seen, or they came before it. */
  readonly afterPosition: number;
}

export type Request = StepRequest | SleepRequest | WaitRequest;

/** A call that waits for a result. */
export interface Call {
  readonly ordinal: number;
  readonly name: string;
  readonly request: Request;
  /** What is recorded of it so far; null: nothing. */
  readonly entry: JournalEntry | null;
}

/** A draft that the function published, with the ordinal of its call. */
export interface PublishedDraft {
  readonly ordinal: number;
  readonly draft: Draft;
}

/**
 * Names of calls that have none of their own: `sleep 1`, `sleep 2`, `wait parcels.parcel.scanned.v1 1`. What may not be called gets
 * neither a name nor a place, since the next call shall have the same ones in every run.
 */
export class CallNames {
  readonly #counts = new Map<string, number>();
  readonly #steps = new Set<string>();

  /** @throws FactlineError WORKFLOW_CALL_INSIDE_STEP */
  next(kind: Exclude<CallKind, 'step' | 'transaction'>, of = ''): string {
    const stem = of === '' ? kind : `${kind} ${of}`;
    const refusal = refusalInsideStep(stem);
    if (refusal !== null) throw refusal;
    const count = (this.#counts.get(stem) ?? 0) + 1;
    this.#counts.set(stem, count);
    return `${stem} ${count}`;
  }

  /** False: the name was used before. */
  claim(step: string): boolean {
    if (this.#steps.has(step)) return false;
    this.#steps.add(step);
    return true;
  }
}
