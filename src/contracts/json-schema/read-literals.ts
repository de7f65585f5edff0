import type { Json } from '../../foundation/index.ts';
import { isCheckedFormat } from './formats.ts';
import { type Formula, type JsonType, typeBits } from './formula.ts';
import type { Formulas } from './formulas.ts';
import { rationalOf } from './rational.ts';
import { below, own, type Refuse, type SchemaObject } from './resources.ts';

/** One schema object whose keywords are read. */
export interface Keywords {
  readonly schema: SchemaObject;
  readonly pointer: string;
  readonly formulas: Formulas;
  readonly refuse: Refuse;
  readonly assertFormats: boolean;
}

/** Keywords without subschemas. Most schemas have one or two, so those that are not there are not looked for. */
export function* readLiterals(keywords: Keywords): Generator<Formula> {
  let groups = 0;
  for (const keyword of Object.keys(keywords.schema)) groups |= 1 << (groupOf.get(keyword) ?? readers.length);
  for (const [group, { read }] of readers.entries()) if ((groups & (1 << group)) !== 0) yield* read(keywords);
}

function* readTypes(keywords: Keywords): Generator<Formula> {
  const { schema, formulas, refuse, pointer } = keywords;
  const type = own(schema, 'type');
  if (type === undefined) return;
  const listed: readonly unknown[] = Array.isArray(type) ? type : [type];
  let mask = 0;
  for (const name of listed) {
    const bit =
      name === 'integer'
        ? typeBits.number
        : typeof name === 'string' && Object.hasOwn(typeBits, name)
          ? typeBits[name as JsonType]
          : 0;
    if (bit === 0) throw refuse(below(pointer, 'type'), `${JSON.stringify(name)} is not a type`);
    mask |= bit;
  }
  // No keyword of JSON Schema, but of OpenAPI, and Ajv heeds it.
  if (own(schema, 'nullable') === true) mask |= typeBits.null;
  yield formulas.types(mask);
  if (listed.includes('integer') && !listed.includes('number')) yield formulas.integer;
}

function* readFinite({ schema, formulas, refuse, pointer }: Keywords): Generator<Formula> {
  const listed = own(schema, 'enum');
  if (listed !== undefined) {
    if (!Array.isArray(listed)) throw refuse(below(pointer, 'enum'), 'expected an array');
    yield formulas.valuesOf(listed as Json[]);
  }
  const only = own(schema, 'const');
  if (only !== undefined) yield formulas.valuesOf([only as Json]);
}

function* readNumbers(keywords: Keywords): Generator<Formula> {
  const { formulas, schema } = keywords;
  for (const [kind, inclusive, exclusive] of [
    ['at-least', 'minimum', 'exclusiveMinimum'],
    ['at-most', 'maximum', 'exclusiveMaximum'],
  ] as const) {
    const limit = number(keywords, inclusive);
    // In draft-04 a flag beside the limit.
    const isFlag = typeof own(schema, exclusive) === 'boolean';
    if (limit !== undefined) yield formulas.bound(kind, limit, own(schema, exclusive) === true);
    const open = isFlag ? undefined : number(keywords, exclusive);
    if (open !== undefined) yield formulas.bound(kind, open, true);
  }
  const step = number(keywords, 'multipleOf');
  if (step === undefined) return;
  if (step <= 0) throw keywords.refuse(below(keywords.pointer, 'multipleOf'), 'expected a number above 0');
  yield formulas.multipleOf(rationalOf(step));
}

const counts = [
  ['minLength', 'min-length'],
  ['maxLength', 'max-length'],
  ['minItems', 'min-items'],
  ['maxItems', 'max-items'],
  ['minProperties', 'min-properties'],
  ['maxProperties', 'max-properties'],
] as const;

function* readCounts(keywords: Keywords): Generator<Formula> {
  for (const [keyword, kind] of counts) {
    const limit = count(keywords, keyword);
    if (limit !== undefined) yield keywords.formulas.limit(kind, limit);
  }
}

const int32Limit = 2 ** 31;

function* readTexts(keywords: Keywords): Generator<Formula> {
  const { formulas, assertFormats } = keywords;
  const pattern = text(keywords, 'pattern');
  if (pattern !== undefined) yield formulas.matches(pattern);
  const format = text(keywords, 'format');
  if (format === undefined || !assertFormats) return;
  if (isCheckedFormat(format)) yield formulas.format(format);
  if (format === 'int32' || format === 'int64') yield formulas.integer;
  if (format === 'int32') {
    yield formulas.bound('at-least', -int32Limit, false);
    yield formulas.bound('at-most', int32Limit - 1, false);
  }
}

function* readUniqueness(keywords: Keywords): Generator<Formula> {
  if (flag(keywords, 'uniqueItems')) yield keywords.formulas.unique();
}

function* readRequired(keywords: Keywords): Generator<Formula> {
  for (const name of names(keywords, 'required')) yield keywords.formulas.required(name);
}

const readers = [
  { of: ['type'], read: readTypes },
  { of: ['enum', 'const'], read: readFinite },
  { of: ['minimum', 'exclusiveMinimum', 'maximum', 'exclusiveMaximum', 'multipleOf'], read: readNumbers },
  { of: counts.map(([keyword]) => keyword), read: readCounts },
  { of: ['pattern', 'format'], read: readTexts },
  { of: ['uniqueItems'], read: readUniqueness },
  { of: ['required'], read: readRequired },
];

const groupOf: ReadonlyMap<string, number> = new Map(
  readers.flatMap(({ of }, group) => of.map((keyword) => [keyword, group] as const)),
);

const number = ({ schema, pointer, refuse }: Keywords, keyword: string): number | undefined => {
  const value = own(schema, keyword);
  if (value === undefined || (typeof value === 'number' && Number.isFinite(value))) return value;
  throw refuse(below(pointer, keyword), 'expected a number');
};

export const count = (keywords: Keywords, keyword: string): number | undefined => {
  const value = number(keywords, keyword);
  if (value === undefined || (Number.isInteger(value) && value >= 0)) return value;
  throw keywords.refuse(below(keywords.pointer, keyword), 'expected a whole number from 0 on');
};

export const text = ({ schema, pointer, refuse }: Keywords, keyword: string): string | undefined => {
  const value = own(schema, keyword);
  if (value === undefined || typeof value === 'string') return value;
  throw refuse(below(pointer, keyword), 'expected a text');
};

const flag = ({ schema, pointer, refuse }: Keywords, keyword: string): boolean => {
  const value = own(schema, keyword);
  if (value === undefined || typeof value === 'boolean') return value ?? false;
  throw refuse(below(pointer, keyword), 'expected true or false');
};

const names = ({ schema, pointer, refuse }: Keywords, keyword: string): readonly string[] =>
  namesIn(own(schema, keyword) ?? [], below(pointer, keyword), refuse);

export const namesIn = (value: unknown, pointer: string, refuse: Refuse): readonly string[] => {
  if (Array.isArray(value) && value.every((name) => typeof name === 'string')) return value;
  throw refuse(pointer, 'expected an array of names');
};
