import { systemClock } from '../../foundation/index.ts';
import { dayOf, isOver } from '../gate/day.ts';
import { describeContracts } from '../gate/describe-contracts.ts';
import type { ContractsLock, LockedContract, Waiver } from '../gate/lock.ts';
import { compareText } from '../gate/lock-text.ts';
import { versionOf } from '../gate/readiness.ts';
import type { GateSubject } from '../gate/subject.ts';
import { speaksFor } from '../gate/waivers.ts';
import { flowRules } from './flow-rules.ts';
import type { LintContext, LintedContract, LintRule, LintSeverity } from './lint-rule.ts';
import { namingRules } from './naming-rules.ts';
import { ownershipRules } from './ownership-rules.ts';
import { payloadFields } from './payload-fields.ts';
import { payloadRules } from './payload-rules.ts';
import { schemaRules } from './schema-rules.ts';

/** All rules, in the order in which docs/contracts.md explains them. */
export const lintRules: readonly LintRule[] = [
  ...namingRules,
  ...ownershipRules,
  ...flowRules,
  ...payloadRules,
  ...schemaRules,
];

export interface LintFinding {
  readonly rule: string;
  readonly severity: LintSeverity;
  /** The type. */
  readonly contract: string;
  readonly owner: string;
  /** Dotted; '' where it is about the contract. */
  readonly path: string;
  readonly message: string;
  readonly why: string;
  readonly remedy: string;
}

export interface LintOptions {
  /** Names of rules; undefined: all. */
  readonly only?: readonly string[];
  readonly without?: readonly string[];
  /** Its waivers switch rules off: for a contract, or with the contract '*' for all. */
  readonly lock?: ContractsLock | null;
  /** By type: 95 of 100 payloads in the log are at most this long. */
  readonly bytesP95?: ReadonlyMap<string, number>;
  /** Decides which waivers hold. Default: now. */
  readonly now?: Date;
}

/**
 * The known anti-patterns that an app's contracts have, sorted by type. A contract whose schema cannot be had is left out: `check`
 * says so.
 * @example const findings = lint({ app: 'shop', contracts, consumers: [], upcasters: [] })
 */
export const lint = (subject: GateSubject, options: LintOptions = {}): readonly LintFinding[] => {
  const { only, without = [], lock = null, now = systemClock.wall() } = options;
  const context = contextOf(subject, options.bytesP95 ?? new Map());
  const owners = new Map(context.contracts.map(({ type, described }) => [type, described.owner]));
  const waivers = (lock?.waivers ?? []).filter(({ until }) => until === null || !isOver(until, dayOf(now)));
  return lintRules
    .filter(({ name }) => only?.includes(name) ?? true)
    .filter(({ name }) => !without.includes(name))
    .flatMap(({ name, severity, why, find }) =>
      find(context).map(({ path = '', ...fact }) => ({
        ...fact,
        path,
        rule: name,
        severity,
        why,
        owner: owners.get(fact.contract) ?? '',
      })),
    )
    .filter((finding) => !waivers.some((waiver) => silences(waiver, finding)))
    .sort(
      (a, b) =>
        compareText(a.contract, b.contract) || compareText(a.rule, b.rule) || compareText(a.path, b.path),
    );
};

const silences = (waiver: Waiver, { contract, rule, path, owner }: LintFinding): boolean => {
  if (waiver.rule !== rule) return false;
  if (waiver.contract === '*') return true;
  const field = waiver.path === '' || waiver.path === path;
  return waiver.contract === contract && field && speaksFor(owner, waiver.owner);
};

const contextOf = (subject: GateSubject, bytesP95: ReadonlyMap<string, number>): LintContext => {
  const { contracts } = describeContracts(subject);
  const linted = subject.contracts.flatMap((contract): LintedContract[] => {
    const described = contracts.get(contract.type);
    if (described === undefined) return [];
    const { type } = contract;
    const { event, version } = versionOf(type);
    const parts = event.split('.');
    const [domain = '', entity = ''] = parts;
    const action = parts.at(-1) ?? '';
    const consumers = subject.consumers.filter(({ types }) => types.includes(type));
    return [
      {
        ...{ type, event, version, parts, domain, entity, action, contract, described, consumers },
        fields: fieldsOf(described),
        bytesP95: bytesP95.get(type) ?? null,
      },
    ];
  });
  return {
    contracts: linted.sort((a, b) => compareText(a.event, b.event) || a.version - b.version),
    consumers: subject.consumers,
    upcast: new Set(subject.upcasters.map(({ from }) => from.type)),
    replies: new Set(linted.flatMap(({ described }) => described.replies)),
  };
};

const fieldsOf = ({ schemas }: LockedContract): LintedContract['fields'] => {
  const schema = schemas.find(({ format }) => format === 'json-schema');
  return schema === undefined ? [] : payloadFields(schema.output);
};
