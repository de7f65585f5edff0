/** The room `replay`: who may do what, the record of every act, and governed replay. Knows no HTTP. */

export {
  type ApprovalDecision,
  approveReplay,
  type Decision,
  digestPrefixMin,
  rejectReplay,
  requestReplay,
} from './approval/approve.ts';
export {
  type AuditEntry,
  type AuditFilter,
  type AuditRecord,
  listAudit,
} from './audit/audit.ts';
export { type AuditProblem, type AuditVerification, verifyAudit } from './audit/verify.ts';
export { type Actor, engineActor } from './authority/actor.ts';
export { type ActName, type Role, roles } from './authority/acts.ts';
export { type Act, perform, permit } from './authority/perform.ts';
export { actorWithRoles, checkRoles, type DeclaredRoles, storeRoles } from './authority/roles.ts';
export type { BlastRadius, Predicted, ReplayEstimate, SampleRun, Within } from './estimate/estimate.ts';
export { type EstimateRequest, estimateReplay } from './estimate/estimate-replay.ts';
export { followRebuilds } from './governed-rebuild.ts';
export { hasEnded, isUnderWay, type ReplayState, type ReplayStep } from './lifecycle/lifecycle.ts';
export { type BuildProgress, compareProjection, listBuilds } from './rebuild/projections.ts';
export {
  type BuildAct,
  retireProjection,
  rollBackProjection,
  switchProjection,
} from './rebuild/switch-projection.ts';
export { type ReplayReport, reportReplay } from './report.ts';
export type { EffectsPolicy, ReplayManifest } from './request/manifest.ts';
export { type PlanRequest, planReplay, type ReplayCode, readLogEnd } from './request/plan.ts';
export { parseCondition, predicateText } from './request/predicate.ts';
export { isWorked, listReplays, type Replay, type ReplaySummary, readReplay } from './request/replay.ts';
export { type WaitingFor, waitingFor } from './request/waiting-for.ts';
export { windowText } from './request/window.ts';
export { type CarryOutOptions, ReplayRun, type ReplayRunStep, replayRunSteps } from './run/carry-out.ts';
export { failureRateText } from './run/guards.ts';
export type { ReplayOutcome } from './run/verify.ts';
export { beginReplay } from './run-port.ts';
export type { ShadowFinding } from './shadow/compare-outcome.ts';
export { runShadow, type ShadowDifference } from './shadow/run-shadow.ts';
export { abortReplay, pauseReplay, resumeReplay } from './steer.ts';
