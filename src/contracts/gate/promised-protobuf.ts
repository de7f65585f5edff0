import { FactlineError } from '../../foundation/index.ts';
import { payloadMessage } from '../formats/protobuf-payload.ts';
import type { FieldType, ProtobufField, ProtobufSchema } from '../protobuf/protobuf-schema.ts';
import type { LockedSchema } from './lock.ts';
import { isObject } from './lock-shape.ts';
import type { Promised } from './promised.ts';

/**
 * What a producer promises about a dotted path in the JSON of a Protobuf message. Fields may go by either of their names. Only
 * required ones are always there: others are left out when they hold their default, and the log keeps payloads as they are.
 */
export const promiseInProtobuf = async (
  output: LockedSchema['output'],
  fields: readonly string[],
): Promise<Promised> => {
  const schema = await read(output);
  const payload = schema?.messages.get(payloadMessage)?.fields.get(1);
  return schema === undefined || payload === undefined ? 'unknown' : promiseIn(schema, payload.type, fields);
};

const known = new WeakMap<object, Promise<ProtobufSchema | undefined>>();

/** Once for all the fields that are asked about. */
const read = (output: LockedSchema['output']): Promise<ProtobufSchema | undefined> => {
  if (!isObject(output)) return Promise.resolve(undefined);
  const schema = known.get(output) ?? readFiles(output);
  known.set(output, schema);
  return schema;
};

const readFiles = async (output: Readonly<Record<string, unknown>>): Promise<ProtobufSchema | undefined> => {
  // The library is larger than all the rest.
  const { readProtobuf } = await import('../protobuf/read-protobuf.ts');
  try {
    return readProtobuf(
      new Map(Object.entries(output).map(([path, text]) => [path, String(text)])),
      'locked',
    );
  } catch (error) {
    // Comparing tells what is wrong with it.
    if (FactlineError.is(error, 'SCHEMA_INVALID')) return undefined;
    throw error;
  }
};

/** In JSON a text, a number or a flag. */
const plainMessages: ReadonlySet<string> = new Set(
  [
    ...['Duration', 'Empty', 'FieldMask', 'Timestamp'],
    ...['Bool', 'Bytes', 'Double', 'Float', 'Int32', 'Int64', 'String', 'UInt32', 'UInt64'].map(
      (name) => `${name}Value`,
    ),
  ].map((name) => `google.protobuf.${name}`),
);

const promiseIn = (schema: ProtobufSchema, type: FieldType, fields: readonly string[]): Promised => {
  const [name, ...rest] = fields;
  if (name === undefined) return 'always';
  if (type.kind === 'map') return sometimes(promiseIn(schema, type.value, rest));
  if (type.kind === 'scalar' || type.kind === 'enum') return 'never';
  const message = schema.messages.get(type.name);
  // Of google.protobuf: Struct, Any and the like may hold anything.
  if (message === undefined) return plainMessages.has(type.name) ? 'never' : 'unknown';
  const field = [...message.fields.values()].find((each) => each.jsonName === name || each.name === name);
  if (field === undefined) return 'never';
  const promise = promiseIn(schema, field.type, withoutPosition(field, rest));
  return field.cardinality === 'required' ? promise : sometimes(promise);
};

const withoutPosition = (
  { cardinality }: ProtobufField,
  [first, ...rest]: readonly string[],
): readonly string[] =>
  first === undefined ? [] : cardinality === 'repeated' && /^\d+$/.test(first) ? rest : [first, ...rest];

const sometimes = (promise: Promised): Promised => (promise === 'always' ? 'sometimes' : promise);
