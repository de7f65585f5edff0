/** What the log and the database say about contracts and consumers. */
export {
  type ContractEvidence,
  checkAgainstLog,
  type LogEvidence,
  membersText,
  type Refusal,
  type RefusedEvent,
  type VersionEvidence,
} from './check-against-log.ts';
export { type DryRunFailure, type DryRunSummary, summariseDryRun } from './dry-run-summary.ts';
export { handledTypes } from './handled-types.ts';
export { observedInDryRun, observedInLog, observedTogether } from './observed.ts';
export { type LogSample, type ParkedAt, readSample, type SampledEvent, type SampledSpan } from './sample.ts';
