export type { ConsumerClass, ConsumerClasses, Preparation } from './consumer-class.ts';
export {
  type ConsumerDefinition,
  globalKey,
  isConsumerDefinition,
  keyVersion,
  laneFor,
  type Ordering,
  orderingKey,
  orderingKeyHash,
} from './definition.ts';
export {
  type ConsumerEngine,
  type ConsumerEngineOptions,
  createConsumerEngine,
  type RunningConsumer,
  requestChannel,
} from './engine.ts';
export { sessionLockSpace } from './membership/membership.ts';
export {
  type Column,
  type ColumnType,
  type ColumnValue,
  contractsByType,
  defineProjection,
  defineSqlProjection,
  evolveRow,
  type FoldingProjection,
  foldingProjection,
  type KeyOf,
  openEvent,
  type Projection,
  type ProjectionOptions,
  type ProjectionTx,
  type RowData,
  type RowKey,
  type RowOf,
  rowKey,
  rowKeysOf,
  rowKeyText,
  type SqlProjection,
  type SqlProjectionOptions,
} from './projection/index.ts';
export {
  findUnknownConsumers,
  insertConsumer,
  type NewConsumer,
  type UnknownConsumer,
} from './registration/register.ts';
export {
  type AppIdentity,
  type ConsumerRunner,
  type ConsumerState,
  type LaneLease,
  type LaneProgress,
  noBarrier,
  type OwnerAnswer,
  type OwnerRequest,
  type Pause,
  type RegisteredConsumer,
  type RunnerProgress,
  type RunnerServices,
  type TestStep,
} from './runner.ts';
