/** The room `replay`: who may do what, the record of every act, and governed replay. Knows no HTTP. */
export {
  type AuditEntry,
  type AuditFilter,
  type AuditRecord,
  appendAudit,
  listAudit,
} from './audit/audit.ts';
export { type AuditProblem, type AuditVerification, verifyAudit } from './audit/verify.ts';
export { type Actor, assertMay, engineActor } from './authority/actor.ts';
export { type ActName, type Role, roles } from './authority/acts.ts';
export { type Act, perform, permit } from './authority/perform.ts';
export {
  actorWithRoles,
  checkRoles,
  type DeclaredRoles,
  storeRoles,
} from './authority/roles.ts';
export { type BuildProgress, compareProjection, listBuilds } from './rebuild/projections.ts';
export {
  type BuildAct,
  retireProjection,
  rollBackProjection,
  switchProjection,
} from './rebuild/switch-projection.ts';
