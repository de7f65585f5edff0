/** The subpath `factline/protobuf`: a Protobuf message as the schema of a contract. */
import path from 'node:path';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import protobuf from 'protobufjs';
import protojson from 'protobufjs/ext/protojson.js';
import { readProtobuf } from '../protobuf/read-protobuf.ts';
import {
  type Fault,
  fileSchema,
  isPlainObject,
  type Reading,
  readSchemaFile,
  refuseSchema,
} from './file-schema.ts';
import { payloadFile, payloadText } from './protobuf-payload.ts';

export interface ProtobufOptions {
  /** The files that it imports, by the path in the import statement; `google/protobuf/*` is known. */
  readonly imports?: Readonly<Record<string, URL | string>>;
}

const textOf = (source: URL | string): string =>
  source instanceof URL ? readSchemaFile('protobuf', source) : source;

const messageType = (files: ReadonlyMap<string, string>, message: string): protobuf.Type => {
  // Reads strictly, and finds imports that are missing.
  readProtobuf(files, 'declared');
  const root = new protobuf.Root();
  for (const text of files.values()) {
    const { imports = [] } = protobuf.parse(text, root, { keepCase: true });
    for (const file of imports) {
      const common = files.has(file) ? null : protobuf.common.get(file);
      if (common?.nested) root.addJSON(common.nested);
    }
  }
  root.resolveAll();
  const type = root.lookup(message, [protobuf.Type]);
  if (type instanceof protobuf.Type) return type;
  return refuseSchema('protobuf', { path: message, reason: 'there is no message of this name' });
};

const isWellKnown = (type: protobuf.ReflectionObject): boolean =>
  type.fullName.startsWith('.google.protobuf.');

/** The payload without the members that the message lacks. */
const declaredMembers = (type: protobuf.Type, value: unknown): unknown => {
  if (!isPlainObject(value) || isWellKnown(type)) return value;
  const fields = new Map(
    type.fieldsArray.flatMap((field) => [field.jsonName, field.name].map((name) => [name, field] as const)),
  );
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, member]) => {
      const field = fields.get(name);
      return field === undefined ? [] : [[name, declaredValue(field, member)]];
    }),
  );
};

const declaredValue = (field: protobuf.Field, value: unknown): unknown => {
  const type = field.resolvedType;
  if (!(type instanceof protobuf.Type)) return value;
  if (field instanceof protobuf.MapField)
    return isPlainObject(value)
      ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, declaredMembers(type, item)]))
      : value;
  return Array.isArray(value) && field.repeated
    ? value.map((item) => declaredMembers(type, item))
    : declaredMembers(type, value);
};

/** Required fields that are not there, which the library only sees in the binary encoding. */
function* missingFields(type: protobuf.Type, value: unknown, path: Fault['path'] = []): Generator<Fault> {
  if (!isPlainObject(value) || isWellKnown(type)) return;
  for (const field of type.fieldsArray) {
    const name = [field.jsonName, field.name].find((each) => Object.hasOwn(value, each)) ?? field.jsonName;
    const member = Object.hasOwn(value, name) ? (value[name] ?? undefined) : undefined;
    if (member === undefined && field.required) yield { path: [...path, name], message: 'is required' };
    if (!(field.resolvedType instanceof protobuf.Type) || typeof member !== 'object') continue;
    const many = field.repeated || field instanceof protobuf.MapField;
    for (const [at, item] of many ? Object.entries(member) : [['', member] as const])
      yield* missingFields(field.resolvedType, item, [...path, name, ...(many ? [at] : [])]);
  }
}

const readPayload = (type: protobuf.Type, payload: unknown): Reading => {
  const value = declaredMembers(type, payload);
  try {
    protojson.fromJson(type, value);
  } catch (error) {
    return { faults: [{ path: [], message: (error as Error).message }] };
  }
  const faults = [...missingFields(type, value)];
  return faults.length > 0 ? { faults } : { value };
};

/**
 * A Protobuf message as the schema of a contract: the text of a `.proto` file, or its URL. The payload in the log is its
 * canonical JSON (ProtoJSON); members that the message lacks are dropped, and nothing is filled in.
 * @example
 * const OrderPlaced = defineEvent({ type: 'shop.order.placed.v1', key: 'orderId',
 *   schema: protobufSchema<{ orderId: string; pence: number }>(new URL('./order.proto', import.meta.url), 'shop.OrderPlaced') })
 * @throws FactlineError SCHEMA_INVALID
 */
export const protobufSchema = <T = never>(
  source: URL | string,
  message: string,
  { imports = {} }: ProtobufOptions = {},
): StandardSchemaV1<T, T> => {
  const file = source instanceof URL ? path.posix.basename(source.pathname) : 'schema.proto';
  const others = Object.entries(imports).map(([name, text]) => [name, textOf(text)] as const);
  const files = new Map([[file, textOf(source)], ...others]);
  const type = messageType(files, message);
  const encoded = { ...Object.fromEntries(files), [payloadFile]: payloadText(file, message) };
  return fileSchema<T>({ format: 'protobuf', output: encoded, input: encoded }, (payload) =>
    readPayload(type, payload),
  );
};
