import type { Json } from '../../foundation/index.ts';
import { isObject } from '../gate/lock-shape.ts';
import { resolveReference } from '../gate/resolve-reference.ts';
import { sampleOfPattern } from './pattern-sample.ts';

/** Deeper values are cut: recursive schemas would never end. */
const depthMax = 12;
/** And so are payloads that multiply: no example that a person reads is that large. */
const stepsMax = 5_000;
/** One payload with everything, one with what is required, and one for each branch and each allowed value, up to this many. */
const variantsMax = 24;
const listItemsMax = 20;

type Schema = Readonly<Record<string, unknown>>;

/** How the parts of a schema that leave a choice are chosen. */
interface Choice {
  readonly optional: boolean;
  /** Which branch of a union and which value of an enum: counted round. */
  readonly turn: number;
}

interface Place extends Choice {
  readonly root: Json;
  readonly depth: number;
  /** Shared by the whole payload. */
  readonly steps: { left: number };
  /** The member it is for: names make better examples than `text`. */
  readonly name: string;
}

/**
 * Payloads that a JSON Schema describes, the fullest first. They are proposals: what a pattern or a `not` demands is not always
 * met, so whoever shows one checks it first.
 */
export const exampleValues = (schema: Json): readonly Json[] => {
  const choices: Choice[] = [
    { optional: true, turn: 0 },
    { optional: false, turn: 0 },
  ];
  for (let turn = 1; turn < variantsMax - 1; turn += 1) choices.push({ optional: true, turn });
  const texts = choices.map((choice) =>
    JSON.stringify(
      exampleOf({ ...choice, root: schema, depth: 0, steps: { left: stepsMax }, name: '' }, schema),
    ),
  );
  return [...new Set(texts)].map((text) => JSON.parse(text) as Json);
};

const exampleOf = (place: Place, schema: unknown): Json => {
  if (!isObject(schema) || isSpent(place)) return null;
  const deeper = { ...place, depth: place.depth + 1 };
  if ('const' in schema) return schema['const'] as Json;
  const [given] = [schema['examples'], schema['enum']].filter(
    (list): list is readonly Json[] => Array.isArray(list) && list.length > 0,
  );
  if (given !== undefined) return given[place.turn % given.length] ?? null;
  if (typeof schema['$ref'] === 'string')
    return exampleOf(deeper, resolveReference(place.root, schema['$ref']));
  const merged = mergeAll(place, schema);
  const branches = merged['anyOf'] ?? merged['oneOf'];
  if (Array.isArray(branches) && branches.length > 0) {
    const { anyOf: _, oneOf: __, ...around } = merged;
    const branch: unknown = branches[place.turn % branches.length];
    return exampleOf(deeper, isObject(branch) ? mergeAll(place, { ...around, allOf: [branch] }) : around);
  }
  return ofType(deeper, typeOf(merged, place.turn), merged);
};

const typeOf = (schema: Schema, turn: number): string => {
  const { type } = schema;
  if (typeof type === 'string') return type;
  if (Array.isArray(type) && type.length > 0) return String(type[turn % type.length]);
  if ('properties' in schema || 'required' in schema) return 'object';
  return 'items' in schema || 'prefixItems' in schema ? 'array' : 'string';
};

const ofType = (place: Place, type: string, schema: Schema): Json => {
  switch (type) {
    case 'object':
      return objectOf(place, schema);
    case 'array':
      return listOf(place, schema);
    case 'integer':
    case 'number':
      return numberOf(schema, type);
    case 'boolean':
      return place.turn % 2 === 0;
    case 'null':
      return null;
    default:
      return textOf(schema, place.name);
  }
};

const objectOf = (place: Place, schema: Schema): Json => {
  const properties = isObject(schema['properties']) ? schema['properties'] : {};
  const required: readonly unknown[] = Array.isArray(schema['required']) ? schema['required'] : [];
  const wanted = Object.keys(properties).filter(
    (name) => properties[name] !== false && (place.optional || required.includes(name)),
  );
  const others = required.filter(
    (name): name is string => typeof name === 'string' && !wanted.includes(name),
  );
  return Object.fromEntries(
    [...wanted, ...others].map((name) => {
      const member = Object.hasOwn(properties, name) ? properties[name] : schema['additionalProperties'];
      return [name, exampleOf({ ...place, name }, member)];
    }),
  );
};

const listOf = (place: Place, schema: Schema): Json => {
  const prefix = Array.isArray(schema['prefixItems']) ? schema['prefixItems'] : [];
  const least = typeof schema['minItems'] === 'number' ? schema['minItems'] : 0;
  const most = typeof schema['maxItems'] === 'number' ? schema['maxItems'] : listItemsMax;
  const wanted = Math.min(Math.max(least, place.optional ? 1 : 0, prefix.length), most, listItemsMax);
  return Array.from({ length: wanted }, (_, index) =>
    exampleOf(
      { ...place, turn: place.turn + Math.max(0, index - prefix.length) },
      prefix[index] ?? schema['items'],
    ),
  );
};

const numberOf = (schema: Schema, type: string): number => {
  const bound = (name: string): number | undefined =>
    typeof schema[name] === 'number' ? schema[name] : undefined;
  const step = bound('multipleOf') ?? (type === 'integer' ? 1 : 0.5);
  const above = bound('exclusiveMinimum');
  const low = Math.max(bound('minimum') ?? -Infinity, above === undefined ? -Infinity : above + step);
  const below = bound('exclusiveMaximum');
  const high = Math.min(bound('maximum') ?? Infinity, below === undefined ? Infinity : below - step);
  const wanted = Math.min(Math.max(type === 'integer' ? 42 : 42.5, low), high);
  const stepped = Math.round(wanted / step) * step;
  return stepped < low ? stepped + step : stepped > high ? stepped - step : stepped;
};

/** By what JSON Schema calls the format. */
const formatSamples: Readonly<Record<string, string>> = {
  uuid: '0190a5c0-7a51-7000-8000-000000000001',
  'date-time': '2026-01-31T12:00:00Z',
  date: '2026-01-31',
  time: '12:00:00Z',
  duration: 'PT5M',
  email: 'ada@example.org',
  'idn-email': 'ada@example.org',
  hostname: 'example.org',
  ipv4: '192.0.2.1',
  ipv6: '2001:db8::1',
  uri: 'https://example.org/',
  'uri-reference': '/orders/1',
  iri: 'https://example.org/',
  'json-pointer': '/a',
  regex: '^a$',
};

const textOf = (schema: Schema, name: string): string => {
  const format = String(schema['format'] ?? '');
  if (Object.hasOwn(formatSamples, format)) return formatSamples[format] ?? '';
  const least = typeof schema['minLength'] === 'number' ? schema['minLength'] : 0;
  const most = typeof schema['maxLength'] === 'number' ? schema['maxLength'] : Infinity;
  if (typeof schema['pattern'] === 'string') {
    const sample = sampleOfPattern(schema['pattern'], least);
    if (sample !== null) return sample;
  }
  const text = /id$/i.test(name) ? 'A1' : name === '' ? 'text' : name;
  return text.padEnd(Math.min(least, 10_000), '1').slice(0, most);
};

/** The parts of an `allOf` as one schema: the later say wins, members and required names are joined. */
const mergeAll = (place: Place, schema: Schema): Schema => {
  const { allOf, ...own } = schema;
  if (!Array.isArray(allOf) || isSpent(place)) return own;
  const deeper = { ...place, depth: place.depth + 1 };
  const parts = allOf.map((part) => {
    const resolved =
      isObject(part) && typeof part['$ref'] === 'string' ? resolveReference(place.root, part['$ref']) : part;
    return isObject(resolved) ? mergeAll(deeper, resolved) : {};
  });
  const all = [own, ...parts];
  // By entries: assigning a member called __proto__ would set a prototype.
  const members = all.flatMap(({ properties }) => (isObject(properties) ? Object.entries(properties) : []));
  const required = all.flatMap((part) => (Array.isArray(part['required']) ? part['required'] : []));
  return {
    ...Object.fromEntries(all.flatMap((part) => Object.entries(part))),
    ...(members.length === 0 ? {} : { properties: Object.fromEntries(members) }),
    ...(required.length === 0 ? {} : { required }),
  };
};

/** Counts a step, and says whether there have been enough. */
const isSpent = ({ depth, steps }: Place): boolean => {
  steps.left -= 1;
  return depth > depthMax || steps.left < 0;
};
