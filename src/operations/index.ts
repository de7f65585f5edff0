/** The room `operations`: lag measured at the source, and the verdicts made of it. Knows no HTTP. */

export { type DoctorOptions, examine, type Finding } from './doctor.ts';
export { countText, durationText } from './duration-text.ts';
export {
  type CausalLinks,
  type DeliveredEvent,
  type Delivery,
  findEvent,
  findLinks,
  type LastEvents,
  type LoggedEvent,
  lastEvents,
  readDeliveries,
} from './events.ts';
export {
  type ContractEvidence,
  checkAgainstLog,
  type DryRunFailure,
  type DryRunSummary,
  handledTypes,
  type LogEvidence,
  type LogSample,
  membersText,
  observedInDryRun,
  observedInLog,
  observedTogether,
  type Refusal,
  type RefusedEvent,
  readSample,
  type SampledEvent,
  type SampledSpan,
  summariseDryRun,
  type VersionEvidence,
} from './evidence/index.ts';
export type {
  ConsumerClassName,
  ConsumerFacts,
  OldestUnhandled,
  OwnerFacts,
  RunnerFacts,
  TailIncident,
  Trend,
  VerdictContext,
} from './facts.ts';
export { type LiveContracts, liveContracts } from './live-contracts.ts';
export { createMeter, type MeasureOptions, type Meter, type MeterOptions, measure } from './meter.ts';
export { ObjectiveSampler, type ObjectiveSamplerOptions } from './objective-sampler.ts';
export { payloadSizes } from './payload-sizes.ts';
export {
  type ConsumerRecord,
  findConsumer,
  listParked,
  type ParkedDetail,
  type ParkedFilter,
  type ParkedStateName,
  type ParkedSummary,
  showParked,
} from './quarantine.ts';
export {
  type AnswerWait,
  awaitAnswer,
  awaitRetry,
  type PersonsRequest,
  type RequestAnswer,
  type RetryOutcome,
  sendRequest,
} from './requesting.ts';
export { beginEpoch, type NewEpoch, type RestoredState, readRestoredState } from './restoring.ts';
export {
  readContractTerms,
  readKeyMask,
  readTermsOfTypes,
  type StoredTerms,
  storeContractTerms,
  termsOf,
} from './triage/contract-terms.ts';
export { consumerOfDiscarded, type DiscardedEvent, listDiscarded } from './triage/discards.ts';
export { driveReleases } from './triage/drive-releases.ts';
export { type Edit, editParked, listEdits, type StoredEdit } from './triage/edits.ts';
export { assignGroup, noteOnGroup, snoozeGroup } from './triage/group-acts.ts';
export { findGroup, type GroupNote, listGroups, listNotes, type QuarantineGroup } from './triage/groups.ts';
export { readPatch } from './triage/json-patch.ts';
export { masked } from './triage/masking.ts';
export type { PayloadChange } from './triage/payload-changes.ts';
export {
  beginRelease,
  canaryMax,
  cancelRelease,
  type FrozenSelection,
  findRelease,
  listReleases,
  type Release,
  rateMax,
} from './triage/releases.ts';
export { watchQuarantine } from './triage/watch.ts';
export type {
  QuarantineCounts,
  Reason,
  ReasonCode,
  Verdict,
  VerdictBreaker,
  VerdictName,
} from './verdict.ts';
export { VerdictMetrics } from './verdict-metrics.ts';
