import { AsyncLocalStorage } from 'node:async_hooks';
import { FactlineError } from '../../foundation/index.ts';

export interface RunningStep {
  readonly workflow: string;
  /** `step charge`, or `the undo of step charge`. */
  readonly what: string;
  /** It has called the context of its function. */
  readonly onRefused: (error: FactlineError) => void;
}

/** Whose code runs. Timers and promises carry it on, also to where another instance is begun, so a function begins outside. */
const running = new AsyncLocalStorage<RunningStep | null>();

export const runInsideStep = <T>(step: RunningStep, work: () => T): T => running.run(step, work);

export const runOutsideSteps = <T>(work: () => T): T => running.run(null, work);

/** The refusal of a call that is made inside of a step, which is told of it: whoever made the call may not await the answer. Null: it is not. */
export const refusalInsideStep = (call: string): FactlineError | null => {
  const step = running.getStore();
  if (!step) return null;
  const { workflow, what, onRefused } = step;
  const error = new FactlineError('WORKFLOW_CALL_INSIDE_STEP', { call, workflow, what });
  onRefused(error);
  return error;
};
