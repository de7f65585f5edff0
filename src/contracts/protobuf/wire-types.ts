import type { FieldType, NamedFieldType, ProtobufSchema } from './protobuf-schema.ts';
import type { Pair } from './schema-pairs.ts';

/** Scalars that may take each other's place. What stands alone may not be replaced. */
type Groups = readonly (readonly string[])[];

const wireGroups: Groups = [
  ['int32', 'int64', 'uint32', 'uint64', 'bool'],
  ['sint32', 'sint64'],
  ['fixed32', 'sfixed32'],
  ['fixed64', 'sfixed64'],
];

/** 64-bit numbers are text in JSON, 32-bit ones are not. */
const jsonGroups: Groups = [
  ['int32', 'uint32'],
  ['int64', 'uint64'],
  ['fixed32', 'sfixed32'],
  ['fixed64', 'sfixed64'],
];

/** As the directions have it: every encoding that is read without an error. */
const readGroups: Groups = [...wireGroups, ['string', 'bytes']];

const isInOneGroup = (groups: Groups, a: string, b: string): boolean =>
  a === b || groups.some((group) => group.includes(a) && group.includes(b));

export const isReadAs = (a: string, b: string): boolean => isInOneGroup(readGroups, a, b);

export const isSameType = (old: FieldType, after: FieldType): boolean => {
  if (old.kind === 'map' && after.kind === 'map')
    return isSameType(old.key, after.key) && isSameType(old.value, after.value);
  return old.kind === after.kind && old.kind !== 'map' && old.name === (after as NamedFieldType).name;
};

type Schemas = Pair<ProtobufSchema>;

/** Whether the binary form of the one is read as the other. Text may become bytes, not the other way round. */
export const isWireCompatible = (types: Pair<FieldType>, schemas: Schemas): boolean =>
  isCompatible(
    types,
    schemas,
    (old, after) => (old === 'string' && after === 'bytes') || isInOneGroup(wireGroups, old, after),
  );

/** Whether both the binary and the JSON form of the one are read as the other. */
export const isWireJsonCompatible = (types: Pair<FieldType>, schemas: Schemas): boolean =>
  isCompatible(types, schemas, (old, after) => isInOneGroup(jsonGroups, old, after));

const isCompatible = (
  { old, new: after }: Pair<FieldType>,
  schemas: Schemas,
  isScalarCompatible: (old: string, after: string) => boolean,
): boolean => {
  if (old.kind === 'map' && after.kind === 'map') {
    const isInside = (types: Pair<FieldType>): boolean => isCompatible(types, schemas, isScalarCompatible);
    return isInside({ old: old.key, new: after.key }) && isInside({ old: old.value, new: after.value });
  }
  if (old.kind === 'scalar' && after.kind === 'scalar') return isScalarCompatible(old.name, after.name);
  if (old.kind === 'enum' && after.kind === 'enum') return isGrown(old.name, after.name, schemas);
  return isSameType(old, after);
};

/** The same enum, or one of that name that stands elsewhere and has all its values. */
const isGrown = (old: string, after: string, schemas: Schemas): boolean => {
  if (old === after) return true;
  const isShortNameEqual = old.slice(old.lastIndexOf('.') + 1) === after.slice(after.lastIndexOf('.') + 1);
  const before = schemas.old.enums.get(old);
  const now = schemas.new.enums.get(after);
  if (!isShortNameEqual || before === undefined || now === undefined) return false;
  return [...before.values].every(([number, names]) =>
    names.every((name) => now.values.get(number)?.includes(name) === true),
  );
};
