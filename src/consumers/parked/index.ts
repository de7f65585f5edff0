/** Retry and quarantine: one place for both classes of consumers (ENGINE.md §5). */
export { describeFailure, type FailureCause, type FailureDescription } from './describe-failure.ts';
export type { Disposition } from './disposition.ts';
export { classifyFailure, type ParkedFailureClass, retryAfterMs } from './failure-class.ts';
export {
  type DiscardRequest,
  type DueKeys,
  discardRow,
  dueKeys,
  type Fence,
  fencesOf,
  findParked,
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
  type RowOutcome,
  type RowRequest,
  releaseRow,
  type TakenRow,
  type TakenRows,
  takeRows,
} from './repository.ts';
