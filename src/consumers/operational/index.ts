/** Operational consumers: `defineHandler`, and the runner that works their lanes. */
import type { ConsumerClass } from '../consumer-class.ts';
import type { Handler } from './handler.ts';
import { createOperationalRunner } from './operational-runner.ts';

export { defineHandler, type HandlerDeclaration, type RetryDeclaration } from './define-handler.ts';
export type {
  EffectCall,
  EffectOptions,
  EventPlace,
  Handler,
  HandlerContext,
  JsonResult,
  OnReplay,
  OnUnknown,
  OwnCommit,
  Rate,
} from './handler.ts';
export { operationalSteps, redeliverySteps } from './steps.ts';

/** What the shared engine needs of this class. */
export const operationalClass: ConsumerClass = {
  // The engine hands each class only definitions of its own.
  createRunner: (definition, services) => createOperationalRunner(definition as Handler, services),
};
