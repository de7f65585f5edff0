/** Protobuf files as the comparison sees them: names are full ones, types are resolved, features are worked out. */

/** Text of .proto files by path. */
export type ProtobufFiles = ReadonlyMap<string, string>;

export type Cardinality = 'implicit' | 'explicit' | 'required' | 'repeated' | 'map';

export interface NamedFieldType {
  readonly kind: 'message' | 'group' | 'enum';
  /** Full, without a leading dot. */
  readonly name: string;
}

export type FieldType =
  | { readonly kind: 'scalar'; readonly name: string }
  | NamedFieldType
  | { readonly kind: 'map'; readonly key: FieldType; readonly value: FieldType };

export interface ProtobufField {
  /** Of an extension its full name. */
  readonly name: string;
  readonly jsonName: string;
  readonly number: number;
  readonly type: FieldType;
  readonly cardinality: Cardinality;
  /** Its oneof; null for none, also for the one that proto3's `optional` makes up. */
  readonly oneof: string | null;
  /** As declared; undefined when none is. */
  readonly default: string | undefined;
  /** Text is checked to be UTF-8 when it is read. */
  readonly isUtf8Checked: boolean;
  readonly isUtf8CheckedInJava: boolean;
  readonly options: ProtobufOptions;
  /** `shop.Order.total`. */
  readonly path: string;
}

/** Inclusive on both ends. */
export type NumberRange = readonly [from: number, to: number];

export interface Reserved {
  readonly ranges: readonly NumberRange[];
  readonly names: ReadonlySet<string>;
}

interface Definition {
  /** Full: `shop.v1.Order.Line`. */
  readonly name: string;
  /** Within its package: `Order.Line`. */
  readonly localName: string;
  readonly file: string;
}

export interface ProtobufMessage extends Definition {
  readonly isGroup: boolean;
  readonly fields: ReadonlyMap<number, ProtobufField>;
  /** Without those that proto3's `optional` makes up. */
  readonly oneofs: ReadonlySet<string>;
  readonly reserved: Reserved;
  readonly extensionRanges: readonly NumberRange[];
  /** The compiler guarantees a JSON form. */
  readonly isJsonAllowed: boolean;
  readonly options: ProtobufOptions;
}

export interface ProtobufEnum extends Definition {
  /** More than one name for a number: aliases. In order of declaration. */
  readonly values: ReadonlyMap<number, readonly string[]>;
  readonly reserved: Reserved;
  /** Unknown numbers are not values of it. */
  readonly isClosed: boolean;
  readonly isJsonAllowed: boolean;
}

export interface ProtobufMethod {
  readonly name: string;
  readonly path: string;
  readonly request: string;
  readonly response: string;
  readonly clientStreaming: boolean;
  readonly serverStreaming: boolean;
  readonly idempotency: string;
}

export interface ProtobufService extends Definition {
  readonly methods: ReadonlyMap<string, ProtobufMethod>;
}

export interface ProtobufExtension extends Definition {
  readonly extendee: string;
  readonly field: ProtobufField;
}

export interface ProtobufFile {
  readonly path: string;
  readonly package: string;
  readonly syntax: 'proto2' | 'proto3' | 'editions';
  readonly options: ProtobufOptions;
}

export type ProtobufOptions = Readonly<Record<string, unknown>>;

/** All files of one version together. Definitions by full name, files by path. */
export interface ProtobufSchema {
  readonly files: ReadonlyMap<string, ProtobufFile>;
  readonly messages: ReadonlyMap<string, ProtobufMessage>;
  readonly enums: ReadonlyMap<string, ProtobufEnum>;
  readonly services: ReadonlyMap<string, ProtobufService>;
  readonly extensions: ReadonlyMap<string, ProtobufExtension>;
}

export const describeFieldType = (type: FieldType): string =>
  type.kind === 'map'
    ? `map<${describeFieldType(type.key)}, ${describeFieldType(type.value)}>`
    : type.kind === 'scalar'
      ? type.name
      : `${type.kind} ${type.name}`;

export const isReserved = ({ ranges }: Reserved, number: number): boolean =>
  ranges.some(([from, to]) => from <= number && number <= to);

/** The ranges of `wanted` that `ranges` do not hold entirely. */
export const uncovered = (
  wanted: readonly NumberRange[],
  ranges: readonly NumberRange[],
): readonly NumberRange[] => wanted.filter((range) => !isCovered(range, ranges));

const isCovered = ([from, to]: NumberRange, ranges: readonly NumberRange[]): boolean => {
  let next = from;
  for (const [start, end] of [...ranges].sort(([a], [b]) => a - b)) {
    if (start > next) break;
    next = Math.max(next, end + 1);
  }
  return next > to;
};

export const describeRanges = (ranges: readonly NumberRange[]): string =>
  ranges.map(([from, to]) => (from === to ? String(from) : `${from} to ${to}`)).join(', ');
