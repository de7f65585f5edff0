import type { LogicalType } from './avro-type.ts';

/** What the specification defines, and on which encodings; anything else is to be ignored, as it says. */
const encodings: ReadonlyMap<string, readonly string[]> = new Map([
  ['decimal', ['bytes', 'fixed']],
  ['big-decimal', ['bytes']],
  ['uuid', ['string', 'fixed']],
  ['date', ['int']],
  ['time-millis', ['int']],
  ['time-micros', ['long']],
  ['timestamp-millis', ['long']],
  ['timestamp-micros', ['long']],
  ['timestamp-nanos', ['long']],
  ['local-timestamp-millis', ['long']],
  ['local-timestamp-micros', ['long']],
  ['local-timestamp-nanos', ['long']],
  ['duration', ['fixed']],
]);

const fixedSizes: ReadonlyMap<string, number> = new Map([
  ['uuid', 16],
  ['duration', 12],
]);

/**
 * The logical type of a schema object; undefined where it has none or one that is not valid: readers then see the plain encoding.
 * @param encoding the Avro type below it; with `size` when it is fixed
 */
export const readLogicalType = (
  schema: Readonly<Record<string, unknown>>,
  encoding: string,
  size?: number,
): LogicalType | undefined => {
  const name = schema['logicalType'];
  if (typeof name !== 'string' || !encodings.get(name)?.includes(encoding)) return undefined;
  if (name === 'decimal') return readDecimal(schema, size);
  const wanted = fixedSizes.get(name);
  if (encoding === 'fixed' && wanted !== undefined && wanted !== size) return undefined;
  return { name };
};

const readDecimal = (
  { precision, scale = 0 }: { readonly precision?: unknown; readonly scale?: unknown },
  size: number | undefined,
): LogicalType | undefined => {
  if (!isCount(precision) || precision === 0 || !isCount(scale) || scale > precision) return undefined;
  const most = size === undefined ? Number.POSITIVE_INFINITY : Math.floor(Math.log10(2) * (8 * size - 1));
  return precision > most ? undefined : { name: 'decimal', precision, scale };
};

const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
