import { isObject } from '../gate/lock-shape.ts';
import { resolveReference } from '../gate/resolve-reference.ts';

type Schema = Readonly<Record<string, unknown>>;

/** A field of a payload, wherever in it. */
export interface PayloadField {
  /** Dotted; items of a list are not named: `lines.price`. */
  readonly path: string;
  /** The last part in words: `unitPrice`, `unit_price` and `unit-price` are `unit price`. */
  readonly words: readonly string[];
  /** The words of the field around it; none at the top. */
  readonly parentWords: readonly string[];
  /** As JSON Schema names them; empty: any. */
  readonly types: ReadonlySet<string>;
  readonly schema: Schema;
  /** 1 at the top. */
  readonly depth: number;
}

/** A schema with more fields than this is fat, whatever the rest of it is. */
const fieldsMax = 2_000;
const depthMax = 32;

export const wordsOf = (name: string): readonly string[] =>
  name
    .replaceAll(/([a-z\d])([A-Z])/g, '$1 $2')
    .replaceAll(/([A-Z]+)([A-Z][a-z])/g, '$1 $2')
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '')
    .map((word) => word.toLowerCase());

interface Walk {
  readonly root: unknown;
  readonly found: Map<string, PayloadField>;
  /** What is being looked into, so that a recursive schema ends. */
  readonly inside: readonly unknown[];
  /** Where each schema was looked at already: branches that multiply end. */
  readonly seen: Map<unknown, Set<string>>;
  readonly path: string;
  readonly parentWords: readonly string[];
  readonly depth: number;
}

/** The fields that a JSON Schema names, through references, lists and branches. */
export const payloadFields = (schema: unknown): readonly PayloadField[] => {
  const found = new Map<string, PayloadField>();
  look({ root: schema, found, inside: [], seen: new Map(), path: '', parentWords: [], depth: 0 }, schema);
  return [...found.values()];
};

const look = (walk: Walk, schema: unknown): void => {
  const { found, inside, path, depth } = walk;
  if (!isObject(schema) || inside.includes(schema) || inside.length > depthMax || found.size >= fieldsMax)
    return;
  const places = walk.seen.get(schema) ?? new Set();
  if (places.has(path)) return;
  walk.seen.set(schema, places.add(path));
  const deeper = { ...walk, inside: [...inside, schema] };
  for (const part of partsOf(schema, walk.root)) look(deeper, part);
  const properties = schema['properties'];
  if (!isObject(properties)) return;
  for (const [name, value] of Object.entries(properties)) {
    const field = resolved(value, walk.root);
    const words = wordsOf(name);
    const own = path === '' ? name : `${path}.${name}`;
    if (!found.has(own))
      found.set(own, {
        path: own,
        words,
        parentWords: walk.parentWords,
        types: typesOf(field, walk.root),
        schema: isObject(field) ? field : {},
        depth: depth + 1,
      });
    look({ ...deeper, path: own, parentWords: words, depth: depth + 1 }, field);
  }
};

/** The schemas that say something about the same value, and those of a list's items. */
const partsOf = (schema: Schema, root: unknown): readonly unknown[] => [
  ...(typeof schema['$ref'] === 'string' ? [resolved(schema, root)] : []),
  ...branchesOf(schema),
  ...['items', 'additionalProperties', 'if', 'then', 'else'].map((name) => schema[name]),
  ...(Array.isArray(schema['prefixItems']) ? schema['prefixItems'] : []),
];

const branchesOf = (schema: Schema): readonly unknown[] =>
  ['allOf', 'anyOf', 'oneOf'].flatMap((name) => (Array.isArray(schema[name]) ? schema[name] : []));

const resolved = (schema: unknown, root: unknown): unknown =>
  isObject(schema) && typeof schema['$ref'] === 'string' ? resolveReference(root, schema['$ref']) : schema;

/** The types of a value and of the branches that it may take. */
const typesOf = (schema: unknown, root: unknown): ReadonlySet<string> => {
  const types = new Set<string>();
  const seen = new Set<unknown>([schema]);
  for (const each of seen) {
    if (!isObject(each)) continue;
    for (const type of [each['type']].flat()) if (typeof type === 'string') types.add(type);
    for (const branch of branchesOf(each)) seen.add(resolved(branch, root));
  }
  return types;
};
