import type { Json } from '../../foundation/index.ts';
import { exampleValues } from '../catalogue/example-values.ts';
import type { FactEvent } from '../envelope.ts';
import { keyOf } from '../key.ts';
import type { Upcaster } from '../upcasting/define-upcaster.ts';
import { upcastEvent } from '../upcasting/upcasting.ts';
import type { Described } from './describe-contracts.ts';
import type { Finding } from './finding.ts';
import type { ContractsLock } from './lock.ts';
import type { GateSubject } from './subject.ts';

/**
 * Upcasters run over payloads made from the schema that was accepted for the old version, so that a bug is found before the
 * first old event is read: what they answer must fit the new version's schema and keep the key.
 */
export const upcasterFindings = (
  { upcasters }: GateSubject,
  { contracts }: Described,
  lock: ContractsLock,
): readonly Finding[] =>
  upcasters.flatMap((upcaster) => {
    const { type } = upcaster.from;
    const schemas = (lock.contracts.get(type) ?? contracts.get(type))?.schemas ?? [];
    const output = schemas.find(({ format }) => format === 'json-schema')?.output;
    const samples = output === undefined ? [] : exampleValues(output);
    for (const sample of samples) {
      const failure = failureOf(upcaster, sample);
      if (failure !== null) return [findingOf(upcaster, sample, failure)];
    }
    return [];
  });

/** Null: it works, or the sample is none that the old contract would have taken. */
const failureOf = (upcaster: Upcaster, sample: Json): string | null => {
  const { from } = upcaster;
  const event = sampleEvent(upcaster, sample);
  if (event === null) return null;
  try {
    upcastEvent(event, [upcaster]);
    return null;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return `${from.type} → ${upcaster.to.type}: ${reason}`;
  }
};

const sampleEvent = ({ from }: Upcaster, sample: Json): FactEvent | null => {
  try {
    const checked = from.schema['~standard'].validate(sample);
    if (checked instanceof Promise || checked.issues !== undefined) return null;
    const { key, subject } = keyOf(from.type, from.key, checked.value);
    return { id: 'a sample', type: from.type, key, subject, data: sample } as FactEvent;
  } catch {
    return null;
  }
};

const findingOf = ({ from, to }: Upcaster, witness: Json, message: string): Finding => ({
  rule: 'upcaster-fails',
  contract: from.type,
  path: '',
  kind: 'demand',
  severity: 'error',
  message,
  witness,
  remedy: `Correct the function given to defineUpcaster for ${to.type}: old events cannot be read with it.`,
  affected: [],
  approver: null,
  waiver: null,
});
