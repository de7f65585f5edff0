/** Avro schemas as a graph: references are resolved, so a recursive record holds itself. */

export type AvroPrimitive = 'null' | 'boolean' | 'int' | 'long' | 'float' | 'double' | 'bytes' | 'string';

/** What a value means beyond its encoding. Two are the same when name, precision and scale are. */
export interface LogicalType {
  readonly name: string;
  readonly precision?: number;
  readonly scale?: number;
}

export interface AvroPrimitiveType {
  readonly kind: AvroPrimitive;
  readonly logical?: LogicalType;
}

export interface AvroArray {
  readonly kind: 'array';
  readonly items: AvroType;
}

export interface AvroMap {
  readonly kind: 'map';
  readonly values: AvroType;
}

export interface AvroUnion {
  readonly kind: 'union';
  readonly branches: readonly AvroType[];
}

export interface AvroNamed {
  /** With its namespace: `shop.orders.Line`. */
  readonly name: string;
  /** Without its namespace: `Line`. */
  readonly shortName: string;
  /** With their namespaces. */
  readonly aliases: readonly string[];
}

export interface AvroField {
  readonly name: string;
  readonly type: AvroType;
  readonly aliases: readonly string[];
  /** The JSON of the schema's `default`; undefined when there is none (null is one). */
  readonly default: unknown;
}

export interface AvroRecord extends AvroNamed {
  readonly kind: 'record';
  /** In order, by name. Filled when the record has been read, so that its fields may refer to it. */
  readonly fields: Map<string, AvroField>;
}

export interface AvroEnum extends AvroNamed {
  readonly kind: 'enum';
  readonly symbols: ReadonlySet<string>;
  readonly default?: string;
}

export interface AvroFixed extends AvroNamed {
  readonly kind: 'fixed';
  readonly size: number;
  readonly logical?: LogicalType;
}

export type AvroNamedType = AvroRecord | AvroEnum | AvroFixed;
export type AvroType = AvroPrimitiveType | AvroArray | AvroMap | AvroUnion | AvroNamedType;

export const avroPrimitives: ReadonlySet<string> = new Set<AvroPrimitive>([
  'null',
  'boolean',
  'int',
  'long',
  'float',
  'double',
  'bytes',
  'string',
]);

export const logicalOf = (type: AvroType): LogicalType | undefined =>
  'logical' in type ? type.logical : undefined;

const branchesShown = 6;

/** Short, for people: `array of long`, `record Line`, `null or string`, `bytes (decimal 10, 2)`. */
export const describeAvro = (type: AvroType, depth = 0): string => {
  if (depth > 3) return '…';
  switch (type.kind) {
    case 'array':
      return `array of ${describeAvro(type.items, depth + 1)}`;
    case 'map':
      return `map of ${describeAvro(type.values, depth + 1)}`;
    case 'union': {
      const shown = type.branches.slice(0, branchesShown).map((branch) => describeAvro(branch, depth + 1));
      const more = type.branches.length - shown.length;
      if (shown.length === 0) return 'empty union';
      return shown.join(' or ') + (more > 0 ? ` or ${more} more` : '');
    }
    case 'fixed':
      return `fixed ${type.name} of ${type.size} bytes${describeLogical(type.logical)}`;
    case 'record':
    case 'enum':
      return `${type.kind} ${type.name}`;
    default:
      return type.kind + describeLogical(type.logical);
  }
};

const describeLogical = (logical: LogicalType | undefined): string => {
  if (logical === undefined) return '';
  const { name, precision, scale } = logical;
  return precision === undefined ? ` (${name})` : ` (${name} ${precision}, ${scale ?? 0})`;
};
