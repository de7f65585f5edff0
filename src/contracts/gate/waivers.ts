import { isOver } from './day.ts';
import type { Finding } from './finding.ts';
import type { ContractsLock, Waiver } from './lock.ts';

/** `orders` decides for what orders owns, and so does `orders/ada`. */
export const speaksFor = (owner: string, name: string): boolean =>
  name === owner || (name.startsWith(`${owner}/`) && name.length > owner.length + 1);

const matches = (waiver: Waiver, finding: Pick<Finding, 'contract' | 'rule' | 'path'>): boolean =>
  waiver.contract === finding.contract &&
  (waiver.rule === finding.rule || waiver.rule === anyRule) &&
  (waiver.path === '' || waiver.path === finding.path);

/** As `--waive all`: whatever this change breaks. */
export const anyRule = 'all';

/** The findings with the waivers that let them pass: those of the owner, in time. Only what the owner may decide can be waived. */
export const applyWaivers = (
  findings: readonly Finding[],
  waivers: readonly Waiver[],
  today: string,
): readonly Finding[] =>
  findings.map((finding) => {
    const { approver, kind } = finding;
    if (kind !== 'break' || approver === null) return finding;
    const holds = ({ owner, until }: Waiver): boolean =>
      speaksFor(approver, owner) && until !== null && !isOver(until, today);
    return { ...finding, waiver: waivers.find((each) => matches(each, finding) && holds(each)) ?? null };
  });

/** Rules of what only a database can tell. Code and lock file alone do not say whether their waivers are needed. */
export const observedRules: ReadonlySet<string> = new Set([
  'log-event-refused',
  'parked-event-refused',
  'dry-run-failed',
  'parked-event-fails',
]);

/** Whether something is still there that the waiver would let pass. */
export const isNeeded = (waiver: Waiver, findings: readonly Finding[]): boolean =>
  findings.some((finding) => matches(waiver, finding));

/** Waivers whose day has passed: either what they were for is mended, or the owner says it again. */
export const expiredWaivers = (lock: ContractsLock, today: string): readonly Waiver[] =>
  lock.waivers.filter(({ until }) => until !== null && isOver(until, today));
