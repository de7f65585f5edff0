/** Retry and quarantine: one place for both classes of consumers (ENGINE.md §5). */
export { describeFailure, type FailureCause, type FailureDescription } from './describe-failure.ts';
export {
  type DiscardedRecord,
  type DiscardRequest,
  discardRow,
  findDiscarded,
  obstacleToRestoring,
  type RowOutcome,
  restoreRows,
} from './discards.ts';
export type { Disposition } from './disposition.ts';
export { classifyFailure, type ParkedFailureClass, retryAfterMs } from './failure-class.ts';
export {
  type DueKeys,
  dueKeys,
  editedEvent,
  type Fence,
  fencesOf,
  findParked,
  findParkedRows,
  type LaneSet,
  type ParkedHead,
  type ParkedRecord,
  type ParkedScope,
  type ParkedState,
  type ParkFailure,
  type ParkRequest,
  type ParkResult,
  type ParkRow,
  park,
  parkedHeads,
  parkedPositionsAbove,
  type ReleasedRow,
  type ReleaseResult,
  releaseRows,
  type TakenRow,
  type TakenRows,
  takeRows,
} from './repository.ts';
