import protobuf from 'protobufjs';
import { type Features, withFeatures } from './features.ts';
import type { Cardinality, FieldType, ProtobufField } from './protobuf-schema.ts';
import type { Scope } from './scope.ts';
import type { TypeNames } from './type-names.ts';

export const readField = (field: protobuf.Field, scope: Scope, types: TypeNames): ProtobufField => {
  const options = field.options ?? {};
  const features = withFeatures(scope.features, options);
  const typeOf = (name: string): FieldType =>
    Object.hasOwn(protobuf.types.basic, name)
      ? { kind: 'scalar', name }
      : delimited(types.resolve(name, scope.name, scope.file.path), features);
  const type: FieldType =
    field instanceof protobuf.MapField
      ? { kind: 'map', key: typeOf(field.keyType), value: typeOf(field.type) }
      : typeOf(field.type);
  const isOptional = options['proto3_optional'] === true;
  const oneof = field.partOf === null || isOptional ? null : field.partOf.name;
  const isExplicit = isOptional || oneof !== null || field.extend !== undefined;
  const { default: given, json_name: jsonName } = options as { default?: unknown; json_name?: unknown };
  const isUtf8Checked = features.utf8_validation === 'VERIFY';
  return {
    name: field.name,
    jsonName: typeof jsonName === 'string' ? jsonName : jsonNameOf(field.name),
    number: field.id,
    type,
    cardinality: cardinalityOf(field, { type, features, isExplicit }),
    oneof,
    default: given === undefined ? undefined : String(given),
    isUtf8Checked,
    isUtf8CheckedInJava: isUtf8Checked || scope.file.options['java_string_check_utf8'] === true,
    options,
    path: `${scope.name}.${field.name}`,
  };
};

/** An edition's message that is written as a group was. */
const delimited = (type: FieldType, features: Features): FieldType =>
  type.kind === 'message' && features.message_encoding === 'DELIMITED' ? { ...type, kind: 'group' } : type;

const cardinalityOf = (
  field: protobuf.Field,
  { type, features, isExplicit }: { type: FieldType; features: Features; isExplicit: boolean },
): Cardinality => {
  if (type.kind === 'map') return 'map';
  if (field.repeated) return 'repeated';
  if (field.rule === 'required' || features.field_presence === 'LEGACY_REQUIRED') return 'required';
  const hasPresence = isExplicit || type.kind === 'message' || type.kind === 'group';
  return hasPresence || features.field_presence === 'EXPLICIT' ? 'explicit' : 'implicit';
};

/** As the compiler makes it: `order_id` is `orderId`. */
const jsonNameOf = (name: string): string =>
  name.replaceAll(/_+(.?)/g, (_match, next: string) => next.toUpperCase());
