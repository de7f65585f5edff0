import { FactlineError } from '../../foundation/index.ts';
import { describeContracts } from './describe-contracts.ts';
import type { Approval, ContractsLock } from './lock.ts';
import type { GateSubject } from './subject.ts';
import { unknownContract } from './unknown-contract.ts';
import { speaksFor } from './waivers.ts';

export interface ApproveRequest {
  readonly lock: ContractsLock | null;
  readonly subject: GateSubject;
  readonly type: string;
  readonly by: string;
  readonly now: Date;
}

export interface Approved {
  readonly lock: ContractsLock;
  readonly approval: Approval;
  /** The lock file already holds what was approved; else `accept` is still to come. */
  readonly accepted: boolean;
}

/**
 * Records the owner's word for a contract as the code has it now. It says nothing about any other state: when the digest
 * differs, it is void.
 * @throws FactlineError CONTRACT_UNKNOWN, NOT_THE_OWNER, and what `describeContracts` finds unavailable
 */
export const approve = ({ lock, subject, type, by, now }: ApproveRequest): Approved => {
  const { contracts, unavailable } = describeContracts(subject);
  const missing = unavailable.get(type);
  if (missing !== undefined) throw missing;
  const current = contracts.get(type);
  const locked = lock?.contracts.get(type);
  if (current === undefined) throw unknownContract(type, contracts.keys());
  if (lock === null || locked === undefined) throw new FactlineError('CONTRACT_NOT_ACCEPTED', { type });
  const { owner } = locked;
  if (!speaksFor(owner, by)) throw new FactlineError('NOT_THE_OWNER', { name: by, type, owner });
  const approval = { by, at: now.toISOString(), digest: current.digest };
  return {
    lock: { ...lock, contracts: new Map(lock.contracts).set(type, { ...locked, approval }) },
    approval,
    accepted: locked.digest === current.digest,
  };
};
