import type { ProtobufField, ProtobufSchema } from './protobuf-schema.ts';

/**
 * What a reader sees where the field was not written, in a form that can be compared. An enum's is its number.
 * Undefined for what has none: messages, lists and maps.
 */
export const defaultOf = (field: ProtobufField, { enums }: ProtobufSchema): string | undefined => {
  const { type, cardinality, default: given } = field;
  if (cardinality === 'repeated' || cardinality === 'map') return undefined;
  if (type.kind === 'scalar') return withoutZero(type.name, given ?? '');
  if (type.kind !== 'enum') return undefined;
  const values = [...(enums.get(type.name)?.values ?? [])];
  const chosen = given === undefined ? values[0] : values.find(([, names]) => names.includes(given));
  return chosen === undefined ? undefined : withoutZero('enum', String(chosen[0]));
};

/** Zero, false and nothing at all are the same default: no text. */
const withoutZero = (type: string, value: string): string =>
  type !== 'string' && type !== 'bytes' && (value === '0' || value === 'false') ? '' : value;
