import type { Json } from '../../foundation/index.ts';
import type { ComparePolicy, SchemaFormat } from '../compare/comparison.ts';
import type { CompatibilityMode, ContractKind, EventOrdering, Retention } from '../contract.ts';

/** Raised when the meaning of a field changes; a newer one is refused, an older one is read and rewritten by `accept`. */
export const lockVersion = 1;

/** The committed truth about an app's contracts, as `contracts.lock.json` holds it. A plain value: nothing reads a file to use it. */
export interface ContractsLock {
  readonly app: string;
  /** By type. */
  readonly contracts: ReadonlyMap<string, LockedContract>;
  readonly waivers: readonly Waiver[];
}

/** What the owner declares and everybody else relies on; `digest` covers exactly this. */
export interface ContractFacts {
  readonly kind: ContractKind;
  readonly key: readonly string[];
  readonly owner: string;
  readonly ordering: EventOrdering;
  readonly retention: Retention;
  readonly compatibility: CompatibilityMode;
  readonly policy: ComparePolicy;
  readonly highImpact: boolean;
  /** By dotted path: 'personal' or 'secret'. */
  readonly sensitivity: ReadonlyMap<string, string>;
  /** The sources that may publish it; empty: any. */
  readonly producers: readonly string[];
  readonly deprecated: LockedDeprecation | null;
  /** Of a command: the types that answer it. */
  readonly replies: readonly string[];
  readonly schemas: readonly LockedSchema[];
}

export interface LockedContract extends ContractFacts {
  readonly digest: string;
  readonly approval: Approval | null;
  /** By name. */
  readonly consumers: ReadonlyMap<string, LockedConsumer>;
  /** Earlier schemas, oldest first: kept for transitive modes only. */
  readonly history: readonly LockedVersion[];
}

export interface LockedDeprecation {
  readonly since: string;
  readonly until: string;
  readonly replacement: string | null;
}

/** One encoding: what a producer writes and what a consumer accepts. */
export interface LockedSchema {
  readonly format: SchemaFormat;
  readonly output: Json;
  readonly input: Json;
  readonly outputDigest: string;
  readonly inputDigest: string;
}

export interface LockedVersion {
  /** Of the contract at that time. */
  readonly digest: string;
  readonly schemas: readonly LockedSchema[];
}

export interface LockedConsumer {
  readonly class: string;
  readonly owner: string;
  readonly ordering: string;
  /** The fields of this event that it reads, dotted; null: not declared, so it may read any. */
  readonly reads: readonly string[] | null;
  /** It only reads the type as a later version, through an upcaster. */
  readonly upcast: boolean;
}

/** The owner's word for one digest of a high-impact contract: void as soon as the digest differs. */
export interface Approval {
  readonly by: string;
  /** ISO 8601. */
  readonly at: string;
  readonly digest: string;
}

/** An exception that the owner answers for. */
export interface Waiver {
  /** A type; '*' switches a lint rule off for all contracts. */
  readonly contract: string;
  readonly rule: string;
  /** Of one finding; '' for all findings of the rule. */
  readonly path: string;
  readonly owner: string;
  readonly reason: string;
  /** ISO date, the last day on which it holds; null: for good, which only lint rules may have. */
  readonly until: string | null;
}

/** What a project has before its first `accept`. */
export const emptyLock = (app: string): ContractsLock => ({ app, contracts: new Map(), waivers: [] });
