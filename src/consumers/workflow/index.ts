/** Workflows: durable functions. `defineWorkflow`, and what routes events to instances and runs them. */

export { type FoundInstance, InstanceEnds, type InstanceStanding, resultOf } from './awaiting.ts';
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
export type { InstanceCause, InstanceState, StuckReason } from './instance.ts';
export type { CallKind, EntryState, JournalEntry, RecordedFailure } from './journal.ts';
export { purgeMail } from './mailbox.ts';
export type { Difference } from './replaying.ts';
export { checkedKey } from './router.ts';
export { Starter } from './starter.ts';
export type { Start } from './starting.ts';
export { resultText as recordedText } from './step-attempt.ts';
export { type WorkflowStep, workflowSteps } from './steps.ts';
export { type JournalVerdict, verifyJournal, type WorkflowJournal } from './verify.ts';
export {
  type ExecutorDefinition,
  executorName,
  type SortedDefinitions,
  sortDefinitions,
} from './versions.ts';
export { workflowClass } from './workflow-class.ts';
