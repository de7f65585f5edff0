import {
  type CommonFieldPath,
  describeValue,
  type EventContract,
  type FieldPath,
  isFieldPath,
  type Many,
  type On,
} from '../contracts/index.ts';
import type { Issue } from '../foundation/index.ts';

/**
 * The fields that a consumer reads, as dotted paths; a path stands for everything below it. A list holds for every event of
 * `on`; an object names the fields of each type: `{ [OrderPlaced.type]: ['orderId', 'lines.product'], [OrderPaid.type]: [] }`.
 */
export type Reads<O extends Many<EventContract>> =
  | readonly CommonFieldPath<On<O>['data']>[]
  | { readonly [Event in On<O> as Event['type']]: readonly FieldPath<Event['data']>[] };

/** The declared fields by event type; null: it may read everything. */
export type DeclaredReads = ReadonlyMap<string, readonly string[]> | null;

const fieldIssues = (path: string, fields: unknown): readonly Issue[] => {
  if (!Array.isArray(fields)) return [issue(path, 'a list of fields', fields)];
  const wrong = fields.filter((field) => !isFieldPath(field));
  return wrong.map((field) => issue(path, 'the path of a field, like customer.email', field));
};

const issue = (path: string, expected: string, value: unknown): Issue => ({
  path,
  expected,
  actual: describeValue(value),
  message: `is not ${expected}`,
});

/** What is wrong with the option `reads` of a consumer of these types. */
export const readsIssues = (reads: unknown, types: readonly string[]): readonly Issue[] => {
  if (reads === undefined) return [];
  if (Array.isArray(reads)) return fieldIssues('reads', reads);
  if (typeof reads !== 'object' || reads === null)
    return [issue('reads', 'a list of fields, or lists by event type', reads)];
  const named = Object.keys(reads);
  return [
    ...Object.entries(reads).flatMap(([type, fields]) => fieldIssues(`reads["${type}"]`, fields)),
    ...named.filter((type) => !types.includes(type)).map((type) => issue('reads', 'a type of `on`', type)),
    ...types
      .filter((type) => !named.includes(type))
      .map((type) => issue(`reads["${type}"]`, 'a list of fields (an empty one: it reads none)', undefined)),
  ];
};

/** `always`: fields that the engine reads for the consumer. Call it only without issues. */
export const declaredReads = (
  reads: unknown,
  types: readonly string[],
  always: readonly string[] = [],
): DeclaredReads => {
  if (reads === undefined) return null;
  const fieldsOf = (type: string): readonly string[] =>
    Array.isArray(reads) ? reads : ((reads as Readonly<Record<string, readonly string[]>>)[type] ?? []);
  return new Map(types.map((type) => [type, Object.freeze([...new Set([...always, ...fieldsOf(type)])])]));
};
