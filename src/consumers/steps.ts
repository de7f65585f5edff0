import type { TestStep } from './runner.ts';

/** Every step of the shared engine that the crash explorer can stop at, in the order a lane meets them. */
export const engineSteps = [
  'engine.before-take',
  'engine.after-take',
  'engine.before-work',
  'engine.before-release',
  'engine.after-release',
  'engine.before-hand-over',
  'engine.after-hand-over',
  'engine.before-answer',
  'engine.after-answer',
] as const;

export type EngineStep = (typeof engineSteps)[number];

/** Reaches a step; nothing happens outside tests. */
export const reachStep = async (testStep: TestStep | undefined, step: EngineStep): Promise<void> => {
  if (testStep !== undefined) await testStep(step);
};
