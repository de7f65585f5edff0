/** The room `operations`: lag measured at the source, and the verdicts made of it. Knows no HTTP. */

export type { AlertClass } from './alerts/alert-classes.ts';
export { deliverAlerts } from './alerts/deliver.ts';
export { type AlertChange, evaluateAlerts, evaluateEveryMs } from './alerts/evaluate.ts';
export { type ListedAlert, type ListedReceiver, listAlerts, listReceivers } from './alerts/listing.ts';
export { type DeclaredPromise, prometheusRules } from './alerts/prometheus-rules.ts';
export {
  type AlertOptions,
  type AlertReceiver,
  type CheckedReceiver,
  checkAlerts,
  type MailTransport,
} from './alerts/receivers.ts';
export {
  type BackfillEstimate,
  beginBackfill,
  estimateBackfill,
  runBackfill,
} from './backfill/backfill.ts';
export { type DoctorOptions, examine } from './doctor.ts';
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
export type { Finding } from './finding.ts';
export { type LiveContracts, liveContracts } from './live-contracts.ts';
export { createMeter, type MeasureOptions, type Meter, type MeterOptions, measure } from './meter.ts';
export { ObjectiveSampler, type ObjectiveSamplerOptions } from './objective-sampler.ts';
export { resumeDue } from './pausing.ts';
export { payloadSizes } from './payload-sizes.ts';
export { claimProbe, ProbeSent, probeEveryMs, probeHandler, switchProbes } from './probes/probe.ts';
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
export { type SystemEvents, systemEvents } from './system-events/contracts.ts';
export { publishFacts, switchSystemEvents, systemFactsWait } from './system-events/publish-facts.ts';
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
export { listRedirects, redirectGroup, redirectParked, type StoredRedirect } from './triage/redirects.ts';
export {
  beginRelease,
  canaryMax,
  cancelRelease,
  type FrozenSelection,
  findRelease,
  listReleases,
  type Release,
  type ReleaseRequest,
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
export {
  countStuck,
  type DetailLimits,
  findInstance,
  findWorkflows,
  type InstanceDetail,
  type InstanceFilter,
  type InstanceState,
  type InstanceSummary,
  instanceStates,
  type LivingState,
  listInstances,
  livingStates,
  type OpenRequest,
  parseJournal,
  previewPatch,
  type ReceivedEvent,
  type Repair,
  readJournal,
  readReceivedEvents,
  refuseUnlessFailing,
  type ShownValue,
  type StoredDifference,
  type StoredWorkflow,
  sampleLiving,
  showInstance,
  type TimelineEntry,
  type VerifiedJournal,
  verifyAgainst,
} from './workflows/index.ts';
