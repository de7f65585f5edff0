import type { Json } from '../../foundation/index.ts';
import type { Change, SchemaFormat } from '../compare/comparison.ts';
import type { Waiver } from './lock.ts';
import type { LiveConsumer } from './subject.ts';

/** 'error' fails the check unless its waiver holds; 'warning' is worth a look; 'info' is told for completeness. */
export type FindingSeverity = 'error' | 'warning' | 'info';

/** What accepting means for a finding. */
export type FindingKind =
  /** Somebody would break: only the owner can let it pass. */
  | 'break'
  /** Safe, but the lock file does not say it yet: `accept` writes it. */
  | 'pending'
  /** Asks for something other than `accept`: an approval, a renewed waiver, a correction in the code. */
  | 'demand'
  /** Told only. */
  | 'notice';

/** One thing that a reviewer should know, with everything needed to judge it. */
export interface Finding {
  /** The stable name, in kebab-case. docs/contracts.md and docs/compare.md list them. */
  readonly rule: string;
  /** The type. */
  readonly contract: string;
  /** Where in the payload, as comparisons say it; '' where it is about the contract. */
  readonly path: string;
  readonly severity: FindingSeverity;
  readonly kind: FindingKind;
  readonly message: string;
  readonly format?: SchemaFormat;
  readonly old?: string;
  readonly new?: string;
  /** Of a change of a schema. */
  readonly breaks?: NonNullable<Change['breaks']>;
  /** A payload that proves it. */
  readonly witness?: Json;
  /** The safe way to get there. */
  readonly remedy?: string;
  /** Who would notice. */
  readonly affected: readonly AffectedConsumer[];
  /** Who can let it pass; null where nobody need. */
  readonly approver: string | null;
  /** The waiver that lets it pass. */
  readonly waiver: Waiver | null;
}

export interface AffectedConsumer {
  readonly name: string;
  /** Of a consumer; or 'sender' and 'requester' for apps that send a command, or wait for what answers it. */
  readonly class: string;
  readonly owner: string;
  /** The fields of the event that it reads; null: not declared, so it may read any. */
  readonly reads: readonly string[] | null;
  /** Whether it reads what the finding is about: 'unknown' where it has not declared what it reads. */
  readonly uses: 'yes' | 'no' | 'unknown';
  /** 'removed': only the lock file still names it. 'running': only a database does. */
  readonly known: 'declared' | 'removed' | 'running';
  /** The releases of it that run and handle the type; empty where no database was asked. */
  readonly live: readonly LiveConsumer[];
}

/** What a rule says; the rest is the same for all findings of a contract. */
export type FindingFacts = Pick<Finding, 'rule' | 'severity' | 'kind' | 'message'> &
  Partial<Pick<Finding, 'path' | 'format' | 'old' | 'new' | 'breaks' | 'witness' | 'remedy' | 'approver'>>;
