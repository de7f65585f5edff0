import { systemClock } from '../../foundation/index.ts';
import { type ContractPair, findingMaker } from './affected.ts';
import { contractFindings } from './contract-findings.ts';
import { dayOf } from './day.ts';
import { type Described, describeContracts } from './describe-contracts.ts';
import type { Finding, FindingFacts } from './finding.ts';
import { type ContractsLock, emptyLock, type LockedContract } from './lock.ts';
import { compareText } from './lock-text.ts';
import type { GateSubject } from './subject.ts';
import { upcasterFindings } from './upcaster-findings.ts';
import { applyWaivers, expiredWaivers, isNeeded, observedRules } from './waivers.ts';

/** What the gate says. `ok` exactly when no finding is an error without a waiver that holds. */
export interface GateReport {
  readonly ok: boolean;
  readonly app: string;
  /** Contracts of the code. */
  readonly contracts: number;
  /** Those that stand in the lock file as they are. */
  readonly unchanged: number;
  readonly findings: readonly Finding[];
}

export interface CheckOptions {
  /** Decides what has expired. Default: now. */
  readonly now?: Date;
  /** What was seen elsewhere, such as in the log, by type: judged, and waived, like what the lock file says. */
  readonly observed?: Observed;
}

export type Observed = ReadonlyMap<string, readonly FindingFacts[]>;

/**
 * Holds the code's contracts against the lock file.
 * @param lock what `readLock` gave; null: nothing was accepted yet
 * @example
 * const report = await checkLock(await readLock('contracts.lock.json'), { app: 'shop', contracts, consumers: [], upcasters: [] })
 */
export const checkLock = async (
  lock: ContractsLock | null,
  subject: GateSubject,
  { now = systemClock.wall(), observed = new Map() }: CheckOptions = {},
): Promise<GateReport> => {
  const known = lock ?? emptyLock(subject.app);
  const described = describeContracts(subject);
  const findings = await findingsOf({ lock: known, subject, described, today: dayOf(now), observed });
  const changed = new Set(
    findings.filter(({ rule }) => !observedRules.has(rule)).map(({ contract }) => contract),
  );
  return {
    ok: findings.every(passes),
    app: subject.app,
    contracts: described.contracts.size + described.unavailable.size,
    unchanged: [...described.contracts.keys()].filter((type) => !changed.has(type)).length,
    findings,
  };
};

export const passes = ({ severity, waiver }: Finding): boolean => severity !== 'error' || waiver !== null;

export interface Question {
  readonly lock: ContractsLock;
  readonly subject: GateSubject;
  readonly described: Described;
  readonly today: string;
  readonly observed?: Observed;
}

/** Sorted by type, the gravest first. */
export const findingsOf = async (question: Question): Promise<readonly Finding[]> => {
  const { lock, subject, described, today } = question;
  const pairs = pairsOf(lock, described);
  const each = await Promise.all(pairs.map((pair) => contractFindings(pair, subject, today)));
  const found = [
    ...renamed(each.flat(), pairs),
    ...unavailableFindings(described),
    ...upcasterFindings(subject, described, lock),
    ...observedFindings(question),
  ];
  const weighed = applyWaivers(found, lock.waivers, today);
  return [...weighed, ...expiryFindings(lock, weighed, today)].sort(byContractAndGravity);
};

/** Also of contracts whose schema cannot be compared: what was seen was seen. */
const observedFindings = ({ lock, subject, described, observed }: Question): readonly Finding[] =>
  [...(observed ?? [])].flatMap(([type, facts]) => {
    const locked = lock.contracts.get(type) ?? null;
    const current = described.contracts.get(type) ?? null;
    return facts.map(findingMaker({ type, locked, current }, subject));
  });

/** A contract whose schema cannot be had is in the code: nothing says that it was removed. */
const pairsOf = (lock: ContractsLock, { contracts, unavailable }: Described): readonly ContractPair[] =>
  [...new Set([...lock.contracts.keys(), ...contracts.keys()])]
    .filter((type) => !unavailable.has(type))
    .map((type) => ({
      type,
      locked: lock.contracts.get(type) ?? null,
      current: contracts.get(type) ?? null,
    }));

const gravity = { error: 0, warning: 1, info: 2 } as const;
const urgency = { break: 0, demand: 1, pending: 2, notice: 3 } as const;

const byContractAndGravity = (a: Finding, b: Finding): number =>
  compareText(a.contract, b.contract) ||
  gravity[a.severity] - gravity[b.severity] ||
  urgency[a.kind] - urgency[b.kind] ||
  compareText(a.path, b.path) ||
  compareText(a.rule, b.rule);

const payloadOf = ({ key, schemas }: LockedContract): string =>
  JSON.stringify([key, schemas.map(({ outputDigest, inputDigest }) => [outputDigest, inputDigest])]);

/** A contract that went while one with the same payload came has got another type: the same facts under another name. */
const renamed = (findings: readonly Finding[], pairs: readonly ContractPair[]): readonly Finding[] => {
  const added = new Map(
    pairs.flatMap(({ type, locked, current }) =>
      locked === null && current !== null ? [[payloadOf(current), type] as const] : [],
    ),
  );
  return findings.map((finding) => {
    if (finding.rule !== 'contract-removed' || finding.kind !== 'break') return finding;
    const locked = pairs.find(({ type }) => type === finding.contract)?.locked ?? null;
    const type = locked === null ? undefined : added.get(payloadOf(locked));
    if (type === undefined) return finding;
    return {
      ...finding,
      rule: 'type-changed',
      old: finding.contract,
      new: type,
      message: `Its type seems to have changed to ${type}. ${finding.message}`,
    };
  });
};

const unavailableFindings = ({ unavailable }: Described): readonly Finding[] =>
  [...unavailable].map(([contract, { message, remedy }]) => ({
    rule: 'schema-unavailable',
    contract,
    path: '',
    kind: 'demand',
    severity: 'error',
    message,
    remedy,
    affected: [],
    approver: null,
    waiver: null,
  }));

const expiryFindings = (
  lock: ContractsLock,
  findings: readonly Finding[],
  today: string,
): readonly Finding[] =>
  expiredWaivers(lock, today).map((waiver) => ({
    rule: 'waiver-expired',
    contract: waiver.contract,
    path: waiver.path,
    kind: 'demand',
    severity: 'error',
    message: `The waiver of ${waiver.owner} for ${waiver.rule} ended on ${waiver.until}: ${waiver.reason}`,
    remedy: isNeeded(waiver, findings)
      ? 'Mend what it was for, or let the owner waive it again.'
      : `Nothing needs it any more; this takes it out: npx factline contracts accept${waiver.contract === '*' ? '' : ` ${waiver.contract}`}`,
    affected: [],
    approver: waiver.owner,
    waiver: null,
  }));
