import type { ContractPair } from './affected.ts';
import type { AffectedConsumer, Finding, FindingFacts } from './finding.ts';
import type { LockedConsumer, LockedContract } from './lock.ts';
import { type Promised, promiseOf } from './promised-fields.ts';

/** Consumers that read what nobody promises to write, and what has become uncertain for them by this change. */
export const readFindings = (
  { locked, current }: ContractPair,
  make: (facts: FindingFacts) => Finding,
): readonly Finding[] => {
  if (current === null) return [];
  return [...current.consumers].flatMap(([name, consumer]) =>
    (consumer.reads ?? []).flatMap((path) => {
      const now = weakest(current, path);
      // Only news is told: what was accepted as uncertain stays so.
      const accepted = locked?.consumers.get(name)?.reads?.includes(path) ? locked : null;
      const before = accepted === null ? 'always' : weakest(accepted, path);
      const told = toldOf({ name, path, now, before });
      if (told === null) return [];
      return [{ ...make({ ...told, path: pointerOf(path) }), affected: [affectedBy(name, consumer)] }];
    }),
  );
};

const strength: Readonly<Record<Promised, number>> = { never: 0, sometimes: 1, unknown: 2, always: 3 };

/** Whoever reads an encoding gets what that one promises. */
const weakest = ({ schemas }: LockedContract, path: string): Promised =>
  schemas
    .map((schema) => promiseOf(schema, path))
    .reduce<Promised>((low, promise) => (strength[promise] < strength[low] ? promise : low), 'always');

interface Read {
  readonly name: string;
  readonly path: string;
  readonly now: Promised;
  readonly before: Promised;
}

const toldOf = ({ name, path, now, before }: Read): FindingFacts | null => {
  if (now === 'never')
    return {
      rule: 'read-not-promised',
      kind: 'break',
      severity: 'error',
      message: `${name} reads ${path}, which the producer does not promise to write.`,
      remedy: `Take ${path} out of the consumer's reads and code, or add it to the contract.`,
    };
  if (now === 'sometimes' && before === 'always')
    return {
      rule: 'read-optional',
      kind: 'notice',
      severity: 'warning',
      message: `${name} reads ${path}, which is not in every event.`,
      remedy: 'See that the consumer can do without it.',
    };
  return null;
};

const pointerOf = (path: string): string => `/${path.split('.').join('/')}`;

const affectedBy = (name: string, { class: kind, owner, reads }: LockedConsumer): AffectedConsumer => ({
  name,
  class: kind,
  owner,
  reads,
  uses: 'yes',
  known: 'declared',
  live: [],
});
