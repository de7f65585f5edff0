import { compensate } from './compensation.ts';
import type { ExecutionRecord } from './execution-record.ts';
import { stuckFields } from './execution-rules.ts';
import type { Departure, ExecutionServices } from './execution-services.ts';
import type { EndingFailure, LoadedInstance, StuckReason } from './instance.ts';
import type { JournalEntry } from './journal.ts';
import type { OpenWaits } from './open-waits.ts';
import { recordFailure } from './recorded-failure.ts';
import type { FunctionEnd, FunctionRun } from './replaying.ts';
import { resultText, type StepAttempt } from './step-attempt.ts';
import { type UndoableStep, undoableSteps } from './undoable-steps.ts';

/** What the end of an instance needs of its execution. */
export interface EndingParts {
  readonly services: ExecutionServices;
  readonly instance: LoadedInstance;
  readonly record: ExecutionRecord;
  readonly run: FunctionRun;
  readonly waits: OpenWaits;
  /** What is known of its calls. */
  readonly entries: ReadonlyMap<number, JournalEntry>;
  /** Flushes what was gathered; false: the instance has left memory. */
  readonly recorded: () => Promise<boolean>;
  /** It is to end as soon as it can. */
  readonly stopped: () => boolean;
  /** It has left memory. */
  readonly closed: () => boolean;
  /** Whether something that began may not be on record. */
  readonly inDoubt: () => boolean;
  readonly compensating: () => void;
  readonly running: (undo: StepAttempt | null) => void;
  readonly depart: (departure: Departure) => void;
}

/*
 * How an instance ends, or comes to a stand. Each way is one flush, and then it leaves memory.
 *
 *   the function returned ──► completed
 *   the function threw ──┬──► failed: there is nothing to take back
 *                        └──► compensating ──► failed, cancelled, or stuck (compensation.ts)
 *   what it did cannot be recorded, or differs from its journal ──► stuck
 */
export class Ending {
  readonly #parts: EndingParts;
  #failure: EndingFailure | null = null;

  constructor(parts: EndingParts) {
    this.#parts = parts;
  }

  finish(end: FunctionEnd): Promise<void> {
    const { waits, record } = this.#parts;
    for (const wait of waits.closeAll()) record.wait(wait);
    return end.kind === 'returned' ? this.#complete(end.value) : this.#fail(end.error);
  }

  async #complete(value: unknown): Promise<void> {
    const { services, record, recorded, depart } = this.#parts;
    let text: string | null;
    try {
      text = resultText(services.workflow.name, 'the function', value);
    } catch (error) {
      return this.park({ reason: 'cannot be recorded', message: recordFailure(error).message });
    }
    record.change({ state: 'completed', resultText: text, held: false, due: 'never' });
    if (!(await recorded())) return;
    const result = text === null ? undefined : (JSON.parse(text) as unknown);
    depart({ kind: 'ended', state: 'completed', result });
  }

  async #fail(error: unknown): Promise<void> {
    const { instance, record, recorded, depart } = this.#parts;
    const failure = { ...recordFailure(error), ...(instance.wasHeld ? { unsettled: true } : {}) };
    this.#failure = failure;
    if (this.#undoable().length === 0) {
      record.change({ state: 'failed', failure, held: false, due: 'never' });
      if (await recorded()) depart({ kind: 'ended', state: 'failed', failure });
      return;
    }
    record.change({ state: 'compensating', ending: 'failed', failure, held: true, due: 'now' });
    if (await recorded()) await this.compensate();
  }

  #undoable(): readonly UndoableStep[] {
    const { run, entries, instance } = this.#parts;
    const failure = this.#failure ?? instance.failure;
    return undoableSteps(run.steps.values(), entries, failure?.unsettled === true);
  }

  /** Takes back what it did. */
  compensate(): Promise<void> {
    const { compensating, ...parts } = this.#parts;
    compensating();
    return compensate({ ...parts, failure: this.#failure, steps: this.#undoable() });
  }

  /** A person is to decide. */
  async park(stuck: StuckReason): Promise<void> {
    const { services, instance, record, inDoubt, closed, depart } = this.#parts;
    // Nothing of what is not recorded yet counts: it is what could not be.
    record.take();
    record.change({ state: 'stuck', stuck, held: inDoubt(), due: 'never' });
    const result = await record.flush();
    if (closed()) return;
    if (result.kind !== 'recorded') return depart({ kind: 'stale' });
    const { id, key } = instance;
    const workflow = services.workflow.name;
    services.runner.telemetry.emit('workflow.stuck', { workflow, id, key, ...stuckFields(stuck) });
    depart({ kind: 'ended', state: 'stuck' });
  }
}
