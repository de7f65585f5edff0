import { AsyncLocalStorage } from 'node:async_hooks';
import { FactlineError } from '../../foundation/index.ts';

export interface RunningStep {
  readonly workflow: string;
  /** `step charge`, or `the undo of step charge`. */
  readonly what: string;
}

/** Whose code runs. Timers and promises carry it on, also to where another instance is begun, so a function begins outside. */
const running = new AsyncLocalStorage<RunningStep | null>();

export const runInsideStep = <T>(step: RunningStep, work: () => T): T => running.run(step, work);

export const runOutsideSteps = <T>(work: () => T): T => running.run(null, work);

/** @throws FactlineError WORKFLOW_CALL_INSIDE_STEP */
export const refuseInsideStep = (call: string): void => {
  const step = running.getStore();
  if (step) throw new FactlineError('WORKFLOW_CALL_INSIDE_STEP', { call, ...step });
};
