import { FactlineError, type Json } from '../../foundation/index.ts';

/**
 * The types of columns that a folding projection may have, by their PostgreSQL names. There is no `numeric`: as text it
 * would be concatenated, as a number rounded; use integer minor units, or the SQL form.
 */
interface ColumnValues {
  text: string;
  int4: number;
  /** Refused beyond 2^53 − 1. */
  int8: number;
  /** Finite. */
  float8: number;
  bool: boolean;
  /** Lower case. */
  uuid: string;
  /** `2026-11-21`. */
  date: string;
  /** ISO 8601 in UTC with milliseconds: `2026-11-21T13:00:00.000Z`. */
  timestamptz: string;
  /** Any JSON but a bare null: declare `jsonb?` for that. */
  jsonb: Exclude<Json, null>;
}

export type ColumnType = keyof ColumnValues;

/** A type name; with `?` the column is nullable. */
export type Column = ColumnType | `${ColumnType}?`;

export type ColumnValue<C extends Column> = C extends `${infer T extends ColumnType}?`
  ? ColumnValues[T] | null
  : C extends ColumnType
    ? ColumnValues[C]
    : never;

export type ColumnData = string | number | boolean | null | Json;

/** What one type needs to be checked, written and read. */
interface ColumnKind {
  readonly expected: string;
  /** The value as the table will give it back, or undefined when it does not fit. */
  readonly normalise: (value: unknown) => ColumnData | undefined;
  /** As an item of a PostgreSQL array literal. */
  readonly item: (value: ColumnData) => string;
  /** From the text of `select`. */
  readonly parse: (text: string) => ColumnData;
  /** How the column is selected, so that no setting of the session matters (DateStyle, TimeZone, extra_float_digits). */
  readonly select: (column: string) => string;
  readonly keyable: boolean;
}

const needsEscape = /["\\]/g;
const quoted = (text: string): string =>
  text.includes('"') || text.includes('\\') ? `"${text.replace(needsEscape, '\\$&')}"` : `"${text}"`;
const plain = (value: ColumnData): string => String(value);
const asIs = (column: string): string => column;

/** PostgreSQL's text cannot hold U+0000, and UTF-8 no lone surrogates: both would be refused or changed on the way. */
const isStorableText = (value: unknown): value is string =>
  typeof value === 'string' && !value.includes('\0') && value.isWellFormed();

const integerBetween =
  (min: number, max: number) =>
  (value: unknown): number | undefined =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max
      ? (value as number) + 0
      : undefined;

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const datePattern = /^\d{4}-\d\d-\d\d$/;
/** JavaScript knows a year 0 and years of five digits; PostgreSQL's dates have neither. */
const hasYear = (iso: string): boolean => /^\d{4}-/.test(iso) && !iso.startsWith('0000');
/** A time without a zone would mean something else in each process. */
const timePattern = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/;

const normaliseDate = (value: unknown): string | undefined => {
  if (typeof value !== 'string' || !datePattern.test(value)) return undefined;
  const ms = Date.parse(`${value}T00:00:00Z`);
  // 2026-02-30 would roll over to March.
  return !Number.isNaN(ms) && new Date(ms).toISOString().slice(0, 10) === value && hasYear(value)
    ? value
    : undefined;
};

const normaliseTime = (value: unknown): string | undefined => {
  if (typeof value !== 'string' || !timePattern.test(value)) return undefined;
  const ms = Date.parse(value);
  const iso = Number.isNaN(ms) ? '' : new Date(ms).toISOString();
  return hasYear(iso) ? iso : undefined;
};

/** `\u0000` and lone surrogates as JSON writes them; jsonb refuses both. */
const unstorableEscape = /(?:^|[^\\])(?:\\\\)*\\u(?:0000|d[89a-f][0-9a-f]{2})/;

const deepFreeze = (value: unknown): void => {
  if (typeof value !== 'object' || value === null) return;
  Object.freeze(value);
  for (const member of Object.values(value)) deepFreeze(member);
};

/** Copies that this file made and froze: `{ ...row }` hands them back unchanged. */
const storedJson = new WeakMap<object, string>();

const storedCopy = (text: string): Json => {
  const copy = JSON.parse(text) as Json;
  if (typeof copy === 'object' && copy !== null) {
    deepFreeze(copy);
    storedJson.set(copy, text);
  }
  return copy;
};

/** A copy through JSON: later changes of the user's object must not reach the row, and a jsonb null is no SQL null. */
const normaliseJson = (value: unknown): Json | undefined => {
  if (value === null || value === undefined) return undefined;
  if (typeof value === 'object' && storedJson.has(value)) return value as Json;
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch {
    return undefined;
  }
  return text === undefined || unstorableEscape.test(text) ? undefined : storedCopy(text);
};

const jsonText = (value: ColumnData): string =>
  (typeof value === 'object' && value !== null ? storedJson.get(value) : undefined) ?? JSON.stringify(value);

const integer = (expected: string, min: number, max: number): ColumnKind => ({
  expected,
  normalise: integerBetween(min, max),
  item: plain,
  parse: Number,
  select: asIs,
  keyable: true,
});

const kinds: Readonly<Record<ColumnType, ColumnKind>> = {
  text: {
    expected: 'a string without U+0000 and lone surrogates',
    normalise: (value) => (isStorableText(value) ? value : undefined),
    item: (value) => quoted(value as string),
    parse: (text) => text,
    select: asIs,
    keyable: true,
  },
  int4: integer('an integer of 32 bits', -(2 ** 31), 2 ** 31 - 1),
  int8: integer(
    'an integer between −2^53 + 1 and 2^53 − 1',
    Number.MIN_SAFE_INTEGER,
    Number.MAX_SAFE_INTEGER,
  ),
  float8: {
    expected: 'a finite number',
    normalise: (value) => (Number.isFinite(value) ? (value as number) + 0 : undefined),
    item: plain,
    parse: (text) => Buffer.from(text, 'hex').readDoubleBE(),
    select: (column) => `encode(float8send(${column}), 'hex')`,
    keyable: false,
  },
  bool: {
    expected: 'true or false',
    normalise: (value) => (typeof value === 'boolean' ? value : undefined),
    item: (value) => (value === true ? 't' : 'f'),
    parse: (text) => text === 'true', // columns are selected as `::text`, which does not write `t`
    select: asIs,
    keyable: true,
  },
  uuid: {
    expected: 'a UUID',
    normalise: (value) =>
      typeof value === 'string' && uuidPattern.test(value) ? value.toLowerCase() : undefined,
    item: plain,
    parse: (text) => text,
    select: asIs,
    keyable: true,
  },
  date: {
    expected: "a date like '2026-11-21'",
    normalise: normaliseDate,
    item: plain,
    parse: (text) => text,
    select: (column) => `to_char(${column}, 'YYYY-MM-DD')`,
    keyable: true,
  },
  timestamptz: {
    expected: "an ISO 8601 time with its zone, like '2026-11-21T13:00:00.000Z'",
    normalise: normaliseTime,
    item: plain,
    parse: (text) => new Date(Number(text)).toISOString(),
    select: (column) => `floor(extract(epoch from ${column}) * 1000)::int8`,
    keyable: true,
  },
  jsonb: {
    expected: 'a JSON value that is not null',
    normalise: normaliseJson,
    item: (value) => quoted(jsonText(value)),
    parse: storedCopy,
    select: asIs,
    keyable: false,
  },
};

/** One column of a projection's table, ready for the hot path. */
export interface TableColumn {
  readonly name: string;
  readonly type: ColumnType;
  readonly nullable: boolean;
  /** What a value must be, as errors say it. */
  readonly expected: string;
  /** The value as the table will give it back. Throws PROJECTION_VALUE_INVALID. */
  readonly normalise: (value: unknown) => ColumnData;
  /** As an item of a PostgreSQL array literal. */
  readonly item: (value: ColumnData) => string;
  readonly parse: (text: string | null) => ColumnData;
  readonly select: (column: string) => string;
}

export const columnTypes: readonly ColumnType[] = Object.keys(kinds) as ColumnType[];

export const isColumn = (text: unknown): text is Column =>
  typeof text === 'string' && Object.hasOwn(kinds, text.endsWith('?') ? text.slice(0, -1) : text);

/** Whether a column of this type can be part of a primary key. */
export const isKeyColumn = (column: Column): boolean =>
  !column.endsWith('?') && kinds[column as ColumnType].keyable;

const actualTextMax = 200;

/** A value as an error shows it; never throws, also for what JSON cannot hold. */
export const describeValue = (value: unknown): string => {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, actualTextMax));
  if (typeof value === 'function') return 'a function';
  try {
    const text = typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);
    return (text ?? String(value)).slice(0, actualTextMax);
  } catch {
    return Object.prototype.toString.call(value);
  }
};

/** The one definition of a column that checking, folding, writing and reading share. */
export const tableColumn = (projection: string, name: string, declared: Column): TableColumn => {
  const nullable = declared.endsWith('?');
  const type = (nullable ? declared.slice(0, -1) : declared) as ColumnType;
  const kind = kinds[type];
  const expected = nullable ? `${kind.expected}, or null` : kind.expected;
  const { normalise, item, parse } = kind;
  return {
    name,
    type,
    nullable,
    expected,
    normalise: (value) => {
      if (value === null && nullable) return null;
      const fitting = normalise(value);
      if (fitting !== undefined) return fitting;
      throw new FactlineError('PROJECTION_VALUE_INVALID', {
        projection,
        column: name,
        expected,
        actual: describeValue(value),
      });
    },
    item: (value) => (value === null ? 'NULL' : item(value)),
    parse: (text) => (text === null ? null : parse(text)),
    select: kind.select,
  };
};
