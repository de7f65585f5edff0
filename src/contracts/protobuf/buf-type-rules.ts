import {
  type BufCategory,
  type BufFinding,
  type BufRule,
  everywhere,
  generated,
  generatedAndCsr,
  json,
} from './buf-rule.ts';
import {
  describeRanges,
  isReserved,
  type ProtobufEnum,
  type ProtobufMessage,
  type ProtobufOptions,
  type Reserved,
  uncovered,
} from './protobuf-schema.ts';
import type { Pair, SchemaPairs } from './schema-pairs.ts';

type Finder<Thing> = (pair: Pair<Thing>) => readonly Omit<BufFinding, 'path'>[];

interface Meaning<Thing> {
  readonly remedy: string;
  readonly find: Finder<Thing>;
}

const ruleOver =
  <Thing extends { readonly name: string }>(pick: (pairs: SchemaPairs) => readonly Pair<Thing>[]) =>
  (id: string, categories: readonly BufCategory[], { remedy, find }: Meaning<Thing>): BufRule => ({
    id,
    categories,
    remedy,
    find: (pairs) =>
      pick(pairs).flatMap((pair) => find(pair).map((finding) => ({ path: pair.old.name, ...finding }))),
  });

const overMessages = ruleOver<ProtobufMessage>(({ messages }) => messages);
const overEnums = ruleOver<ProtobufEnum>(({ enums }) => enums);

/** A finding when there is something to say. */
const when = (condition: boolean, finding: Omit<BufFinding, 'path'>): readonly Omit<BufFinding, 'path'>[] =>
  condition ? [finding] : [];

const requiredNumbers = ({ fields }: ProtobufMessage): string =>
  [...fields.values()]
    .filter(({ cardinality }) => cardinality === 'required')
    .map(({ number }) => number)
    .sort((a, b) => a - b)
    .join(', ');

const reservedKept: Finder<{ readonly reserved: Reserved; readonly name: string }> = ({
  old,
  new: after,
}) => {
  const ranges = uncovered(old.reserved.ranges, after.reserved.ranges);
  const names = [...old.reserved.names].filter((name) => !after.reserved.names.has(name));
  return [
    ...when(ranges.length > 0, { message: `The numbers ${describeRanges(ranges)} are no longer reserved.` }),
    ...when(names.length > 0, { message: `The names ${names.join(', ')} are no longer reserved.` }),
  ];
};

const jsonKept: Finder<{ readonly isJsonAllowed: boolean; readonly name: string }> = ({ old, new: after }) =>
  when(old.isJsonAllowed && !after.isJsonAllowed, {
    message: 'Its JSON form is no longer guaranteed (json_format LEGACY_BEST_EFFORT).',
  });

const isSet = (options: ProtobufOptions, name: string): boolean => options[name] === true;

const keepReserved = 'Keep what was reserved: data of the deleted member may still be there.';
const keepJson = 'Keep json_format as it is.';

export const bufMessageRules: readonly BufRule[] = [
  overMessages('MESSAGE_SAME_REQUIRED_FIELDS', everywhere, {
    remedy: 'Required fields can neither be added nor removed; add an optional one.',
    find: ({ old, new: after }) => {
      const [before, now] = [requiredNumbers(old), requiredNumbers(after)];
      return when(before !== now, { old: before, new: now, message: 'Its required fields changed.' });
    },
  }),
  overMessages('RESERVED_MESSAGE_NO_DELETE', everywhere, { remedy: keepReserved, find: reservedKept }),
  overMessages('MESSAGE_SAME_MESSAGE_SET_WIRE_FORMAT', everywhere, {
    remedy: 'Keep message_set_wire_format as it is.',
    find: ({ old, new: after }) =>
      when(
        isSet(old.options, 'message_set_wire_format') !== isSet(after.options, 'message_set_wire_format'),
        {
          message: 'message_set_wire_format changed.',
        },
      ),
  }),
  overMessages('MESSAGE_SAME_JSON_FORMAT', json, { remedy: keepJson, find: jsonKept }),
  overMessages('MESSAGE_NO_REMOVE_STANDARD_DESCRIPTOR_ACCESSOR', generatedAndCsr, {
    remedy: 'Leave no_standard_descriptor_accessor unset.',
    find: ({ old, new: after }) =>
      when(
        !isSet(old.options, 'no_standard_descriptor_accessor') &&
          isSet(after.options, 'no_standard_descriptor_accessor'),
        { message: 'The standard descriptor accessor was removed.' },
      ),
  }),
  overMessages('EXTENSION_MESSAGE_NO_DELETE', generatedAndCsr, {
    remedy: 'Keep the extension ranges.',
    find: ({ old, new: after }) => {
      const ranges = uncovered(old.extensionRanges, after.extensionRanges);
      return when(ranges.length > 0, {
        message: `The extension ranges ${describeRanges(ranges)} were deleted.`,
      });
    },
  }),
  overMessages('ONEOF_NO_DELETE', generatedAndCsr, {
    remedy: 'Keep the oneof.',
    find: ({ old, new: after }) =>
      [...old.oneofs]
        .filter((name) => !after.oneofs.has(name))
        .map((name) => ({ path: `${old.name}.${name}`, message: `The oneof ${name} was deleted.` })),
  }),
];

/** Values whose number is gone. */
const deletedValues = (
  { old, new: after }: Pair<ProtobufEnum>,
  isAllowed: (number: number, names: readonly string[]) => boolean,
): readonly (BufFinding & { readonly old: string })[] =>
  [...old.values]
    .filter(([number, names]) => !after.values.has(number) && !isAllowed(number, names))
    .map(([number, names]) => ({
      path: `${old.name}.${names[0]}`,
      old: `${names.join(', ')} = ${number}`,
      message: `The value ${number} was deleted.`,
    }));

export const bufEnumRules: readonly BufRule[] = [
  overEnums('ENUM_VALUE_NO_DELETE', generatedAndCsr, {
    remedy: 'Keep the value, deprecated.',
    find: (pair) => deletedValues(pair, () => false),
  }),
  overEnums('ENUM_VALUE_NO_DELETE_UNLESS_NUMBER_RESERVED', ['wire', 'wire-json', 'csr'], {
    remedy: 'Reserve its number, so that nobody gives it another meaning.',
    find: (pair) => deletedValues(pair, (number) => isReserved(pair.new.reserved, number)),
  }),
  overEnums('ENUM_VALUE_NO_DELETE_UNLESS_NAME_RESERVED', ['wire-json', 'csr'], {
    remedy: 'Reserve its name, so that nobody gives it another meaning in JSON.',
    find: (pair) =>
      deletedValues(pair, (_number, names) => names.every((name) => pair.new.reserved.names.has(name))),
  }),
  overEnums('ENUM_VALUE_SAME_NAME', json, {
    remedy: 'Keep the name; with allow_alias the number may have the new one as well.',
    find: ({ old, new: after }) =>
      [...old.values].flatMap(([number, names]) => {
        const now = after.values.get(number);
        if (now === undefined || names.every((name) => now.includes(name))) return [];
        const path = `${old.name}.${names[0]}`;
        return [
          { path, old: names.join(', '), new: now.join(', '), message: `The value ${number} was renamed.` },
        ];
      }),
  }),
  overEnums('RESERVED_ENUM_NO_DELETE', everywhere, { remedy: keepReserved, find: reservedKept }),
  overEnums('ENUM_SAME_JSON_FORMAT', json, { remedy: keepJson, find: jsonKept }),
  overEnums('ENUM_SAME_TYPE', generated, {
    remedy: 'Keep the enum open or closed as it was.',
    find: ({ old, new: after }) =>
      when(old.isClosed !== after.isClosed, {
        old: old.isClosed ? 'closed' : 'open',
        new: after.isClosed ? 'closed' : 'open',
        message: 'Whether it takes unknown values changed.',
      }),
  }),
];
