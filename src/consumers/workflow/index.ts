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
export type { CallKind, EntryState, JournalEntry, RecordedFailure } from './journal.ts';
export type { Difference } from './replaying.ts';
export { type JournalVerdict, verifyJournal, type WorkflowJournal } from './verify.ts';
