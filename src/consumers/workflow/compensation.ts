import type { Tx } from '../../log/index.ts';
import type { StepRequest } from './calls.ts';
import type { StepCall } from './context.ts';
import type { ExecutionRecord } from './execution-record.ts';
import { countedAttempts, nextDelayMs, outdatedBy, pendingEntry } from './execution-rules.ts';
import type { Departure, ExecutionServices } from './execution-services.ts';
import type { LoadedInstance } from './instance.ts';
import type { JournalEntry, RecordedFailure } from './journal.ts';
import { recordFailure } from './recorded-failure.ts';
import { type AttemptOutcome, idempotencyKeyOf, StepAttempt } from './step-attempt.ts';
import type { UndoableStep } from './undoable-steps.ts';

/*
 * Taking back what an instance did: one undo at a time, the last step first, each with a row of its own. The undo of a transaction
 * commits with its row.
 *
 *   next step ──► done or skipped: the next one ──► … ──► none left: failed or cancelled
 *      ├── fails, tried again ──► recorded with its moment, out of memory until then
 *      └── fails for good ──► stuck: a person retries it, or skips it with evidence
 */
export interface Compensation {
  readonly services: ExecutionServices;
  readonly instance: LoadedInstance;
  readonly record: ExecutionRecord;
  /** Why it compensates. */
  readonly failure: RecordedFailure | null;
  /** The last one first. */
  readonly steps: readonly UndoableStep[];
  /** Flushes what was gathered; false: the instance has left memory. */
  readonly recorded: () => Promise<boolean>;
  /** It is to end as soon as it can. */
  readonly stopped: () => boolean;
  readonly running: (attempt: StepAttempt | null) => void;
  readonly depart: (departure: Departure) => void;
}

/** Whether to go on with the step before. */
type Progress = 'next' | 'over';

export const compensate = async (compensation: Compensation): Promise<void> => {
  const { instance, record, steps, recorded, depart } = compensation;
  const undone = new Map(instance.journal.filter(({ undo }) => undo).map((entry) => [entry.ordinal, entry]));
  const forward = new Set(instance.journal.filter(({ undo }) => !undo).map(({ ordinal }) => ordinal));
  // What is in doubt stands on record from here on, whoever goes on.
  for (const { entry, inDoubt } of steps)
    if (inDoubt && !forward.has(entry.ordinal)) record.row({ entry, valueText: null });
  if (!record.empty && !(await recorded())) return;
  for (const step of steps) {
    if (compensation.stopped()) return depart({ kind: 'frozen' });
    const known = undone.get(step.entry.ordinal);
    if (known?.state === 'done' || known?.state === 'skipped') continue;
    if (known?.state === 'pending' && !known.due) {
      record.change({ held: false, due: 'rest' });
      if (await recorded()) depart({ kind: 'resting', dueMs: null });
      return;
    }
    if ((await undoStep(compensation, step, known?.attempts ?? 0)) === 'over') return;
  }
  const state = instance.ending ?? 'failed';
  record.change({ state, held: false, due: 'never' });
  const failure = compensation.failure ?? instance.failure;
  if (await recorded()) depart({ kind: 'ended', state, ...(failure === null ? {} : { failure }) });
};

const undoStep = async (
  compensation: Compensation,
  step: UndoableStep,
  attemptsBefore: number,
): Promise<Progress> => {
  const { services, record, recorded, depart } = compensation;
  const attempts = attemptsBefore + 1;
  const outcome = await attemptUndo(compensation, step, attempts);
  if (outcome.kind === 'abandoned' || (outcome.kind === 'failed' && compensation.stopped())) {
    depart({ kind: 'frozen' });
    return 'over';
  }
  const { name } = step.entry;
  const base = undoEntry(step, attempts);
  const { tookMs } = outcome;
  const { kind } = step.request;
  if (outcome.kind === 'done') {
    if (kind === 'transaction') return 'next';
    record.row({ entry: { ...base, state: 'done' }, valueText: null, tookMs });
    return (await recorded()) ? 'next' : 'over';
  }
  const outdated = kind === 'transaction' ? outdatedBy(outcome.error) : null;
  if (outdated !== null) {
    depart({ kind: outdated });
    return 'over';
  }
  const error = recordFailure(outcome.error);
  const { randomness, telemetry } = services.runner;
  const { id } = compensation.instance;
  const workflow = services.workflow.name;
  telemetry.emit('workflow.step-failed', {
    workflow,
    id,
    step: `undo ${name}`,
    attempt: attempts,
    error: outcome.error,
  });
  const delayMs = nextDelayMs(step.request.policy, { attempts, error: outcome.error, randomness });
  if (delayMs === null) {
    record.row({ entry: { ...base, state: 'failed', error }, valueText: null, tookMs });
    await getStuck(compensation, {
      step: name,
      message: `the undo of step ${name} failed: ${error.message}`,
    });
    return 'over';
  }
  const counted = countedAttempts(attempts, outcome.error);
  record.row({
    entry: { ...base, attempts: counted, state: 'pending', error },
    valueText: null,
    delayMs,
    tookMs,
  });
  record.change({ held: false, due: 'rest' });
  if (await recorded()) depart({ kind: 'resting', dueMs: null });
  return 'over';
};

/** A person is to decide: the state is the end of what the engine does by itself. */
const getStuck = async (
  { services, instance, record, recorded, depart }: Compensation,
  { step, message }: { readonly step: string; readonly message: string },
): Promise<void> => {
  const reason = 'compensation failed';
  record.change({ state: 'stuck', stuck: { reason, message, step }, held: false, due: 'never' });
  if (!(await recorded())) return;
  const { id, key } = instance;
  services.runner.telemetry.emit('workflow.stuck', {
    workflow: services.workflow.name,
    id,
    key,
    reason,
    message,
  });
  depart({ kind: 'ended', state: 'stuck' });
};

const undoEntry = ({ entry: { ordinal, name }, request }: UndoableStep, attempts: number): JournalEntry => ({
  ...pendingEntry({ ordinal, name, request }, attempts),
  undo: true,
  kind: 'step',
});

const attemptUndo = async (
  { services, instance, record, running }: Compensation,
  step: UndoableStep,
  attempt: number,
): Promise<AttemptOutcome> => {
  const { runner, workflow } = services;
  const { entry, request, inDoubt } = step;
  const undo = request.undo as NonNullable<StepRequest['undo']>;
  const facts = { workflow: workflow.name, instance: instance.id, key: instance.key, step: entry.name };
  const { timeoutMs } = request;
  const made = new StepAttempt(runner, { ...facts, undo: true, attempt, timeoutMs, cause: record.cause });
  const stepKey = idempotencyKeyOf({ ...facts, undo: false });
  const result = inDoubt ? undefined : entry.value;
  const work = (call: StepCall, tx?: Tx): Promise<void> =>
    undo(result, { ...call, stepKey, inDoubt, ...(tx === undefined ? {} : { tx }) });
  running(made);
  try {
    await runner.testStep?.('workflow.before-undo');
    const outcome = await (request.kind === 'step'
      ? made.run((call) => work(call))
      : made.runTransaction(work, {
          publisher: `workflow:${instance.workflowId}`,
          last: ({ tookMs }, events) => {
            const entry: JournalEntry = { ...undoEntry(step, attempt), state: 'done' };
            return record.alone({ entry, valueText: null, tookMs }, events);
          },
        }));
    await runner.testStep?.('workflow.after-undo');
    return outcome;
  } finally {
    running(null);
  }
};
