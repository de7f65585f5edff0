import { type Duration, type Issue, toMilliseconds } from '../foundation/index.ts';
import {
  type CompatibilityMode,
  type ContractKind,
  type EventKind,
  type EventOrdering,
  isCommandContract,
  isEventContract,
  type Retention,
  type Sensitivity,
} from './contract.ts';
import { isFieldPath } from './field-paths.ts';
import { describeValue, isStorableText } from './payload-check.ts';
import type { PayloadSchema } from './payload-types.ts';

const typePattern = /^[a-z][a-z0-9_-]*(?:\.[a-z][a-z0-9_-]*){2,}\.v[1-9]\d*$/;
const typeLengthMax = 200;
const datePattern = /^\d{4}-\d\d-\d\d$/;

const kinds: readonly EventKind[] = ['domain', 'integration', 'system', 'notification'];
export const contractKinds: readonly ContractKind[] = [...kinds, 'command'];
const retentions: readonly Retention[] = ['standard', 'forever'];
const orderings: readonly EventOrdering[] = ['key', 'global', 'none'];
const sensitivities: readonly Sensitivity[] = ['personal', 'secret'];
export const compatibilityModes: readonly CompatibilityMode[] = [
  'backward',
  'forward',
  'full',
  'backward-transitive',
  'forward-transitive',
  'full-transitive',
  'none',
];

/** What a declaration says, as far as nothing is known about it yet. */
export type Loose = Readonly<Record<string, unknown>>;
type FieldCheck = (value: unknown, declaration: Loose) => readonly Issue[];

const issue = (path: string, expected: string, value: unknown): Issue => ({
  path,
  expected,
  actual: describeValue(value),
  message: `is not ${expected}`,
});

const unless = (
  holds: boolean,
  path: string,
  [expected, value]: readonly [string, unknown],
): readonly Issue[] => (holds ? [] : [issue(path, expected, value)]);

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

const isTypeName = (value: unknown): boolean =>
  typeof value === 'string' && typePattern.test(value) && value.length <= typeLengthMax;

const isSchema = (value: unknown): boolean =>
  // arktype's schemas are functions.
  ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
  typeof (value as Partial<PayloadSchema>)['~standard']?.validate === 'function';

const isObject = (value: unknown): value is Loose =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** 2026-02-30 is none. */
const isDate = (value: unknown): value is string =>
  typeof value === 'string' &&
  datePattern.test(value) &&
  !Number.isNaN(Date.parse(value)) &&
  new Date(value).toISOString().startsWith(value);

const keyIssues: FieldCheck = (key) => {
  const fields: readonly unknown[] = Array.isArray(key) ? key : [key];
  const usable = fields.every((field) => isText(field) && !/[=,]/.test(field) && isStorableText(field));
  const holds = fields.length > 0 && usable && new Set(fields).size === fields.length;
  return unless(holds, 'key', ['a field name, or several different ones, without "=" and ","', key]);
};

const slaIssues: FieldCheck = (sla) => {
  const { handledWithin } = (sla ?? {}) as Loose;
  try {
    toMilliseconds(handledWithin as Duration);
    return [];
  } catch {
    return [issue('sla.handledWithin', "a duration like '30s' or '5m'", handledWithin)];
  }
};

const unknownFields = (path: string, value: Loose, fields: readonly string[]): readonly Issue[] =>
  Object.keys(value)
    .filter((name) => !fields.includes(name))
    .map((name) => issue(path === '' ? name : `${path}.${name}`, `one of ${fields.join(', ')}`, name));

const deprecationIssues: FieldCheck = (deprecated, { type }) => {
  if (!isObject(deprecated)) return [issue('deprecated', '{ since, until, replacement? }', deprecated)];
  const { since, until, replacement } = deprecated;
  const dated = 'a day like 2026-12-01';
  const ordered = !(isDate(since) && isDate(until)) || since <= until;
  const replaces = replacement === undefined || (isTypeName(replacement) && replacement !== type);
  return [
    ...unless(isDate(since), 'deprecated.since', [dated, since]),
    ...unless(isDate(until), 'deprecated.until', [dated, until]),
    ...unless(ordered, 'deprecated.until', [`a day after ${String(since)}`, until]),
    ...unless(replaces, 'deprecated.replacement', ['the type of another event', replacement]),
    ...unknownFields('deprecated', deprecated, ['since', 'until', 'replacement']),
  ];
};

const sensitivityIssues: FieldCheck = (sensitivity) => {
  if (!isObject(sensitivity))
    return [issue('sensitivity', "an object like { 'customer.email': 'personal' }", sensitivity)];
  return Object.entries(sensitivity).flatMap(([path, level]) => [
    ...unless(isFieldPath(path), `sensitivity.${path}`, ['the path of a field, like customer.email', path]),
    ...oneOf(sensitivities)(level, `sensitivity.${path}`),
  ]);
};

const editableIssues: FieldCheck = (editable, { key }) => {
  const paths: readonly unknown[] = Array.isArray(editable) ? editable : [editable];
  const expected = 'a list of paths of fields that do not form the key, like customer.note';
  const keyFields: readonly unknown[] = [key].flat();
  const holds =
    Array.isArray(editable) && paths.every((path) => isFieldPath(path) && !keyFields.includes(path));
  return unless(holds && new Set(paths).size === paths.length, 'editable', [expected, editable]);
};

const producersIssues: FieldCheck = (producers) => {
  const names: readonly unknown[] = Array.isArray(producers) ? producers : [];
  const holds = names.length > 0 && names.every(isText) && new Set(names).size === names.length;
  return unless(holds, 'producers', ['a list of names of apps, each once', producers]);
};

const encodingsIssues: FieldCheck = (encodings) =>
  unless(Array.isArray(encodings) && encodings.every(isSchema), 'encodings', [
    'a list of schemas (avroSchema, protobufSchema, jsonSchema)',
    encodings,
  ]);

const oneOf =
  (allowed: readonly string[]) =>
  (value: unknown, path: string): readonly Issue[] =>
    unless((allowed as readonly unknown[]).includes(value), path, [allowed.join(' or '), value]);

const choice =
  (path: string, allowed: readonly string[]): FieldCheck =>
  (value) =>
    oneOf(allowed)(value, path);

const text =
  (path: string): FieldCheck =>
  (value) =>
    unless(isText(value), path, ['a text', value]);

type Checks = Readonly<Record<string, FieldCheck>>;

/** Every field that a declaration may have, of an event and of a command; those of `required` must be there. */
const checks: Checks = {
  type: (type) =>
    unless(isTypeName(type), 'type', [
      'a name like shop.order.placed.v1 (lower case, at least three parts and a version)',
      type,
    ]),
  key: keyIssues,
  schema: (schema) =>
    unless(isSchema(schema), 'schema', ['a Standard Schema (zod, valibot, arktype, …)', schema]),
  owner: text('owner'),
  summary: text('summary'),
  sla: slaIssues,
  retention: choice('retention', retentions),
  ordering: choice('ordering', orderings),
  highImpact: (value) => unless(typeof value === 'boolean', 'highImpact', ['true or false', value]),
  compatibility: choice('compatibility', compatibilityModes),
  deprecated: deprecationIssues,
  sensitivity: sensitivityIssues,
  editable: editableIssues,
  producers: producersIssues,
  encodings: encodingsIssues,
};
const required = ['type', 'key', 'schema'];

const repliesIssues: FieldCheck = (replies) => {
  const given: readonly unknown[] = Array.isArray(replies) ? replies : [];
  const events = given.filter(isEventContract).filter((contract) => !isCommandContract(contract));
  const holds = given.length > 0 && new Set(events.map(({ type }) => type)).size === given.length;
  return unless(holds, 'replies', ['a list of contracts made by defineEvent, each once', replies]);
};

/** A longer wait outlives the process that waits: that is a workflow's. */
export const withinMsMax = 3_600_000;

const withinIssues: FieldCheck = (within) =>
  unless(isWithin(within), 'within', ["a duration like '10s', at most '1h'", within]);

export const isWithin = (within: unknown): within is Duration => {
  try {
    const ms = toMilliseconds(within as Duration);
    return ms >= 1 && ms <= withinMsMax;
  } catch {
    return false;
  }
};

const eventChecks: Checks = { ...checks, kind: choice('kind', kinds) };
const commandChecks: Checks = { ...checks, replies: repliesIssues, within: withinIssues };

const issuesOf = (declaration: Loose, allowed: Checks): readonly Issue[] => [
  ...Object.entries(allowed).flatMap(([name, check]) =>
    declaration[name] === undefined && !required.includes(name) ? [] : check(declaration[name], declaration),
  ),
  ...unknownFields('', declaration, Object.keys(allowed)),
];

/** Everything that is wrong with what was given to `defineEvent`. */
export const declarationIssues = (declaration: Loose): readonly Issue[] => issuesOf(declaration, eventChecks);

/** Everything that is wrong with what was given to `defineCommand`. */
export const commandIssues = (declaration: Loose): readonly Issue[] => issuesOf(declaration, commandChecks);
