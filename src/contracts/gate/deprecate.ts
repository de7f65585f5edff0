import { FactlineError } from '../../foundation/index.ts';
import type { EventContract } from '../contract.ts';
import { isDay } from './day.ts';
import { consumersOf } from './describe-contracts.ts';
import type { ContractsLock, LockedConsumer } from './lock.ts';
import type { GateSubject } from './subject.ts';
import { unknownContract } from './unknown-contract.ts';

export interface DeprecateRequest {
  readonly lock: ContractsLock | null;
  readonly subject: GateSubject;
  readonly type: string;
  /** ISO dates. */
  readonly since: string;
  readonly until: string;
  readonly replacement: string | null;
}

export interface DeprecationPlan {
  readonly type: string;
  /** For the contract's declaration: the code is where a deprecation is said, the lock file only repeats it. */
  readonly line: string;
  /** The code says exactly this already. */
  readonly declared: boolean;
  /** And so does the lock file. */
  readonly accepted: boolean;
  /** Who has to move until then. */
  readonly consumers: ReadonlyMap<string, LockedConsumer>;
}

/**
 * What it takes to deprecate a contract, and how far that is done. Nothing is written: a deprecation that stood in the lock
 * file alone would be contradicted by the code, which warns its publishers.
 * @throws FactlineError CONTRACT_UNKNOWN, OPTION_INVALID
 */
export const planDeprecation = (request: DeprecateRequest): DeprecationPlan => {
  const { lock, subject, type, since, until, replacement } = request;
  const contract = find(subject, type);
  if (replacement !== null) {
    if (replacement === type)
      throw new FactlineError('OPTION_INVALID', {
        option: '--replacement',
        expected: 'another contract',
        actual: type,
      });
    find(subject, replacement);
  }
  checkDay('--since', since);
  checkDay('--until', until);
  if (until < since)
    throw new FactlineError('OPTION_INVALID', {
      option: '--until',
      expected: `a day from ${since} on`,
      actual: until,
    });
  const wanted = JSON.stringify([since, until, replacement]);
  const said = (
    found: { since: string; until: string; replacement?: string | null } | null | undefined,
  ): boolean =>
    found != null && JSON.stringify([found.since, found.until, found.replacement ?? null]) === wanted;
  const substitute = replacement === null ? '' : `, replacement: '${replacement}'`;
  return {
    type,
    line: `deprecated: { since: '${since}', until: '${until}'${substitute} },`,
    declared: said(contract.deprecated),
    accepted: said(contract.deprecated) && said(lock?.contracts.get(type)?.deprecated),
    consumers: consumersOf(subject, type),
  };
};

const find = ({ contracts }: GateSubject, type: string): EventContract => {
  const contract = contracts.find((each) => each.type === type);
  if (contract === undefined)
    throw unknownContract(
      type,
      contracts.map((each) => each.type),
    );
  return contract;
};

const checkDay = (option: string, text: string): void => {
  if (isDay(text)) return;
  throw new FactlineError('OPTION_INVALID', { option, expected: 'a day like 2026-12-31', actual: text });
};
