import type { EventContract } from '../contract.ts';
import type { LockedContract } from '../gate/lock.ts';
import type { GateConsumer } from '../gate/subject.ts';
import type { PayloadField } from './payload-fields.ts';

/** 'error' fails the lint; 'warning' is a judgement that may well be wrong. */
export type LintSeverity = 'error' | 'warning';

/** What a rule looks at. */
export interface LintContext {
  readonly contracts: readonly LintedContract[];
  readonly consumers: readonly GateConsumer[];
  /** Types that are read as a later version. */
  readonly upcast: ReadonlySet<string>;
  /** Types that answer a command. */
  readonly replies: ReadonlySet<string>;
}

export interface LintedContract {
  readonly type: string;
  readonly domain: string;
  readonly entity: string;
  readonly action: string;
  /** `domain.entity.action`. */
  readonly event: string;
  readonly version: number;
  /** Parts between the dots before the version. */
  readonly parts: readonly string[];
  readonly contract: EventContract;
  readonly described: LockedContract;
  /** Of its JSON Schema; none where it is published in other encodings only. */
  readonly fields: readonly PayloadField[];
  readonly consumers: readonly GateConsumer[];
  /** 95 of 100 payloads in the log are at most this long; null: not measured. */
  readonly bytesP95: number | null;
}

export interface LintFact {
  readonly contract: string;
  /** Dotted; '' where it is about the contract. */
  readonly path?: string;
  /** What was found here, in one sentence. */
  readonly message: string;
  readonly remedy: string;
}

export interface LintRule {
  readonly name: string;
  readonly severity: LintSeverity;
  /** Why it matters, for people who meet the rule for the first time. */
  readonly why: string;
  readonly find: (context: LintContext) => readonly LintFact[];
}

/** A rule about one contract at a time. */
export const perContract =
  (
    find: (contract: LintedContract, context: LintContext) => readonly Omit<LintFact, 'contract'>[],
  ): LintRule['find'] =>
  (context) =>
    context.contracts.flatMap((contract) =>
      find(contract, context).map((fact) => ({ contract: contract.type, ...fact })),
    );
