import type { ContractPair } from './affected.ts';
import type { AffectedConsumer, Finding, FindingFacts } from './finding.ts';
import type { LockedConsumer, LockedContract } from './lock.ts';
import type { Promised } from './promised.ts';
import { promiseOf } from './promised-fields.ts';

/** Consumers that read what nobody promises to write, and what has become uncertain for them by this change. */
export const readFindings = async (
  { locked, current }: ContractPair,
  make: (facts: FindingFacts) => Finding,
): Promise<readonly Finding[]> => {
  const found: Finding[] = [];
  for (const [name, consumer] of current?.consumers ?? [])
    for (const path of consumer.reads ?? []) {
      const now = await promiseBy(current, path);
      // Only news is told: what was accepted as uncertain stays so.
      const accepted = locked?.consumers.get(name)?.reads?.includes(path) ? locked : null;
      const before = accepted === null ? 'always' : await promiseBy(accepted, path);
      const told = toldOf({ name, path, now, before });
      if (told === null) continue;
      found.push({ ...make({ ...told, path: pointerOf(path) }), affected: [affectedBy(name, consumer)] });
    }
  return found;
};

/** Every payload fits all encodings, so one of them is enough to promise it; but who reads an encoding misses what that one lacks. */
const promiseBy = async (contract: LockedContract | null, path: string): Promise<Promised> => {
  const promises = await Promise.all((contract?.schemas ?? []).map((schema) => promiseOf(schema, path)));
  const strongest = (['never', 'always', 'unknown', 'sometimes'] as const).find((each) =>
    promises.includes(each),
  );
  return strongest ?? 'always';
};

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
