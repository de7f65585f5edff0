import type { Json } from '../../foundation/index.ts';
import type { EventContract } from '../contract.ts';
import type { LockedContract } from '../gate/lock.ts';
import { isObject } from '../gate/lock-shape.ts';
import { exampleValues } from './example-values.ts';

/**
 * A payload of the contract, checked by an independent validator and by the contract itself; null where none could be made, and
 * where the contract is published in other encodings than JSON only.
 */
export const exampleOf = async (contract: EventContract, described: LockedContract): Promise<Json | null> => {
  const schema = described.schemas.find(({ format }) => format === 'json-schema')?.output;
  if (schema === undefined) return null;
  const fits = await validatorOf(schema);
  return exampleValues(schema).find((value) => fits(value) && isTaken(contract, value)) ?? null;
};

const validatorOf = async (schema: Json): Promise<(value: Json) => boolean> => {
  // Larger than the rest of Factline: loaded where it is needed.
  const [{ default: draft07 }, { default: draft2020 }, { default: formats }] = await Promise.all([
    import('ajv'),
    import('ajv/dist/2020.js'),
    import('ajv-formats'),
  ]);
  const declared = isObject(schema) ? String(schema['$schema'] ?? '') : '';
  const Validator = /draft-0[4-7]/.test(declared) ? draft07.default : draft2020.default;
  const ajv = new Validator({ strict: false, validateSchema: false, logger: false });
  formats.default(ajv);
  try {
    const validate = ajv.compile(schema as Readonly<Record<string, unknown>>);
    return (value) => validate(value) === true;
  } catch {
    // What ajv does not understand is left to the contract's own check.
    return () => true;
  }
};

const isTaken = ({ schema }: EventContract, value: Json): boolean => {
  try {
    const checked = schema['~standard'].validate(value);
    return !(checked instanceof Promise) && checked.issues === undefined;
  } catch {
    return false;
  }
};
