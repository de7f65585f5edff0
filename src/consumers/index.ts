export { type LiveDanger, nextRate, readLiveDanger } from './ceiling/index.ts';
export type { ConsumerClass, ConsumerClasses, Preparation } from './consumer-class.ts';
export {
  type ConsumerDefinition,
  contractSetOf,
  isConsumerDefinition,
  laneFor,
  type Ordering,
  orderingKey,
  orderingKeyHash,
  withUpcasters,
} from './definition.ts';
export {
  type DryRunError,
  type DryRunOptions,
  type DryRunOutcome,
  dryRun,
  type RowDifference,
} from './dry-run/index.ts';
export {
  type ConsumerEngine,
  type ConsumerEngineOptions,
  createConsumerEngine,
  type RunningConsumer,
} from './engine.ts';
export { refuseTwoHandlers } from './handlers-of-commands.ts';
export { sessionLockSpace } from './membership/membership.ts';
export type { RunningCode, RunningConsumerCode } from './membership/running-code.ts';
export {
  defineHandler,
  type EffectCall,
  type EffectOptions,
  type Handler,
  type HandlerContext,
  type HandlerDeclaration,
  type OnReplay,
  type OnUnknown,
  operationalClass,
  operationalSteps,
  redeliverySteps,
} from './operational/index.ts';
export {
  type Build,
  type BuildStage,
  type Column,
  type ColumnType,
  type ColumnValue,
  type Comparison,
  compareBuilds,
  type Difference,
  defineProjection,
  defineSqlProjection,
  evolveRow,
  type FoldingProjection,
  foldingProjection,
  type KeyOf,
  type Projection,
  type ProjectionOptions,
  type ProjectionStep,
  type ProjectionTx,
  projectionClass,
  projectionSteps,
  type ReadOptions,
  type ReadPlace,
  type ReadRequest,
  type RowData,
  type RowKey,
  type RowOf,
  readBuilds,
  readProjection,
  retireBuild,
  rowKey,
  rowKeysOf,
  rowKeyText,
  type SqlProjection,
  type SqlProjectionOptions,
  type Switched,
  type Switching,
  stageSentences,
  switchBuild,
  withoutValues,
} from './projection/index.ts';
export {
  findUnknownConsumers,
  type UnknownConsumer,
} from './registration/register.ts';
export type {
  AppIdentity,
  ConsumerRunner,
  ConsumerState,
  LaneLease,
  LaneProgress,
  OwnerAnswer,
  OwnerRequest,
  Pause,
  RegisteredConsumer,
  RunnerProgress,
  RunnerServices,
  TestStep,
} from './runner.ts';
export { type EngineStep, engineSteps } from './steps.ts';
export {
  type AnyWorkflow,
  defineWorkflow,
  isWorkflow,
  type Step,
  type StepCall,
  type StepOptions,
  type StepRetry,
  type Workflow,
  type WorkflowContext,
  type WorkflowDeclaration,
} from './workflow/index.ts';
