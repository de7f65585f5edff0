import type { Call, StepRequest } from './calls.ts';
import type { ExecutionRecord } from './execution-record.ts';
import { countedAttempts, nextDelayMs, outdatedBy, pendingEntry } from './execution-rules.ts';
import type { ExecutionServices } from './execution-services.ts';
import type { LoadedInstance } from './instance.ts';
import type { JournalEntry } from './journal.ts';
import { recordFailure } from './recorded-failure.ts';
import { type AttemptOutcome, StepAttempt } from './step-attempt.ts';

/** A call has its result. */
export interface Outcome {
  readonly call: Call;
  readonly entry: JournalEntry;
  readonly valueText: string | null;
  readonly tookMs?: number;
  /** Of a transaction: recorded with its commit. */
  readonly recorded?: true;
}

/** What the steps of an instance tell it. */
export interface StepListener {
  /** Results, in the order in which they are to be handed over; `first`: before all others. */
  onOutcomes(outcomes: readonly Outcome[], options: { readonly first: boolean }): void;
  /** It failed, and is tried again after so many milliseconds. */
  onRetry(entry: JournalEntry, delays: { readonly delayMs: number; readonly tookMs: number }): void;
  /** It was cut off, and may have happened; so many attempts have ended. */
  onCutOff(call: Call, attempts: number): void;
  /** What is in memory is not what is stored. */
  onOutdated(kind: 'lost' | 'stale'): void;
  /** Takes the next place among the results. */
  reserve(): number;
  phase(): string;
}

interface Begun {
  readonly attempt: StepAttempt;
  readonly request: StepRequest;
  readonly attempts: number;
}

/** The steps of one instance that run now. */
export class StepRunner {
  readonly #services: ExecutionServices;
  readonly #instance: LoadedInstance;
  readonly #record: ExecutionRecord;
  readonly #listener: StepListener;
  readonly #attempts = new Map<number, StepAttempt>();
  /** Transactions that have committed while another one was about to. */
  #committed: Outcome[] = [];
  #committing = 0;

  constructor(
    services: ExecutionServices,
    of: { readonly instance: LoadedInstance; readonly record: ExecutionRecord },
    listener: StepListener,
  ) {
    this.#services = services;
    this.#instance = of.instance;
    this.#record = of.record;
    this.#listener = listener;
  }

  get size(): number {
    return this.#attempts.size;
  }

  /** A transaction is about to commit its record: no other result may be handed over meanwhile. */
  get committing(): boolean {
    return this.#committing > 0;
  }

  has(ordinal: number): boolean {
    return this.#attempts.has(ordinal);
  }

  abort(): void {
    for (const attempt of this.#attempts.values()) attempt.abort();
  }

  abandon(): void {
    for (const attempt of this.#attempts.values()) attempt.abandon();
  }

  /** An undo that runs now; null: it has ended. */
  watch(attempt: StepAttempt | null): void {
    if (attempt === null) this.#attempts.clear();
    else this.#attempts.set(0, attempt);
  }

  /** Makes one attempt; `attempts`: so many were made before. */
  async run(call: Call, attempts: number): Promise<void> {
    const request = call.request as StepRequest;
    const { runner, workflow } = this.#services;
    const { id, key } = this.#instance;
    const attempt = new StepAttempt(runner, {
      workflow: workflow.name,
      instance: id,
      key,
      step: call.name,
      undo: false,
      attempt: attempts + 1,
      timeoutMs: request.timeoutMs,
      cause: this.#record.cause,
    });
    this.#attempts.set(call.ordinal, attempt);
    await runner.testStep?.('workflow.before-step');
    const begun = { attempt, request, attempts: attempts + 1 };
    if (request.kind === 'transaction') return this.#runTransaction(call, begun);
    const outcome = await attempt.run((stepCall) => request.run(stepCall, null));
    await runner.testStep?.('workflow.after-step');
    this.#attempts.delete(call.ordinal);
    if (this.#listener.phase() !== 'closed') this.#ended(call, { outcome, attempts: attempts + 1 });
  }

  #ended(
    call: Call,
    { outcome, attempts }: { readonly outcome: AttemptOutcome; readonly attempts: number },
  ): void {
    const isCutOff = outcome.kind !== 'done' && this.#listener.phase() === 'freezing';
    // It is begun again by whoever goes on.
    if (isCutOff || outcome.kind === 'abandoned') {
      this.#listener.onCutOff(call, attempts - 1);
      return;
    }
    const { tookMs } = outcome;
    const base = pendingEntry(call, attempts);
    if (outcome.kind === 'done') {
      const entry: JournalEntry = { ...base, state: 'done', value: parsed(outcome.text) };
      this.#listener.onOutcomes([{ call, entry, valueText: outcome.text, tookMs }], { first: false });
      return;
    }
    const error = recordFailure(outcome.error);
    this.#tellFailure(call, outcome.error, attempts);
    const { policy } = call.request as StepRequest;
    const { randomness } = this.#services.runner;
    const delayMs = nextDelayMs(policy, { attempts, error: outcome.error, randomness });
    if (delayMs !== null) {
      const counted = countedAttempts(attempts, outcome.error);
      this.#listener.onRetry({ ...base, attempts: counted, error }, { delayMs, tookMs });
      return;
    }
    const entry: JournalEntry = { ...base, state: 'failed', error };
    this.#listener.onOutcomes([{ call, entry, valueText: null, tookMs }], { first: false });
  }

  /** The commit of its transaction is its record; other results wait meanwhile, as its place among them is taken. */
  async #runTransaction(call: Call, { attempt, request, attempts }: Begun): Promise<void> {
    let reserved: number | null = null;
    const outcome = await attempt.runTransaction((stepCall, tx) => request.run(stepCall, tx), {
      publisher: `workflow:${this.#instance.workflowId}`,
      last: ({ text, tookMs }, events) => {
        this.#committing += 1;
        reserved = this.#listener.reserve();
        const entry: JournalEntry = { ...pendingEntry(call, attempts), state: 'done', completion: reserved };
        return this.#record.alone({ entry, valueText: text, tookMs }, events);
      },
    });
    if (reserved !== null) this.#committing -= 1;
    this.#attempts.delete(call.ordinal);
    if (this.#listener.phase() === 'closed') return;
    if (outcome.kind === 'failed') {
      const outdated = outdatedBy(outcome.error);
      if (outdated !== null) return this.#listener.onOutdated(outdated);
    }
    if (outcome.kind === 'done') {
      const value = parsed(outcome.text);
      const entry: JournalEntry = {
        ...pendingEntry(call, attempts),
        state: 'done',
        completion: reserved,
        value,
      };
      this.#committed.push({ call, entry, valueText: outcome.text, recorded: true });
    } else this.#ended(call, { outcome, attempts });
    if (this.#committing > 0) return;
    // In the order in which their places were taken.
    const committed = this.#committed.splice(0);
    committed.sort((left, right) => (left.entry.completion ?? 0) - (right.entry.completion ?? 0));
    this.#listener.onOutcomes(committed, { first: true });
  }

  #tellFailure({ name }: Call, error: unknown, attempt: number): void {
    const { telemetry } = this.#services.runner;
    const workflow = this.#services.workflow.name;
    telemetry.emit('workflow.step-failed', { workflow, id: this.#instance.id, step: name, attempt, error });
    telemetry.metrics.count('factline_workflow_step_failures_total', { workflow });
  }
}

const parsed = (text: string | null): unknown => (text === null ? undefined : (JSON.parse(text) as unknown));
