import { createHash } from 'node:crypto';
import type { StandardJSONSchemaV1 } from '@standard-schema/spec';
import { canonicalJson, FactlineError, type Json } from '../../foundation/index.ts';
import type { SchemaFormat } from '../compare/comparison.ts';
import type { EventContract } from '../contract.ts';
import type { PayloadSchema } from '../payload-types.ts';

/** One schema of a contract: parsed JSON for JSON Schema and Avro, the files' texts by path for Protobuf. */
export interface ContractEncoding {
  readonly format: SchemaFormat;
  /** What a producer writes: defaults are filled in, members that nobody declared are gone. */
  readonly output: Json;
  /** What a consumer accepts: members with a default may be absent. */
  readonly input: Json;
}

export interface ContractSchemas {
  /** The contract's `schema` first, then its `encodings`. */
  readonly encodings: readonly ContractEncoding[];
}

/** Where a schema that was made from a file carries it. Process-wide, for a second copy of the package. */
const encodingBrand: unique symbol = Symbol.for('factline.encoding') as never;

/** A schema made by `jsonSchema`, `avroSchema` or `protobufSchema`. */
export interface EncodedSchema {
  readonly [encodingBrand]: ContractEncoding;
}

/** Lets a schema say what it was made from. */
export const withEncoding = <S extends PayloadSchema>(
  schema: S,
  encoding: ContractEncoding,
): S & EncodedSchema => Object.freeze(Object.assign(schema, { [encodingBrand]: encoding }));

type Convertible = PayloadSchema & Partial<StandardJSONSchemaV1>;
type Form = 'input' | 'output';

const target = 'draft-2020-12';

const converterOf = (schema: PayloadSchema): StandardJSONSchemaV1.Converter | undefined => {
  const properties: Partial<StandardJSONSchemaV1.Props> = (schema as Convertible)['~standard'];
  return properties.jsonSchema;
};

const attempt = (
  schema: PayloadSchema,
  form: Form,
): { readonly schema: Json } | { readonly error: unknown } => {
  try {
    const converted = converterOf(schema)?.[form]({ target });
    // Converters attach functions and undefined members: what counts is the JSON.
    return { schema: JSON.parse(JSON.stringify(converted)) as Json };
  } catch (error) {
    return { error };
  }
};

/** The schemas inside a schema, by the names that zod gives them in public; libraries without them end the search. */
const partsOf = (schema: unknown): readonly (readonly [path: string, part: unknown])[] => {
  const { shape, element, unwrap } = schema as {
    readonly shape?: unknown;
    readonly element?: unknown;
    readonly unwrap?: unknown;
  };
  if (typeof shape === 'object' && shape !== null) return Object.entries(shape);
  if (element !== undefined) return [['', element]];
  return typeof unwrap === 'function' ? [['', unwrap.call(schema)]] : [];
};

/** The field whose schema cannot be converted, as far as the library lets us look. */
const culpritPath = (schema: unknown, form: Form): string => {
  for (const [name, part] of partsOf(schema)) {
    const convertible = (part as Partial<PayloadSchema> | undefined)?.['~standard'] !== undefined;
    if (!convertible || 'schema' in attempt(part as PayloadSchema, form)) continue;
    return [name, culpritPath(part, form)].filter((each) => each !== '').join('.');
  }
  return '';
};

const cures: Readonly<Record<string, string>> = {
  zod: 'update zod to 4.2 or newer',
  valibot: "wrap the schema in toStandardJsonSchema of '@valibot/to-json-schema'",
  arktype: 'update arktype to 2.1.28 or newer',
};

const unavailable = (
  contract: EventContract,
  schema: PayloadSchema,
  facts: { readonly path: string; readonly reason: string; readonly cure: string; readonly cause?: unknown },
): FactlineError => {
  const { cause, ...shown } = facts;
  const details = { type: contract.type, library: schema['~standard'].vendor, ...shown };
  return new FactlineError('CONTRACT_SCHEMA_UNAVAILABLE', details, cause === undefined ? {} : { cause });
};

const convert = (contract: EventContract, schema: PayloadSchema, form: Form): Json => {
  const answer = attempt(schema, form);
  if ('schema' in answer) return answer.schema;
  const { error: cause } = answer;
  throw unavailable(contract, schema, {
    path: culpritPath(schema, form) || 'the payload',
    reason: cause instanceof Error ? cause.message : String(cause),
    cure: 'say it in terms that JSON Schema has (a string with a pattern or a format, a number with bounds, an enum)',
    cause,
  });
};

const encodingOf = (contract: EventContract, schema: PayloadSchema): ContractEncoding => {
  const own = (schema as Partial<EncodedSchema>)[encodingBrand];
  if (own !== undefined) return own;
  if (converterOf(schema) === undefined) {
    throw unavailable(contract, schema, {
      path: 'the payload',
      reason: 'its schemas do not implement StandardJSONSchemaV1',
      cure:
        cures[schema['~standard'].vendor] ??
        'use a library that does, or a JSON Schema file with jsonSchema()',
    });
  }
  return {
    format: 'json-schema',
    output: convert(contract, schema, 'output'),
    input: convert(contract, schema, 'input'),
  };
};

/**
 * The schemas of a contract as data, for comparing, locking and showing them.
 *
 * What a library cannot say in JSON Schema it either refuses (then this throws) or leaves out: checks written as functions
 * (zod's `refine` and `check`, arktype's `narrow`) and flags of patterns are in neither form. docs/contracts.md lists it.
 * @throws FactlineError CONTRACT_SCHEMA_UNAVAILABLE with the library, the path where it is known, and what to do
 */
export const contractSchemas = (contract: EventContract): ContractSchemas => ({
  encodings: [contract.schema, ...contract.encodings].map((schema) => encodingOf(contract, schema)),
});

/** SHA-256 of a contract's schemas, hexadecimal: equal exactly when nothing in them differs but the order of members. */
export const schemaDigest = (schemas: ContractSchemas): string =>
  createHash('sha256').update(canonicalJson(schemas.encodings)).digest('hex');
