/** Dry runs: a consumer handles events of the log with its current code, and nothing of it stays. */
export { type DryRunError, type DryRunOptions, type DryRunOutcome, dryRun } from './dry-run.ts';
export type { RowDifference } from './rehearsal.ts';
