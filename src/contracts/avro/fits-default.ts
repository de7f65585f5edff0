import type { AvroType } from './avro-type.ts';

const longMax = 2 ** 63;
const depthMax = 500;

const isWhole = (value: unknown, limit: number): boolean =>
  typeof value === 'number' && Number.isInteger(value) && value >= -limit && value <= limit - 1;

/** Bytes are written as text whose characters are U+0000 to U+00FF. */
const isByteText = (value: unknown): value is string =>
  typeof value === 'string' && !/[^\0-\u{ff}]/u.test(value);

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Whether a `default` in a schema is a value of the type. For a union any branch will do, as Avro 1.12 has it (1.11: the first).
 * Call it when the whole schema has been read: a record's fields are needed.
 */
export const fitsDefault = (type: AvroType, value: unknown, depth = 0): boolean => {
  if (depth > depthMax) return false;
  const fits = (inner: AvroType, item: unknown): boolean => fitsDefault(inner, item, depth + 1);
  switch (type.kind) {
    case 'null':
      return value === null;
    case 'boolean':
      return typeof value === 'boolean';
    case 'int':
      return isWhole(value, 2 ** 31);
    case 'long':
      return isWhole(value, longMax);
    case 'float':
    case 'double':
      return typeof value === 'number' || value === 'NaN' || value === 'Infinity' || value === '-Infinity';
    case 'string':
      return typeof value === 'string';
    case 'bytes':
      return isByteText(value);
    case 'fixed':
      return isByteText(value) && [...value].length === type.size;
    case 'enum':
      return typeof value === 'string' && type.symbols.has(value);
    case 'array':
      return Array.isArray(value) && value.every((item) => fits(type.items, item));
    case 'map':
      return isObject(value) && Object.values(value).every((item) => fits(type.values, item));
    case 'union':
      return type.branches.some((branch) => fits(branch, value));
    case 'record':
      return (
        isObject(value) &&
        [...type.fields.values()].every((field) =>
          Object.hasOwn(value, field.name)
            ? fits(field.type, value[field.name])
            : field.default !== undefined,
        )
      );
  }
};
