import protobuf from 'protobufjs';
import { defaultFeatures, withFeatures } from './features.ts';
import type { Invalid, ParsedFile } from './parse-file.ts';
import {
  isReserved,
  type NumberRange,
  type ProtobufEnum,
  type ProtobufExtension,
  type ProtobufField,
  type ProtobufMessage,
  type ProtobufMethod,
  type ProtobufOptions,
  type ProtobufService,
  type Reserved,
} from './protobuf-schema.ts';
import { readField } from './read-field.ts';
import { qualify, type Scope } from './scope.ts';
import { isGroup, type TypeNames } from './type-names.ts';

const enumNumberLimit = 2 ** 31;

/** Turns what the library parsed into definitions with full names, and refuses what it lets pass. */
export class DefinitionReader {
  readonly schema = {
    messages: new Map<string, ProtobufMessage>(),
    enums: new Map<string, ProtobufEnum>(),
    services: new Map<string, ProtobufService>(),
    extensions: new Map<string, ProtobufExtension>(),
  };
  readonly #types: TypeNames;
  readonly #invalid: Invalid;

  constructor(types: TypeNames, invalid: Invalid) {
    this.#types = types;
    this.#invalid = invalid;
  }

  read(file: ParsedFile): void {
    const scope: Scope = { file, name: file.package, features: defaultFeatures[file.syntax] };
    for (const object of file.definitions) this.#read(object, scope);
  }

  #read(object: protobuf.ReflectionObject, scope: Scope): void {
    if (object instanceof protobuf.Type) this.#readMessage(object, scope);
    else if (object instanceof protobuf.Enum) this.#readEnum(object, scope);
    else if (object instanceof protobuf.Service) this.#readService(object, scope);
    else if (object instanceof protobuf.Field) this.#readExtension(object, scope);
  }

  #readMessage(type: protobuf.Type, around: Scope): void {
    const definition = define(type, around);
    const options: ProtobufOptions = type.options ?? {};
    const scope: Scope = {
      ...around,
      name: definition.name,
      features: withFeatures(around.features, options),
    };
    const reserved = reservedOf(type.reserved);
    const fields = new Map<number, ProtobufField>();
    for (const field of type.fieldsArray) {
      // The library shows an extension in the message that it extends as well.
      if (field.declaringField) continue;
      const read = readField(field, scope, this.#types);
      this.#checkNumber(read, scope, reserved);
      fields.set(read.number, read);
    }
    this.schema.messages.set(definition.name, {
      ...definition,
      isGroup: isGroup(type),
      fields,
      oneofs: new Set(type.oneofsArray.filter((oneof) => !isMadeUp(oneof)).map(({ name }) => name)),
      reserved,
      extensionRanges: reservedOf(type.extensions).ranges,
      isJsonAllowed: scope.features.json_format === 'ALLOW',
      options,
    });
    for (const nested of type.nestedArray) this.#read(nested, scope);
  }

  #checkNumber({ number, path, name }: ProtobufField, { file }: Scope, reserved: Reserved): void {
    const max = 2 ** 29 - 1;
    if (number < 1 || number > max)
      throw this.#invalid(file.path, `${path} has the number ${number}; 1 to ${max} are allowed`);
    if (number >= 19_000 && number <= 19_999)
      throw this.#invalid(file.path, `${path} has the number ${number}; 19000 to 19999 belong to Protobuf`);
    if (isReserved(reserved, number))
      throw this.#invalid(file.path, `${path} has the number ${number}, which is reserved`);
    if (reserved.names.has(name)) throw this.#invalid(file.path, `${path} has a name that is reserved`);
  }

  #readEnum(object: protobuf.Enum, around: Scope): void {
    const definition = define(object, around);
    const features = withFeatures(around.features, object.options ?? {});
    const values = new Map<number, string[]>();
    for (const [name, number] of Object.entries(object.values)) {
      if (number < -enumNumberLimit || number >= enumNumberLimit)
        throw this.#invalid(
          around.file.path,
          `${definition.name}.${name} has the number ${number}; it does not fit 32 bits`,
        );
      values.set(number, [...(values.get(number) ?? []), name]);
    }
    if (values.size === 0) throw this.#invalid(around.file.path, `the enum ${definition.name} has no values`);
    this.schema.enums.set(definition.name, {
      ...definition,
      values,
      reserved: reservedOf(object.reserved),
      isClosed: features.enum_type === 'CLOSED',
      isJsonAllowed: features.json_format === 'ALLOW',
    });
  }

  #readService(service: protobuf.Service, around: Scope): void {
    const definition = define(service, around);
    const typeName = (name: string): string =>
      this.#types.resolve(name, definition.name, around.file.path).name;
    const methods = service.methodsArray.map(
      (method): ProtobufMethod => ({
        name: method.name,
        path: `${definition.name}.${method.name}`,
        request: typeName(method.requestType),
        response: typeName(method.responseType),
        clientStreaming: method.requestStream === true,
        serverStreaming: method.responseStream === true,
        idempotency: String(method.options?.['idempotency_level'] ?? 'IDEMPOTENCY_UNKNOWN'),
      }),
    );
    const byName = new Map(methods.map((method) => [method.name, method]));
    this.schema.services.set(definition.name, { ...definition, methods: byName });
  }

  #readExtension(field: protobuf.Field, scope: Scope): void {
    const definition = define(field, scope);
    const extendee = this.#types.resolve(field.extend ?? '', scope.name, scope.file.path).name;
    const read = readField(field, scope, this.#types);
    const jsonName = `[${definition.name}]`;
    this.schema.extensions.set(definition.name, {
      ...definition,
      extendee,
      field: { ...read, name: definition.name, jsonName, path: definition.name },
    });
  }
}

const define = (
  { name }: protobuf.ReflectionObject,
  { file, name: scope }: Scope,
): { name: string; localName: string; file: string } => {
  const full = qualify(scope, name);
  const localName = file.package === '' ? full : full.slice(file.package.length + 1);
  return { name: full, localName, file: file.path };
};

/** proto3's `optional` is a oneof of its own inside. */
const isMadeUp = (oneof: protobuf.OneOf): boolean =>
  oneof.fieldsArray.length === 1 && oneof.fieldsArray[0]?.options?.['proto3_optional'] === true;

const reservedOf = (reserved: readonly (number[] | string)[] | undefined): Reserved => ({
  ranges: (reserved ?? []).filter((each) => typeof each !== 'string') as unknown as NumberRange[],
  names: new Set((reserved ?? []).filter((each) => typeof each === 'string')),
});
