export {
  type ConsumerDefinition,
  globalKey,
  keyVersion,
  laneFor,
  type Ordering,
  orderingKey,
  orderingKeyHash,
} from './definition.ts';
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
