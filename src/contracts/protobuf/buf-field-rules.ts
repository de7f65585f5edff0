import {
  type BufCategory,
  type BufFinding,
  type BufRule,
  everywhere,
  generated,
  generatedAndCsr,
  json,
} from './buf-rule.ts';
import { defaultOf } from './default-value.ts';
import { type Cardinality, describeFieldType, isReserved, type ProtobufField } from './protobuf-schema.ts';
import type { Pair, SchemaPairs } from './schema-pairs.ts';
import { isSameType, isWireCompatible, isWireJsonCompatible } from './wire-types.ts';

const addBeside = 'Add a field with a new number instead, and keep this one, deprecated.';

/** A rule about something that a field must keep: `of` says what it is; equal text, or texts that `isFine` allows, pass. */
const sameOf = (
  id: string,
  categories: readonly BufCategory[],
  {
    what,
    of,
    isFine = () => false,
  }: {
    readonly what: string;
    readonly of: (field: ProtobufField, pairs: SchemaPairs, side: 'old' | 'new') => string;
    readonly isFine?: (pair: Pair<ProtobufField>, pairs: SchemaPairs) => boolean;
  },
): BufRule => ({
  id,
  categories,
  remedy: addBeside,
  find: (pairs) =>
    pairs.fields.flatMap((pair): BufFinding[] => {
      const [old, after] = [of(pair.old, pairs, 'old'), of(pair.new, pairs, 'new')];
      if (old === after || isFine(pair, pairs)) return [];
      return [
        { path: pair.new.path, old, new: after, message: `The ${what} of field ${pair.old.number} changed.` },
      ];
    }),
});

const cardinality = {
  what: 'cardinality',
  of: (field: ProtobufField): string => cardinalityWords[field.cardinality],
};

const cardinalityWords: Readonly<Record<Cardinality, string>> = {
  implicit: 'optional',
  explicit: 'optional with presence',
  required: 'required',
  repeated: 'repeated',
  map: 'map',
};

const isAmong = ({ old, new: after }: Pair<ProtobufField>, among: readonly Cardinality[]): boolean =>
  among.includes(old.cardinality) && among.includes(after.cardinality);

const type = { what: 'type', of: (field: ProtobufField): string => describeFieldType(field.type) };

const isText = ({ type: { kind, ...rest } }: ProtobufField): boolean =>
  kind === 'scalar' && 'name' in rest && rest.name === 'string';

const option =
  (name: string, fallback: string) =>
  ({ options }: ProtobufField): string =>
    String(options[name] ?? fallback);

const sameRules: readonly BufRule[] = [
  sameOf('FIELD_SAME_NAME', json, { what: 'name', of: ({ name }) => name }),
  sameOf('FIELD_SAME_JSON_NAME', json, { what: 'JSON name', of: ({ jsonName }) => jsonName }),
  sameOf('FIELD_SAME_TYPE', generatedAndCsr, {
    ...type,
    isFine: (pair) => isSameType(pair.old.type, pair.new.type),
  }),
  sameOf('FIELD_WIRE_COMPATIBLE_TYPE', ['wire'], {
    ...type,
    isFine: (pair, schemas) => isWireCompatible({ old: pair.old.type, new: pair.new.type }, schemas),
  }),
  sameOf('FIELD_WIRE_JSON_COMPATIBLE_TYPE', ['wire-json', 'csr'], {
    ...type,
    isFine: (pair, schemas) => isWireJsonCompatible({ old: pair.old.type, new: pair.new.type }, schemas),
  }),
  sameOf('FIELD_SAME_CARDINALITY', generated, cardinality),
  sameOf('FIELD_WIRE_COMPATIBLE_CARDINALITY', ['wire'], {
    ...cardinality,
    isFine: (pair) => isAmong(pair, ['implicit', 'explicit']) || isAmong(pair, ['repeated', 'map']),
  }),
  sameOf('FIELD_WIRE_JSON_COMPATIBLE_CARDINALITY', ['wire-json', 'csr'], {
    ...cardinality,
    isFine: (pair) => isAmong(pair, ['implicit', 'explicit']),
  }),
  sameOf('FIELD_SAME_ONEOF', everywhere, { what: 'oneof', of: ({ oneof }) => oneof ?? '—' }),
  sameOf('FIELD_SAME_DEFAULT', everywhere, {
    what: 'default',
    of: (field, schemas, side) => JSON.stringify(defaultOf(field, schemas[side]) || 0),
    // Where the type itself changed, there is nothing to hold the value against.
    isFine: (pair, schemas) =>
      defaultOf(pair.old, schemas.old) === undefined || defaultOf(pair.new, schemas.new) === undefined,
  }),
  sameOf('FIELD_SAME_JSTYPE', generated, { what: 'jstype', of: option('jstype', 'JS_NORMAL') }),
  sameOf('FIELD_SAME_CPP_STRING_TYPE', generated, { what: 'C++ string type', of: option('ctype', 'STRING') }),
  sameOf('FIELD_SAME_UTF8_VALIDATION', generated, {
    what: 'check for UTF-8',
    of: ({ isUtf8Checked }) => (isUtf8Checked ? 'checked' : 'not checked'),
    isFine: (pair) => !isText(pair.old) || !isText(pair.new),
  }),
  sameOf('FIELD_SAME_JAVA_UTF8_VALIDATION', generated, {
    what: 'check for UTF-8 in Java',
    of: ({ isUtf8CheckedInJava }) => (isUtf8CheckedInJava ? 'checked' : 'not checked'),
    isFine: (pair) => !isText(pair.old) || !isText(pair.new),
  }),
];

type Deleted = (field: ProtobufField, message: SchemaPairs['messages'][number]['new']) => boolean;

const noDelete = (
  id: string,
  categories: readonly BufCategory[],
  { isAllowed, remedy }: { readonly isAllowed: Deleted; readonly remedy: string },
): BufRule => ({
  id,
  categories,
  remedy,
  find: (pairs) =>
    pairs.messages.flatMap((pair) =>
      [...pair.old.fields.values()]
        .filter((field) => !pair.new.fields.has(field.number) && !isAllowed(field, pair.new))
        .map((field) => ({
          path: field.path,
          old: `${describeFieldType(field.type)} ${field.name} = ${field.number}`,
          message: `Field ${field.number} was deleted.`,
        })),
    ),
});

const deleteRules: readonly BufRule[] = [
  noDelete('FIELD_NO_DELETE', generatedAndCsr, {
    isAllowed: () => false,
    remedy: 'Keep the field, deprecated.',
  }),
  noDelete('FIELD_NO_DELETE_UNLESS_NUMBER_RESERVED', ['wire', 'wire-json', 'csr'], {
    isAllowed: ({ number }, { reserved }) => isReserved(reserved, number),
    remedy: 'Reserve its number, so that nobody gives it another meaning.',
  }),
  noDelete('FIELD_NO_DELETE_UNLESS_NAME_RESERVED', ['wire-json', 'csr'], {
    isAllowed: ({ name }, { reserved }) => reserved.names.has(name),
    remedy: 'Reserve its name, so that nobody gives it another meaning in JSON.',
  }),
];

export const bufFieldRules: readonly BufRule[] = [...sameRules, ...deleteRules];
