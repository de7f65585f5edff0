/** What operations know of workflows: their instances as people look for them, and how they stand. */
export {
  type DetailLimits,
  type InstanceDetail,
  type OpenRequest,
  type Repair,
  type ShownValue,
  type StoredDifference,
  showInstance,
  type TimelineEntry,
} from './instance-detail.ts';
export {
  findInstance,
  type InstanceFilter,
  type InstanceState,
  type InstanceSummary,
  instanceStates,
  listInstances,
  livingStates,
  type ReceivedEvent,
  readReceivedEvents,
} from './instances.ts';
export {
  type PatchPreview,
  previewPatch,
  readJournal,
  refuseUnlessFailing,
  sampleLiving,
} from './journals.ts';
export { countStuck, type ExecutorFacts, isExecutor, withWorkflows } from './measuring-workflows.ts';
export { findWorkflows, type StoredWorkflow } from './stored-workflows.ts';
export { parseJournal, type VerifiedJournal, verifyAgainst } from './verifying.ts';
export type {
  LivingState,
  VersionFacts,
  VersionStanding,
  WorkflowFacts,
  WorkflowStanding,
} from './workflow-facts.ts';
