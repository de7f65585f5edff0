/** Workflows: durable functions. `defineWorkflow`, and what routes events to instances and runs them. */
export type {
  Step,
  StepCall,
  StepOptions,
  StepRetry,
  WaitFor,
  WaitKey,
  WaitOptions,
  WorkflowContext,
} from './context.ts';
export { defineWorkflow } from './define-workflow.ts';
export {
  type AnyWorkflow,
  isWorkflow,
  type OnDuplicate,
  type Workflow,
  type WorkflowDeclaration,
} from './definition.ts';
