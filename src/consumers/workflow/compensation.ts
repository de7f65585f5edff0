import type { StepRequest } from './calls.ts';
import type { ExecutionRecord } from './execution-record.ts';
import { countedAttempts, nextDelayMs } from './execution-rules.ts';
import type { Departure, ExecutionServices } from './execution-services.ts';
import type { LoadedInstance } from './instance.ts';
import type { JournalEntry, RecordedFailure } from './journal.ts';
import { recordFailure } from './recorded-failure.ts';
import { type AttemptOutcome, StepAttempt } from './step-attempt.ts';

/*
 * Taking back what an instance did: one undo at a time, the last finished step first, each with a row of its own.
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
  /** Finished steps with an undo, the last one first. */
  readonly steps: readonly { readonly entry: JournalEntry; readonly request: StepRequest }[];
  /** Flushes what was gathered; false: the instance has left memory. */
  readonly recorded: () => Promise<boolean>;
  /** It is to end as soon as it can. */
  readonly stopped: () => boolean;
  readonly running: (attempt: StepAttempt | null) => void;
  readonly depart: (departure: Departure) => void;
}

type Step = Compensation['steps'][number];

/** Whether to go on with the step before. */
type Progress = 'next' | 'over';

export const compensate = async (compensation: Compensation): Promise<void> => {
  const { instance, record, steps, recorded, depart } = compensation;
  const undone = new Map(instance.journal.filter(({ undo }) => undo).map((entry) => [entry.ordinal, entry]));
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
  step: Step,
  attemptsBefore: number,
): Promise<Progress> => {
  const { services, record, recorded, depart } = compensation;
  const attempts = attemptsBefore + 1;
  const outcome = await attemptUndo(compensation, step, attempts);
  if (outcome.kind === 'abandoned' || (outcome.kind === 'failed' && compensation.stopped())) {
    depart({ kind: 'frozen' });
    return 'over';
  }
  const { ordinal, name } = step.entry;
  const base = {
    undo: true,
    ordinal,
    kind: 'step',
    name,
    attempts,
    completion: null,
    value: undefined,
  } as const;
  const { tookMs } = outcome;
  if (outcome.kind === 'done') {
    record.row({ entry: { ...base, state: 'done', error: null }, valueText: null, tookMs });
    return (await recorded()) ? 'next' : 'over';
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

const attemptUndo = async (
  { services, instance, record, running }: Compensation,
  { entry, request }: Step,
  attempt: number,
): Promise<AttemptOutcome> => {
  const { runner, workflow } = services;
  const undo = request.undo as NonNullable<StepRequest['undo']>;
  const made = new StepAttempt(runner, {
    workflow: workflow.name,
    instance: instance.id,
    key: instance.key,
    step: entry.name,
    undo: true,
    attempt,
    timeoutMs: request.timeoutMs,
    cause: record.cause,
  });
  running(made);
  try {
    await runner.testStep?.('workflow.before-undo');
    const outcome = await made.run(async (call) => undo(entry.value, call));
    await runner.testStep?.('workflow.after-undo');
    return outcome;
  } finally {
    running(null);
  }
};
