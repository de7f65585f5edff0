import type { CommandDraft, Draft, EventContract, EventOf } from '../../contracts/index.ts';
import type { Duration } from '../../foundation/index.ts';
import type { Tx } from '../../log/index.ts';
import type { JsonResult } from '../operational/index.ts';

/** How often, and how far apart, a failing step is tried. What is left out keeps its default. */
export interface StepRetry {
  /** How often in all, the first time included: 1 means never again. Default 5. */
  readonly attempts?: number;
  /** The wait after the first failure. Default 1s. */
  readonly firstDelay?: Duration;
  /** Each wait is this many times the one before. Default 2. */
  readonly factor?: number;
  /** No wait is longer. Default 1m. */
  readonly maxDelay?: Duration;
}

/** What the function of a step receives. */
export interface StepCall {
  /** The same on every attempt, in every process: hand it to the outside world (`Idempotency-Key`, a message id). */
  readonly idempotencyKey: string;
  /** 1 for the first attempt. Stored: a restart does not begin again at 1. */
  readonly attempt: number;
  /** Aborts when the attempt is given up: its time limit has passed, the instance is cancelled, or the process stops. */
  readonly signal: AbortSignal;
}

/** What the undo of a step receives besides the step's result. */
export interface UndoCall extends StepCall {
  /** The idempotency key of the step itself: what it did outside can be found by it. */
  readonly stepKey: string;
  /** The step began, and nobody knows whether it happened: there is no result. */
  readonly inDoubt: boolean;
}

/** What the undo of a transaction receives: what it writes and publishes by `tx` commits with the record that it is done. */
export interface TransactionUndoCall extends UndoCall {
  readonly tx: Tx;
}

interface AttemptOptions {
  readonly retry?: StepRetry;
  /** How long one attempt may take before its signal aborts and it counts as failed. Default 30s. */
  readonly timeout?: Duration;
}

export interface StepOptions<T> extends AttemptOptions {
  /**
   * Takes back what the step did. When the instance fails or is cancelled, the undos of all steps that finished, or may have
   * happened, run, the last one first, each tried and recorded like a step. Without a result (`call.inDoubt`) the step was cut off:
   * its process died, the instance was cancelled meanwhile, or its time limit passed. Look by `call.stepKey` what there is to take back.
   */
  readonly undo?: (result: T | undefined, call: UndoCall) => Promise<void>;
}

export interface TransactionStepOptions<T> extends AttemptOptions {
  /** Takes back what the transaction did, in one of its own. A transaction is never in doubt. */
  readonly undo?: (result: T, call: TransactionUndoCall) => Promise<void>;
}

export interface Step {
  /**
   * Does something and records its result: a finished step never runs again, a retry and a restart get the result. An attempt
   * that was interrupted is made again under the same idempotency key. A name stands once in an instance.
   * What the function's context offers is not for inside of it: calling it there fails the step.
   * @throws whatever the last attempt threw, as it was recorded; FactlineError WORKFLOW_STEP_REPEATED, WORKFLOW_CALL_INSIDE_STEP
   * @example const charge = await step('charge', ({ idempotencyKey }) => provider.charge(pence, { idempotencyKey }))
   */
  <T>(name: string, run: (call: StepCall) => Promise<JsonResult<T>>, options?: StepOptions<T>): Promise<T>;
  /**
   * A step that is one transaction of the log's database: what it writes and publishes commits with the record that it is
   * finished, exactly once.
   * @example await step.transaction('reserve', async (tx) => { await tx.query('update …'); tx.publish(StockReserved({ … })) })
   */
  transaction<T>(
    name: string,
    run: (tx: Tx, call: StepCall) => Promise<JsonResult<T>>,
    options?: TransactionStepOptions<T>,
  ): Promise<T>;
}

/** The value of an event's key: `'A1'`; several values where the contract's key has several fields. */
export type WaitKey = string | number | readonly (string | number)[];

export interface WaitOptions<C extends EventContract> {
  /** Waits for the event of this entity: the value of the contract's key. */
  readonly key: WaitKey;
  /** Pure code, asked for each candidate in order; it must depend on nothing but the event and what the function knows. */
  readonly where?: (event: EventOf<C>) => boolean;
}

export interface WaitFor<C extends EventContract> {
  /**
   * The next event of this type and key since the instance started (or since the last one it got), null when the time is up.
   * An event that came before the wait is found. Nothing is kept in memory meanwhile.
   * @throws FactlineError WORKFLOW_WAIT_UNDECLARED
   * @example const scanned = await waitFor(ParcelScanned, { key: parcelId, within: '2d' })
   */
  <W extends C>(
    contract: W,
    options: WaitOptions<W> & { readonly within: Duration },
  ): Promise<EventOf<W> | null>;
  <W extends C>(contract: W, options: WaitOptions<W> & { readonly within?: undefined }): Promise<EventOf<W>>;
}

/**
 * What a workflow's function works with. Everything that is not determined by its input comes through here and is recorded, so
 * that the function can be run again from its journal at any time. `C`: the events that it may wait for.
 */
export interface WorkflowContext<C extends EventContract = EventContract> {
  /** The correlation key of this instance. */
  readonly key: string;
  /** The number of this instance, as `factline workflow show` takes it. */
  readonly id: number;
  /** Aborts when the function's run ends here: the instance is cancelled or parked, or another process goes on with it. */
  readonly signal: AbortSignal;
  readonly step: Step;
  /** Goes on after this long; a row, not a timer in memory. */
  sleep(duration: Duration): Promise<void>;
  /** Goes on at this moment of the database's clock; at once when it has passed. */
  sleepUntil(moment: Date | string): Promise<void>;
  readonly waitFor: WaitFor<C>;
  /**
   * Published once, with the next record of this instance; ids are the same whatever crashes, so a `dedupeKey` is refused.
   * @throws FactlineError PRODUCER_NOT_LISTED, DRAFT_MISDIRECTED
   */
  publish(...drafts: readonly [Draft, ...Draft[]]): void;
  /** Sends commands, each to its one handler; otherwise as `publish`. */
  send(...drafts: readonly [CommandDraft, ...CommandDraft[]]): void;
  /** Side by side; results in the given order. When one fails, the others are waited for, then the first error is thrown. */
  all<const T extends readonly unknown[]>(
    calls: T,
  ): Promise<{ -readonly [Index in keyof T]: Awaited<T[Index]> }>;
  /** The time of this process's clock, recorded: a run again gets the same. */
  now(): Date;
  /** In [0, 1), recorded. */
  random(): number;
  /** A UUID, the same in every run. */
  uuid(): string;
}
