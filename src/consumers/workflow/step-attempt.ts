import { payloadText } from '../../contracts/index.ts';
import { contextOfTrace, currentTrace, FactlineError, uuidv8 } from '../../foundation/index.ts';
import { type Cause, currentCause, publishingTransaction, type Tx } from '../../log/index.ts';
import type { LastStatement } from '../../postgres/index.ts';
import { cancellableWork } from '../operational/query-cancellation.ts';
import type { RunnerServices } from '../runner.ts';
import type { StepCall } from './context.ts';
import { runInsideStep } from './inside-step.ts';
import type { WorkflowStep } from './steps.ts';
import { transactionSlotsOf } from './transaction-slots.ts';

/** abandoned: given up by us, it does not count. */
export type AttemptOutcome =
  | { readonly kind: 'done'; readonly text: string | null; readonly tookMs: number }
  | { readonly kind: 'failed'; readonly error: unknown; readonly tookMs: number }
  | { readonly kind: 'abandoned' };

export interface AttemptFacts {
  readonly workflow: string;
  readonly instance: number;
  readonly key: string;
  readonly step: string;
  readonly undo: boolean;
  /** 1 for the first. */
  readonly attempt: number;
  readonly timeoutMs: number;
  readonly cause: Cause;
}

/** Stable for all attempts, in every process. */
export const idempotencyKeyOf = ({
  workflow,
  instance,
  step,
  undo,
}: Pick<AttemptFacts, 'workflow' | 'instance' | 'step' | 'undo'>): string =>
  `${workflow}:${instance}:${step}${undo ? ':undo' : ''}`;

/** What an attempt that is a transaction needs beside. */
export interface TransactionPart {
  readonly publisher: string;
  /** Called when the work is done, with what is to be recorded of it and the events: makes the statement that commits it. */
  readonly last: (
    done: { readonly text: string | null; readonly tookMs: number },
    events: string,
  ) => LastStatement;
}

/** Of a result or an input, as JSON. */
export const valueBytesMax = 1_048_576;

/** The result of a step, of an undo or of a function as it is recorded; null for undefined. @throws FactlineError WORKFLOW_RESULT_INVALID */
export const resultText = (workflow: string, what: string, value: unknown): string | null => {
  if (value === undefined) return null;
  const refuse = (reason: string): never => {
    throw new FactlineError('WORKFLOW_RESULT_INVALID', { workflow, what, reason });
  };
  let text: string;
  try {
    text = payloadText(what, value);
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
  const bytes = text.length * 3 > valueBytesMax ? Buffer.byteLength(text) : 0;
  return bytes > valueBytesMax ? refuse(`it takes ${bytes} bytes`) : text;
};

/**
 * One attempt at a step or an undo.
 *
 *   open ──► done | failed
 *     ├── time limit, a call of the function's context ──► failed; its signal aborts, what it still does has no effect
 *     ├── abort, abandon ──► the signal aborts; `abandon` also ends the wait for it
 *     └── COMMIT on its way ──► the COMMIT decides
 */
export class StepAttempt {
  readonly #services: RunnerServices;
  readonly #facts: AttemptFacts;
  readonly #controller = new AbortController();
  #begunMs = 0;
  #phase: 'open' | 'committing' | 'ended' = 'open';
  #end: (outcome: AttemptOutcome) => void = () => {};
  #cancel: ((reason: unknown) => void) | null = null;

  constructor(services: RunnerServices, facts: AttemptFacts) {
    this.#services = services;
    this.#facts = facts;
  }

  /** Asks it to end; it may still finish. */
  abort(): void {
    this.#controller.abort(new FactlineError('STOPPED', { unit: 'the workflow', operation: this.#what }));
  }

  /** Gives it up. A COMMIT that is on its way is not touched. */
  abandon(): void {
    this.abort();
    if (this.#phase === 'open') this.#finish({ kind: 'abandoned' });
  }

  get #what(): string {
    return this.#facts.undo ? `the undo of step ${this.#facts.step}` : `step ${this.#facts.step}`;
  }

  /** Runs the work outside of any transaction of ours. */
  run(work: (call: StepCall) => Promise<unknown>): Promise<AttemptOutcome> {
    return this.#limited(async (call) => {
      const text = resultText(this.#facts.workflow, this.#what, await work(call));
      return text;
    });
  }

  /** Runs the work in one transaction that also records the result, when a connection is free for it. */
  async runTransaction(
    work: (call: StepCall, tx: Tx) => Promise<unknown>,
    part: TransactionPart,
  ): Promise<AttemptOutcome> {
    const slots = transactionSlotsOf(this.#services.database);
    if (!(await slots.enter(this.#controller.signal))) return { kind: 'abandoned' };
    try {
      return await this.#runTransaction(work, part);
    } finally {
      slots.leave();
    }
  }

  #runTransaction(
    work: (call: StepCall, tx: Tx) => Promise<unknown>,
    { publisher, last }: TransactionPart,
  ): Promise<AttemptOutcome> {
    const { database, clock, telemetry, app, tail, testStep } = this.#services;
    const step = (name: WorkflowStep): void | Promise<void> | undefined => testStep?.(name);
    const { instance, step: name, undo } = this.#facts;
    const part = `${instance}:${name}${undo ? ':undo' : ''}`;
    return this.#limited(async (call) => {
      let text: string | null = null;
      const { positions } = await publishingTransaction(
        {
          database,
          pool: database.handlers,
          clock,
          source: app.source,
          telemetry,
          cause: this.#facts.cause,
          nextId: (ordinal) => uuidv8([publisher, part, ordinal]),
          signal: this.#controller.signal,
          last: (events) => {
            if (this.#phase !== 'open') throw this.#closed();
            this.#phase = 'committing';
            return last({ text, tookMs: this.#tookMs }, events);
          },
        },
        async (tx) => {
          const cancellable = cancellableWork(database, tx.client);
          this.#cancel = cancellable.cancel;
          const value = await cancellable.until(work(call, tx)).finally(() => {
            this.#cancel = null;
          });
          text = resultText(this.#facts.workflow, this.#what, value);
          await step('workflow.before-transaction-commit');
        },
      );
      await step('workflow.after-transaction-commit');
      if (positions.length > 0) tail.wake();
      return text;
    });
  }

  async #limited(work: (call: StepCall) => Promise<string | null>): Promise<AttemptOutcome> {
    // Given up before it began: nobody would hear of its end.
    if (this.#phase === 'ended') return { kind: 'abandoned' };
    const { clock } = this.#services;
    const { attempt, timeoutMs } = this.#facts;
    this.#begunMs = clock.monotonic();
    const ended = new Promise<AttemptOutcome>((resolve) => {
      this.#end = resolve;
    });
    const limit = clock.timer(timeoutMs, () => this.#expire());
    const call: StepCall = {
      idempotencyKey: idempotencyKeyOf(this.#facts),
      attempt,
      signal: this.#controller.signal,
    };
    this.#traced(() => work(call)).then(
      (text) => this.#finish({ kind: 'done', text, tookMs: this.#tookMs }),
      (error: unknown) => this.#finish({ kind: 'failed', error, tookMs: this.#tookMs }),
    );
    return ended.finally(() => limit.cancel());
  }

  /** It fails by what it called, as by its time limit: nobody may await that call, and it never answers. */
  #refuse(error: FactlineError): void {
    const { workflow, instance: id, step } = this.#facts;
    if (this.#phase === 'open') this.#fail(error);
    else this.#services.telemetry.emit('workflow.call-refused', { workflow, id, step, error });
  }

  #traced(work: () => Promise<string | null>): Promise<string | null> {
    const { telemetry } = this.#services;
    const { workflow, instance, key, step, undo, attempt, cause } = this.#facts;
    const carried = {
      ...(cause.traceparent ? { traceparent: cause.traceparent } : {}),
      ...(cause.tracestate ? { tracestate: cause.tracestate } : {}),
    };
    const attributes = {
      'factline.workflow': workflow,
      'factline.instance': instance,
      'factline.key': key,
      'factline.step': undo ? `undo ${step}` : step,
      'factline.attempt': attempt,
    };
    return telemetry.withSpan(
      { name: 'factline.workflow.step', attributes, parent: contextOfTrace(carried) },
      () =>
        currentCause.run({ ...cause, ...currentTrace(carried) }, () =>
          runInsideStep({ workflow, what: this.#what, onRefused: (error) => this.#refuse(error) }, work),
        ),
    );
  }

  get #tookMs(): number {
    return Math.round(this.#services.clock.monotonic() - this.#begunMs);
  }

  #expire(): void {
    if (this.#phase === 'ended') return;
    if (this.#phase === 'committing') {
      this.#services.clock.timer(commitGraceMs, () => this.#expire());
      return;
    }
    const { workflow, step, timeoutMs } = this.#facts;
    this.#fail(new FactlineError('WORKFLOW_STEP_TIMEOUT', { workflow, step, limit: `${timeoutMs} ms` }));
  }

  #fail(error: FactlineError): void {
    this.#controller.abort(error);
    this.#finish({ kind: 'failed', error, tookMs: this.#tookMs });
  }

  #finish(outcome: AttemptOutcome): void {
    if (this.#phase === 'ended') return;
    this.#phase = 'ended';
    this.#cancel?.(this.#closed());
    this.#end(outcome);
  }

  #closed(): FactlineError {
    return new FactlineError('TRANSACTION_CLOSED', { operation: `${this.#what} that was given up` });
  }
}

/** How often an attempt past its limit looks whether its COMMIT has answered. */
const commitGraceMs = 50;
