/** The subpath `factline/json-schema`: JSON Schema as the schema of a contract. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { Ajv, type AnySchemaObject, type ErrorObject, type Options, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { Json } from '../../foundation/index.ts';
import { type Fault, fileSchema, isPlainObject, readJsonSource, refuseSchema } from './file-schema.ts';

const options: Options = {
  allErrors: true,
  // What the specification calls an annotation is one: unknown keywords, formats. Members are the object's own.
  strict: false,
  validateFormats: false,
  ownProperties: true,
  logger: false,
};

const drafts: Readonly<Record<string, new (options: Options) => Ajv>> = {
  'https://json-schema.org/draft/2020-12/schema': Ajv2020 as unknown as typeof Ajv,
  'http://json-schema.org/draft-07/schema': Ajv,
};

const compile = (schema: AnySchemaObject): ValidateFunction => {
  const { $schema = 'https://json-schema.org/draft/2020-12/schema' } = schema;
  const Validator = drafts[String($schema).replace(/#$/, '')];
  if (Validator === undefined)
    return refuseSchema('json-schema', {
      path: '/$schema',
      reason: `${String($schema)} is neither 2020-12 nor draft-07`,
    });
  try {
    return new Validator(options).compile(schema);
  } catch (error) {
    // A $ref to another document ends here: nothing is fetched.
    return refuseSchema('json-schema', { path: '/', reason: (error as Error).message });
  }
};

const pointerPath = (pointer: string): string[] =>
  pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));

const faultOf = ({ instancePath, keyword, params, message = keyword }: ErrorObject): Fault => {
  const { missingProperty, additionalProperty, unevaluatedProperty, propertyName } = params as Record<
    string,
    unknown
  >;
  const member = missingProperty ?? additionalProperty ?? unevaluatedProperty ?? propertyName;
  return { path: [...pointerPath(instancePath), ...(typeof member === 'string' ? [member] : [])], message };
};

/**
 * A JSON Schema (2020-12, or draft-07 by its `$schema`) as the schema of a contract: the parsed schema, or the URL of its file.
 * Payloads are kept as they are: defaults are not filled in, `format` is not asserted, nothing is fetched.
 * @example
 * const OrderPlaced = defineEvent({ type: 'shop.order.placed.v1', key: 'orderId',
 *   schema: jsonSchema<{ orderId: string; pence: number }>(new URL('./order-placed.json', import.meta.url)) })
 * @throws FactlineError SCHEMA_INVALID
 */
export const jsonSchema = <T = never>(source: URL | AnySchemaObject): StandardSchemaV1<T, T> => {
  const schema = readJsonSource('json-schema', source);
  if (!isPlainObject(schema))
    return refuseSchema('json-schema', { path: '/', reason: 'it is not an object' });
  const validate = compile(schema);
  const json = schema as Json;
  return fileSchema<T>({ format: 'json-schema', output: json, input: json }, (payload) =>
    validate(payload) ? { value: payload } : { faults: (validate.errors ?? []).map(faultOf) },
  );
};
