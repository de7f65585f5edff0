import { canonicalJson, FactlineError } from '../../foundation/index.ts';
import { findingsOf } from './check-lock.ts';
import { dayOf, isDay, isOver } from './day.ts';
import { type Described, describeContracts, ownerOf } from './describe-contracts.ts';
import type { Finding } from './finding.ts';
import {
  type ContractsLock,
  emptyLock,
  type LockedContract,
  type LockedVersion,
  type Waiver,
} from './lock.ts';
import type { GateSubject } from './subject.ts';
import { unknownContract } from './unknown-contract.ts';
import { isNeeded, observedRules, speaksFor } from './waivers.ts';

/** More earlier versions than this are not kept: by then nobody writes the oldest any more, and a review must stay readable. */
const historyMax = 20;

export interface AcceptRequest {
  readonly lock: ContractsLock | null;
  readonly subject: GateSubject;
  /** Types; empty: all. */
  readonly types: readonly string[];
  /** Given with the command: they stay in the lock file as the record. */
  readonly waivers: readonly Waiver[];
  readonly now: Date;
}

export interface Accepted {
  readonly lock: ContractsLock;
  /** What was written, by type: 'added', 'changed' or 'removed'. */
  readonly changes: ReadonlyMap<string, 'added' | 'changed' | 'removed'>;
  /** Exceptions that were taken out because nothing needs them any more. */
  readonly waiversDropped: readonly Waiver[];
  /** What is still to be done before `check` passes: approvals, renewals. */
  readonly findings: readonly Finding[];
}

/**
 * The lock file as the code says it, for review. Refuses, and writes nothing, where somebody would break and no waiver of the
 * owner lets it pass.
 * @throws FactlineError CONTRACT_UNKNOWN, NOT_THE_OWNER, WAIVER_INVALID, ACCEPT_REFUSED with `details.findings`
 */
export const accept = async (request: AcceptRequest): Promise<Accepted> => {
  const { subject, types, now } = request;
  const lock = request.lock ?? emptyLock(subject.app);
  const described = describeContracts(subject);
  const today = dayOf(now);
  const known = new Set([...lock.contracts.keys(), ...described.contracts.keys()]);
  for (const type of types) if (!known.has(type)) throw unknownContract(type, known);
  const wanted = types.length === 0 ? known : new Set(types);
  for (const waiver of request.waivers) checkWaiver(waiver, { lock, described, subject, today });

  const waived = { ...lock, waivers: mergeWaivers(lock.waivers, request.waivers) };
  const findings = await findingsOf({ lock: waived, subject, described, today });
  refuseUnneeded(request.waivers, findings);
  const concerned = findings.filter(({ contract }) => wanted.has(contract));
  const refused = concerned.filter((finding) => isRefused(finding, lock, described));
  if (refused.length > 0)
    throw new FactlineError('ACCEPT_REFUSED', { count: refused.length, findings: refused });

  const accepted = acceptContracts({
    app: subject.app,
    lock: waived,
    described,
    wanted,
    findings: concerned,
  });
  const waiversDropped = accepted.waivers.filter((waiver) => isDone(waiver, { wanted, findings, today }));
  const next = {
    ...accepted,
    waivers: accepted.waivers.filter((waiver) => !waiversDropped.includes(waiver)),
  };
  return {
    lock: next,
    changes: changesBetween(lock, next),
    waiversDropped,
    findings: await findingsOf({ lock: next, subject, described, today }),
  };
};

interface Circumstances {
  readonly lock: ContractsLock;
  readonly described: Described;
  readonly subject: GateSubject;
  readonly today: string;
}

const checkWaiver = (waiver: Waiver, { lock, described, subject, today }: Circumstances): void => {
  const { contract, until, owner } = waiver;
  const refuse = (reason: string): never => {
    throw new FactlineError('WAIVER_INVALID', { type: contract, reason });
  };
  if (until !== null && !isDay(until)) refuse(`${until} is not a day like 2026-12-31`);
  if (until !== null && isOver(until, today)) refuse(`it would have ended on ${until} already`);
  const decides =
    (lock.contracts.get(contract) ?? described.contracts.get(contract))?.owner ?? ownerOf(subject, {});
  if (!speaksFor(decides, owner))
    throw new FactlineError('NOT_THE_OWNER', { name: owner, type: contract, owner: decides });
};

const sameException = (a: Waiver, b: Waiver): boolean =>
  a.contract === b.contract && a.rule === b.rule && a.path === b.path;

/** Saying an exception again replaces it. */
const mergeWaivers = (old: readonly Waiver[], given: readonly Waiver[]): readonly Waiver[] => [
  ...old.filter((waiver) => !given.some((each) => sameException(each, waiver))),
  ...given,
];

/** A waiver that lets nothing pass is a mistyped rule or path. Those of lint rules (without an end) are not looked at here. */
const refuseUnneeded = (given: readonly Waiver[], findings: readonly Finding[]): void => {
  for (const waiver of given) {
    if (waiver.until === null || observedRules.has(waiver.rule) || isNeeded(waiver, findings)) continue;
    const there = findings
      .filter(({ contract, kind }) => contract === waiver.contract && kind === 'break')
      .map(({ rule, path }) => (path === '' ? rule : `${rule} at ${path}`));
    throw new FactlineError('WAIVER_INVALID', {
      type: waiver.contract,
      reason: `nothing breaks ${waiver.rule}${waiver.path === '' ? '' : ` at ${waiver.path}`}; there is ${there.join(', ') || 'nothing to waive'}`,
    });
  }
};

/** What accepting must not let through. Giving up the high impact would also give up the approval that it needs. */
const isRefused = (finding: Finding, lock: ContractsLock, { contracts }: Described): boolean => {
  if (finding.waiver !== null) return false;
  if (finding.kind === 'break' || finding.rule === 'upcaster-fails') return true;
  const gaveUp = contracts.get(finding.contract)?.highImpact === false;
  return finding.rule === 'approval-missing' && gaveUp && lock.contracts.has(finding.contract);
};

interface Acceptance {
  readonly app: string;
  readonly lock: ContractsLock;
  readonly described: Described;
  readonly wanted: ReadonlySet<string>;
  readonly findings: readonly Finding[];
}

const acceptContracts = ({ app, lock, described, wanted, findings }: Acceptance): ContractsLock => {
  const contracts = new Map(lock.contracts);
  for (const type of wanted) {
    const current = described.contracts.get(type);
    const locked = lock.contracts.get(type) ?? null;
    if (current !== undefined) {
      const broken = findings.some(
        ({ contract, kind, format }) => contract === type && kind === 'break' && format !== undefined,
      );
      contracts.set(type, {
        ...current,
        approval: locked?.approval ?? null,
        history: historyOf(locked, current, broken),
      });
    } else if (!described.unavailable.has(type)) contracts.delete(type);
  }
  return { app, contracts, waivers: lock.waivers };
};

/** Kept where a mode looks back further than one version. A break that the owner let pass begins a new line. */
const historyOf = (
  locked: LockedContract | null,
  current: LockedContract,
  broken: boolean,
): readonly LockedVersion[] => {
  if (locked === null || !current.compatibility.endsWith('-transitive') || broken) return [];
  const same = JSON.stringify(locked.schemas.map(digests)) === JSON.stringify(current.schemas.map(digests));
  if (same) return locked.history;
  return [...locked.history, { digest: locked.digest, schemas: locked.schemas }].slice(-historyMax);
};

const digests = ({ outputDigest, inputDigest }: LockedContract['schemas'][number]): readonly string[] => [
  outputDigest,
  inputDigest,
];

const isDone = (
  waiver: Waiver,
  { wanted, findings, today }: { wanted: ReadonlySet<string>; findings: readonly Finding[]; today: string },
): boolean =>
  waiver.until !== null &&
  isOver(waiver.until, today) &&
  (wanted.has(waiver.contract) || waiver.contract === '*') &&
  !isNeeded(waiver, findings);

const changesBetween = (before: ContractsLock, after: ContractsLock): Accepted['changes'] => {
  const changes = new Map<string, 'added' | 'changed' | 'removed'>();
  for (const [type, contract] of after.contracts) {
    const locked = before.contracts.get(type);
    if (locked === undefined) changes.set(type, 'added');
    else if (textOf(locked) !== textOf(contract)) changes.set(type, 'changed');
  }
  for (const type of before.contracts.keys()) if (!after.contracts.has(type)) changes.set(type, 'removed');
  return changes;
};

const textOf = ({ digest, consumers, history }: LockedContract): string =>
  canonicalJson([digest, [...consumers], history.length]);
