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

type Reader = (keywords: Keywords, parts: Formula[]) => void;

/** Adds what keywords without subschemas say. Most schemas have one or two, so those that are not there are not looked for. */
export const readLiterals: Reader = (keywords, parts) => {
  let groups = 0;
  for (const keyword of Object.keys(keywords.schema)) groups |= 1 << (groupOf.get(keyword) ?? readers.length);
  for (let group = 0; group < readers.length; group += 1)
    if ((groups & (1 << group)) !== 0) readers[group]?.read(keywords, parts);
};

const readTypes: Reader = (keywords, parts) => {
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
  parts.push(formulas.types(mask));
  if (listed.includes('integer') && !listed.includes('number')) parts.push(formulas.integer);
};

const readFinite: Reader = ({ schema, formulas, refuse, pointer }, parts) => {
  const listed = own(schema, 'enum');
  if (listed !== undefined) {
    if (!Array.isArray(listed)) throw refuse(below(pointer, 'enum'), 'expected an array');
    parts.push(formulas.valuesOf(listed as Json[]));
  }
  const only = own(schema, 'const');
  if (only !== undefined) parts.push(formulas.valuesOf([only as Json]));
};

const readNumbers: Reader = (keywords, parts) => {
  const { formulas, schema } = keywords;
  for (const [kind, inclusive, exclusive] of [
    ['at-least', 'minimum', 'exclusiveMinimum'],
    ['at-most', 'maximum', 'exclusiveMaximum'],
  ] as const) {
    const limit = number(keywords, inclusive);
    // In draft-04 a flag beside the limit.
    const isFlag = typeof own(schema, exclusive) === 'boolean';
    if (limit !== undefined) parts.push(formulas.bound(kind, limit, own(schema, exclusive) === true));
    const open = isFlag ? undefined : number(keywords, exclusive);
    if (open !== undefined) parts.push(formulas.bound(kind, open, true));
  }
  const step = number(keywords, 'multipleOf');
  if (step === undefined) return;
  if (step <= 0) throw keywords.refuse(below(keywords.pointer, 'multipleOf'), 'expected a number above 0');
  parts.push(formulas.multipleOf(rationalOf(step)));
};

const counts = [
  ['minLength', 'min-length'],
  ['maxLength', 'max-length'],
  ['minItems', 'min-items'],
  ['maxItems', 'max-items'],
  ['minProperties', 'min-properties'],
  ['maxProperties', 'max-properties'],
] as const;

const readCounts: Reader = (keywords, parts) => {
  for (const [keyword, kind] of counts) {
    const limit = count(keywords, keyword);
    if (limit !== undefined) parts.push(keywords.formulas.limit(kind, limit));
  }
};

const int32Limit = 2 ** 31;

const readTexts: Reader = (keywords, parts) => {
  const { formulas, assertFormats } = keywords;
  const pattern = text(keywords, 'pattern');
  if (pattern !== undefined) parts.push(formulas.matches(pattern));
  const format = text(keywords, 'format');
  if (format === undefined || !assertFormats) return;
  if (isCheckedFormat(format)) parts.push(formulas.format(format));
  if (format === 'int32' || format === 'int64') parts.push(formulas.integer);
  if (format === 'int32') {
    parts.push(formulas.bound('at-least', -int32Limit, false));
    parts.push(formulas.bound('at-most', int32Limit - 1, false));
  }
};

const readUniqueness: Reader = (keywords, parts) => {
  if (flag(keywords, 'uniqueItems')) parts.push(keywords.formulas.unique());
};

const readRequired: Reader = (keywords, parts) => {
  for (const name of names(keywords, 'required')) parts.push(keywords.formulas.required(name));
};

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
