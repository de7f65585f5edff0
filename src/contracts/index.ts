/** The room `contracts`, and the public subpath `factline/contracts`: events as values. Knows no database. */

export {
  type CatalogueChanges,
  type CatalogueConsumer,
  type CatalogueEntry,
  type CatalogueOptions,
  catalogue,
} from './catalogue/catalogue.ts';
export { isWithin } from './check-declaration.ts';
export { type CompareRequest, compare } from './compare/compare.ts';
export { compareBatch } from './compare/compare-batch.ts';
export type {
  Change,
  ChangeSeverity,
  CompareDirection,
  ComparePolicy,
  Comparison,
  SchemaFormat,
} from './compare/comparison.ts';
export type { ComparisonMode, ProtobufMode } from './compare/comparison-mode.ts';
export { fetchReferences } from './compare/fetch-references.ts';
export { RemoteDocuments, type RemoteDocumentsOptions } from './compare/remote-documents.ts';
export {
  type CommandContract,
  type CommandDraft,
  type CompatibilityMode,
  type ContractKind,
  type DataOf,
  type Deprecation,
  type Draft,
  type DraftOptions,
  type EventContract,
  type EventContractJson,
  type EventKind,
  type EventOf,
  type EventOrdering,
  isCommandContract,
  isCommandDraft,
  isEventContract,
  type ReplyOf,
  type Retention,
  type Sensitivity,
} from './contract.ts';
export {
  ContractSet,
  type EventsOnly,
  type Many,
  manyContracts,
  type On,
  type OneOf,
} from './contract-set.ts';
export { type CommandDeclaration, defineCommand } from './define-command.ts';
export { defineEvent, type EventDeclaration } from './define-event.ts';
export { type DraftEnvelope, isDraft, payloadDigest, storedDraftText, storedDraftValues } from './draft.ts';
export {
  type CloudEvent,
  contractVersionOf,
  type EnvelopeMeta,
  type FactEvent,
  openEnvelope,
  type StoredRow,
  toCloudEvent,
} from './envelope.ts';
export { type CommonFieldPath, type FieldPath, isFieldPath } from './field-paths.ts';
export {
  type ContractEncoding,
  type ContractSchemas,
  contractSchemas,
  schemaDigest,
} from './formats/contract-schemas.ts';
export { type Accepted, type AcceptRequest, accept } from './gate/accept.ts';
export { type Approved, type ApproveRequest, approve } from './gate/approve.ts';
export { type CheckOptions, checkLock, type GateReport, type Observed, passes } from './gate/check-lock.ts';
export { type DeprecateRequest, type DeprecationPlan, planDeprecation } from './gate/deprecate.ts';
export type {
  AffectedConsumer,
  Finding,
  FindingFacts,
  FindingKind,
  FindingSeverity,
} from './gate/finding.ts';
export type { Approval, ContractsLock, LockedConsumer, LockedContract, Waiver } from './gate/lock.ts';
export { lockFileName, readLock, writeLock } from './gate/lock-file.ts';
export {
  type ConsumerReadiness,
  type HandledType,
  type Readiness,
  type ReadinessRequest,
  type ReadinessState,
  readiness,
} from './gate/readiness.ts';
export type { GateConsumer, GateSubject, LiveConsumer } from './gate/subject.ts';
export { unknownContract } from './gate/unknown-contract.ts';
export { keyBytesMax } from './key.ts';
export { type LintFinding, type LintOptions, lint, lintRules } from './lint/lint.ts';
export type { LintRule, LintSeverity } from './lint/lint-rule.ts';
export { describeValue, payloadBytesMax, payloadText } from './payload-check.ts';
export type { JsonOnly, KeyField, PayloadSchema, TypeName } from './payload-types.ts';
export { keyLevelOf, levelOf, maskedValue, maskOf, type Redact, redaction, shownKey } from './redaction.ts';
export { defineUpcaster, isUpcaster, type Upcaster } from './upcasting/define-upcaster.ts';
export { type UpcastRoutes, upcastRoutes } from './upcasting/upcasting.ts';
