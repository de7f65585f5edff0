import type { Draft } from '../../contracts/index.ts';
import { FactlineError, nextTurn } from '../../foundation/index.ts';
import { type Call, CallNames, type PublishedDraft, type Request, type StepRequest } from './calls.ts';
import {
  type CallKind,
  callsMax,
  callText,
  type Delivery,
  deliveryOf,
  type JournalEntry,
} from './journal.ts';
import { positionOf } from './journal-check.ts';
import { recordedError } from './recorded-failure.ts';

/*
 * The deterministic run of a workflow's function.
 *
 *   start ──► turn: every recorded result, in the order in which the function once got them ──► live ──► deliver ──► turn …
 *                │ another call than the recorded one, or recorded calls that are never made
 *                └──► difference: nothing more is handed over
 *
 * Between two results everything that the function does without waiting is done, so the calls that follow a result are always
 * the same ones, also under `all`, and get the same ordinals. What the function calls during the re-run is only compared; it
 * begins when the journal has been worked off.
 */

/** Code and journal do not fit: both sequences, as far as they were compared. */
export interface Difference {
  /** The first ordinal at which they differ. */
  readonly ordinal: number;
  readonly recorded: readonly string[];
  readonly called: readonly string[];
}

export type FunctionEnd =
  | { readonly kind: 'returned'; readonly value: unknown }
  | { readonly kind: 'threw'; readonly error: unknown };

/** What the function did between two results. */
export interface Turn {
  /** Calls that are to be carried out, in the order of the code. */
  readonly calls: readonly Call[];
  /** Calls that were answered at once, to be recorded. */
  readonly entries: readonly JournalEntry[];
  readonly drafts: readonly PublishedDraft[];
  readonly end: FunctionEnd | null;
  readonly difference: Difference | null;
  /** It has made as many calls as an instance may. */
  readonly overflown: boolean;
}

export interface FunctionRunOptions {
  /** Starts the function with a context that makes its calls here. */
  readonly start: (run: FunctionRun) => Promise<unknown>;
  readonly journal: readonly JournalEntry[];
  /** The function went on by itself: it awaited something that is not of the context. */
  readonly onLoose?: (turn: Turn) => void;
}

interface OpenCall {
  readonly call: Call;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

export class FunctionRun {
  readonly names: CallNames = new CallNames();
  readonly #options: FunctionRunOptions;
  readonly #recorded = new Map<number, JournalEntry>();
  readonly #called: string[] = [];
  readonly #open = new Map<number, OpenCall>();
  /** Every step that was called, for its undo. */
  readonly #steps = new Map<number, Call & { readonly request: StepRequest }>();
  #calls: Call[] = [];
  #entries: JournalEntry[] = [];
  #drafts: PublishedDraft[] = [];
  #end: FunctionEnd | null = null;
  #difference: Difference | null = null;
  #overflown = false;
  #inTurn = false;
  #looseTurn = false;
  #closed = false;

  constructor(options: FunctionRunOptions) {
    this.#options = options;
    for (const entry of options.journal) if (!entry.undo) this.#recorded.set(entry.ordinal, entry);
  }

  /** Runs the function up to where the journal ends. */
  async replay(): Promise<Turn> {
    this.#inTurn = true;
    this.#options.start(this).then(
      (value) => this.#ended({ kind: 'returned', value }),
      (error: unknown) => this.#ended({ kind: 'threw', error }),
    );
    await nextTurn();
    const completed = [...this.#recorded.values()]
      .filter(({ completion }) => completion !== null)
      .sort((left, right) => (left.completion ?? 0) - (right.completion ?? 0));
    for (const entry of completed) {
      if (this.#difference !== null || this.#closed) break;
      if (this.#open.has(entry.ordinal)) await this.#hand(entry.ordinal, deliveryOf(entry));
      else this.#differ(entry.ordinal);
    }
    const missing = [...this.#recorded.keys()].filter((ordinal) => ordinal >= this.#called.length);
    if (missing.length > 0) this.#differ(Math.min(...missing));
    return this.#endTurn();
  }

  /** Hands one result to the function. */
  async deliver(ordinal: number, delivery: Delivery): Promise<Turn> {
    this.#inTurn = true;
    await this.#hand(ordinal, delivery);
    return this.#endTurn();
  }

  /** Ends the run here: whatever the function still calls is never answered. */
  close(): void {
    this.#closed = true;
  }

  /** The steps that were called so far, by ordinal. */
  get steps(): ReadonlyMap<number, Call & { readonly request: StepRequest }> {
    return this.#steps;
  }

  get callCount(): number {
    return this.#called.length;
  }

  /** A call that is answered later. */
  call(kind: CallKind, name: string, makeRequest: (ordinal: number) => Request): Promise<unknown> {
    const ordinal = this.#nextOrdinal({ kind, name });
    if (ordinal === null) return never();
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    // The function may have forgotten to await it: its rejection must not be the process's end.
    promise.catch(() => {});
    const entry = this.#recorded.get(ordinal) ?? null;
    const call: Call = { ordinal, name, request: makeRequest(ordinal), entry };
    this.#open.set(ordinal, { call, resolve, reject });
    if (call.request.kind === 'step' || call.request.kind === 'transaction')
      this.#steps.set(ordinal, { ...call, request: call.request });
    if (entry === null || entry.completion === null) this.#calls.push(call);
    return promise;
  }

  /** A call that is answered at once, from the journal or by `make`. */
  answer<T>(kind: CallKind, name: string, make: (ordinal: number) => T): T {
    const ordinal = this.#nextOrdinal({ kind, name }) ?? this.#stop(name);
    const entry = this.#recorded.get(ordinal);
    if (entry !== undefined) return entry.value as T;
    const value = make(ordinal);
    this.#entries.push(immediateEntry(kind, name, { ordinal, value }));
    return value;
  }

  /** Notes a draft that is to be published, unless it was. */
  publish(kind: 'publish' | 'send', draft: Draft): void {
    const name = this.names.next(kind, draft.type);
    const ordinal = this.#nextOrdinal({ kind, name }) ?? this.#stop(name);
    if (this.#recorded.has(ordinal)) return;
    this.#entries.push(immediateEntry(kind, name, { ordinal, value: undefined }));
    this.#drafts.push({ ordinal, draft });
  }

  /** Events of this type and key that the function has got. */
  seenPosition(type: string, key: string): number {
    return this.#seen.get(`${type} ${key}`) ?? 0;
  }

  readonly #seen = new Map<string, number>();

  /** Null: the call leads nowhere, because the run has ended or differs here. */
  #nextOrdinal(call: Pick<JournalEntry, 'kind' | 'name'>): number | null {
    if (this.#closed || this.#difference !== null || this.#overflown || this.#end !== null) return null;
    const ordinal = this.#called.length;
    if (ordinal >= callsMax) {
      this.#overflown = true;
      this.#noteLoose();
      return null;
    }
    this.#called.push(callText(call));
    const recorded = this.#recorded.get(ordinal);
    if (recorded !== undefined && (recorded.kind !== call.kind || recorded.name !== call.name)) {
      this.#differ(ordinal);
      return null;
    }
    this.#noteLoose();
    return ordinal;
  }

  /** A loop of calls that are answered at once would never let anything else run. */
  #stop(operation: string): never {
    throw new FactlineError('STOPPED', { unit: 'this run of the workflow', operation });
  }

  async #hand(ordinal: number, delivery: Delivery): Promise<void> {
    const open = this.#open.get(ordinal);
    if (open === undefined || this.#closed) return;
    this.#open.delete(ordinal);
    const { request } = open.call;
    const position = request.kind === 'wait' && delivery.ok ? positionOf(delivery.value) : null;
    if (request.kind === 'wait' && position !== null) {
      const place = `${request.contract.type} ${request.key}`;
      this.#seen.set(place, Math.max(this.#seen.get(place) ?? 0, position));
    }
    if (delivery.ok) open.resolve(delivery.value);
    else open.reject(recordedError(delivery.error));
    await nextTurn();
  }

  #ended(end: FunctionEnd): void {
    if (this.#closed || this.#difference !== null) return;
    this.#end = end;
    this.#noteLoose();
  }

  #differ(ordinal: number): void {
    if (this.#difference !== null) return;
    const recorded: string[] = [];
    for (const [place, entry] of this.#recorded) recorded[place] = callText(entry);
    this.#difference = {
      ordinal,
      recorded: Array.from(recorded, (text) => text ?? '(not recorded)'),
      called: [...this.#called],
    };
  }

  #endTurn(): Turn {
    this.#inTurn = false;
    const turn: Turn = {
      calls: this.#calls,
      entries: this.#entries,
      drafts: this.#drafts,
      end: this.#end,
      difference: this.#difference,
      overflown: this.#overflown,
    };
    this.#calls = [];
    this.#entries = [];
    this.#drafts = [];
    return turn;
  }

  /** The function went on outside a turn: one of its own begins, and takes in what follows without waiting. */
  #noteLoose(): void {
    if (this.#inTurn || this.#looseTurn || this.#closed) return;
    this.#looseTurn = true;
    void nextTurn().then(() => {
      this.#looseTurn = false;
      if (this.#inTurn || this.#closed) return;
      this.#options.onLoose?.(this.#endTurn());
    });
  }
}

const immediateEntry = (
  kind: CallKind,
  name: string,
  { ordinal, value }: { readonly ordinal: number; readonly value: unknown },
): JournalEntry => ({
  undo: false,
  ordinal,
  kind,
  name,
  state: 'done',
  attempts: 0,
  completion: null,
  value,
  error: null,
});

const never = (): Promise<never> => new Promise(() => {});

/** The error of a step whose name was used before. */
export const repeatedStep = (workflow: string, step: string): FactlineError =>
  new FactlineError('WORKFLOW_STEP_REPEATED', { workflow, step });
