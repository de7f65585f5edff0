import { isFieldPath } from '../../contracts/index.ts';
import { FactlineError } from '../../foundation/index.ts';

type Scalar = string | number | boolean | null;

/** How a field of the payload is compared. A path through a list means any of its items, as in `lines.product`. */
const comparisons = {
  equal: '==',
  less: '<',
  'at-most': '<=',
  greater: '>',
  'at-least': '>=',
  'starts-with': 'starts with',
} as const;
type Comparison = keyof typeof comparisons;

/**
 * Which events of a selection are meant, by their payload. A comparison with a field that is missing or of another type
 * does not hold, so `not` of it does.
 */
export type Predicate =
  | { readonly field: string; readonly is: Comparison; readonly value: Scalar }
  | { readonly field: string; readonly is: 'in'; readonly values: readonly Scalar[] }
  | { readonly field: string; readonly is: 'present' }
  | { readonly all: readonly Predicate[] }
  | { readonly any: readonly Predicate[] }
  | { readonly not: Predicate };

const depthMax = 8;
const nodesMax = 64;
const valuesMax = 1_000;
const textMax = 1_024;

const isScalar = (value: unknown): value is Scalar =>
  value === null ||
  typeof value === 'boolean' ||
  (typeof value === 'number' && Number.isFinite(value)) ||
  (typeof value === 'string' && isStorable(value));

/** What PostgreSQL can hold, within bounds. */
const isStorable = (text: string): boolean =>
  text.length <= textMax && text.isWellFormed() && !text.includes('\u0000');

const invalid = (path: string, expected: string, actual: unknown): FactlineError =>
  new FactlineError('REPLAY_MANIFEST_INVALID', {
    field: path,
    expected,
    actual: (JSON.stringify(actual) ?? 'nothing').slice(0, 80),
  });

const hasOnly = (value: object, names: readonly string[]): boolean =>
  Object.keys(value).length === names.length && names.every((name) => Object.hasOwn(value, name));

/**
 * Takes a predicate from a manifest: its form, its depth and its size are bounded.
 * @throws FactlineError REPLAY_MANIFEST_INVALID
 */
export const checkPredicate = (given: unknown, path: string): Predicate => {
  let nodes = 0;
  const check = (value: unknown, at: string, depth: number): Predicate => {
    nodes += 1;
    if (depth > depthMax) throw invalid(at, `at most ${depthMax} levels`, '…');
    if (nodes > nodesMax) throw invalid(path, `at most ${nodesMax} comparisons`, `more than ${nodesMax}`);
    if (typeof value !== 'object' || value === null) throw invalid(at, 'a condition', value);
    if (hasOnly(value, ['not']))
      return { not: check((value as { not: unknown }).not, `${at}.not`, depth + 1) };
    for (const join of ['all', 'any'] as const) {
      if (!hasOnly(value, [join])) continue;
      const parts = (value as Readonly<Record<string, unknown>>)[join];
      if (!Array.isArray(parts) || parts.length === 0)
        throw invalid(`${at}.${join}`, 'a list of conditions', parts);
      const checked = parts.map((part, index) => check(part, `${at}.${join}[${index}]`, depth + 1));
      return join === 'all' ? { all: checked } : { any: checked };
    }
    return checkComparison(value, at);
  };
  return check(given, path, 1);
};

const checkComparison = (given: object, at: string): Predicate => {
  const { field, is, value, values } = given as Readonly<Record<string, unknown>>;
  if (!isFieldPath(field) || !isStorable(field))
    throw invalid(`${at}.field`, 'the path of a field, like customer.country', field);
  if (is === 'present' && hasOnly(given, ['field', 'is'])) return { field, is };
  if (is === 'in' && hasOnly(given, ['field', 'is', 'values'])) {
    const known = Array.isArray(values) && values.length > 0 && values.length <= valuesMax;
    if (known && values.every(isScalar)) return { field, is, values: values as readonly Scalar[] };
    throw invalid(`${at}.values`, `1 to ${valuesMax} texts, numbers, true, false or null`, values);
  }
  if (typeof is !== 'string' || !Object.hasOwn(comparisons, is) || !hasOnly(given, ['field', 'is', 'value']))
    throw invalid(
      at,
      `{ field, is, value } where is one of ${Object.keys(comparisons).join(', ')}, in, present`,
      given,
    );
  if (!isScalar(value) || (is === 'starts-with' && typeof value !== 'string'))
    throw invalid(`${at}.value`, 'a text, a number, true, false or null', value);
  return { field, is: is as Comparison, value };
};

/** The fields that a predicate looks at. */
export const fieldsOf = (predicate: Predicate): readonly string[] => {
  if ('all' in predicate) return predicate.all.flatMap(fieldsOf);
  if ('any' in predicate) return predicate.any.flatMap(fieldsOf);
  return 'not' in predicate ? fieldsOf(predicate.not) : [predicate.field];
};

export interface CompiledPredicate {
  /** A jsonpath predicate, passed as a parameter. Field names are quoted in it; no value is. */
  readonly path: string;
  /** Every value, by the name of its variable. */
  readonly variables: Readonly<Record<string, Scalar | readonly Scalar[]>>;
}

/** For `jsonb_path_match(data, path, variables)`. In lax mode a list is its items, so a comparison holds when one of them does. */
export const compilePredicate = (predicate: Predicate): CompiledPredicate => {
  const variables: Record<string, Scalar | readonly Scalar[]> = {};
  const variable = (value: Scalar | readonly Scalar[]): string => {
    const name = `v${Object.keys(variables).length}`;
    variables[name] = value;
    return `$${name}`;
  };
  const fieldPath = (field: string): string =>
    `$${field
      .split('.')
      .map((name) => `.${JSON.stringify(name)}`)
      .join('')}`;
  const compile = (part: Predicate): string => {
    if ('all' in part) return `(${part.all.map(compile).join(' && ')})`;
    if ('any' in part) return `(${part.any.map(compile).join(' || ')})`;
    if ('not' in part) return `(!${compile(part.not)})`;
    if (part.is === 'present') return `(exists(${fieldPath(part.field)}))`;
    // A filter drops what cannot be compared, so that every comparison is true or false, never unknown.
    const condition =
      part.is === 'in'
        ? `@ == ${variable(part.values)}[*]`
        : `@ ${comparisons[part.is]} ${variable(part.value)}`;
    return `(exists(${fieldPath(part.field)} ? (${condition})))`;
  };
  return { path: compile(predicate), variables };
};

const operators: Readonly<Record<string, Comparison | 'not-equal'>> = {
  '=': 'equal',
  '!=': 'not-equal',
  '<': 'less',
  '<=': 'at-most',
  '>': 'greater',
  '>=': 'at-least',
  '^=': 'starts-with',
};

/**
 * One condition as people type it: `pence>=1000`, `status=paid`, `customer.country!=GB`, `sku^=AB-`. What reads as JSON is taken as
 * such (1000, true, null, "1000"), anything else as text.
 * @throws FactlineError OPTION_INVALID
 */
export const parseCondition = (text: string): Predicate => {
  const [, field = '', operator = '', rest = ''] =
    /^([^=!<>^]+?)\s*(!=|<=|>=|\^=|=|<|>)\s*(.*)$/s.exec(text.trim()) ?? [];
  const is = operators[operator];
  if (is === undefined)
    throw new FactlineError('OPTION_INVALID', {
      option: '--where',
      expected: 'FIELD, one of = != < <= > >= ^=, and a value: pence>=1000',
      actual: text,
    });
  const value = scalarOf(rest);
  return is === 'not-equal' ? { not: { field, is: 'equal', value } } : { field, is, value };
};

/** A predicate as people read it: `pence>=1000 and not (status=paid)`. */
export const predicateText = (predicate: Predicate): string => {
  const joined = (parts: readonly Predicate[], word: string): string =>
    parts
      .map((part) => ('any' in part || 'all' in part ? `(${predicateText(part)})` : predicateText(part)))
      .join(word);
  if ('all' in predicate) return joined(predicate.all, ' and ');
  if ('any' in predicate) return joined(predicate.any, ' or ');
  if ('not' in predicate) return `not (${predicateText(predicate.not)})`;
  const { field, is } = predicate;
  if (is === 'present') return `${field} is there`;
  if (is === 'in') return `${field} in ${JSON.stringify(predicate.values)}`;
  const operator = Object.keys(operators).find((each) => operators[each] === is);
  return `${field}${operator}${typeof predicate.value === 'string' ? predicate.value : JSON.stringify(predicate.value)}`;
};

const scalarOf = (text: string): Scalar => {
  try {
    const value: unknown = JSON.parse(text);
    return isScalar(value) ? value : text;
  } catch {
    return text;
  }
};
