import type { Json } from '../../foundation/index.ts';
import { type JsonSchemaDraft, refHasSiblings } from './drafts.ts';
import { holders, isObject, own, type SchemaObject, subschemasOf } from './resources.ts';

/** A schema, and the value that it has to accept. */
export interface SchemaPart {
  readonly schema: unknown;
  readonly value: Json;
}

const definitionPattern = /^#\/(?<keyword>\$defs|definitions)\/(?<name>[\w.-]+)$/;
const hopsMax = 20;

/**
 * A schema divided for the documents that it is to judge, so that a validator has little to compile and meets the same small
 * schemas again. The whole accepts a document exactly when every part accepts its value:
 *
 * - `properties` is about the members that an object has: names that no object of the documents has are left out.
 * - `properties` holds when each of its members does: a member that the document has is a part of its own, and `true` stands in its
 *   place. An object's other keywords stay together, and still see its name.
 */
export class DividedSchema {
  readonly #root: SchemaObject;
  readonly #siblings: boolean;
  /** What was made of a subschema: the same part for every document. */
  readonly #parts = new Map<unknown, unknown>();

  private constructor(root: SchemaObject, siblings: boolean) {
    this.#root = root;
    this.#siblings = siblings;
  }

  /** Undefined for one that stays whole: a subschema has a name of its own, or a reference leads elsewhere than to a definition of the root. */
  static of(schema: unknown, draft: JsonSchemaDraft, documents: readonly Json[]): DividedSchema | undefined {
    if (!isObject(schema)) return undefined;
    const { $id: _, id: __, ...unnamed } = schema;
    const names = namesIn(documents);
    // Ajv overlooks a property of that name: its word on the whole is no other one than on the parts.
    if (names.has('__proto__') || !isPlain(unnamed)) return undefined;
    return new DividedSchema(reduced(unnamed, names), refHasSiblings(draft));
  }

  /** An object's other keywords come after its members. */
  partsFor(document: Json): Iterable<SchemaPart> {
    return this.#partsOf(this.#root, document);
  }

  *#partsOf(unfollowed: unknown, value: Json): Generator<SchemaPart> {
    const schema = this.#followed(unfollowed);
    const properties = isObject(schema) ? own(schema, 'properties') : undefined;
    if (!isObject(schema) || !isObject(properties) || !isObject(value)) {
      yield { schema: this.#part(schema, () => schema), value };
      return;
    }
    const names = Object.keys(properties);
    for (const name of names)
      if (Object.hasOwn(value, name)) yield* this.#partsOf(properties[name], value[name] as Json);
    const others = (): SchemaObject => ({
      ...schema,
      properties: Object.fromEntries(names.map((name) => [name, true])),
    });
    yield { schema: this.#part(properties, others), value };
  }

  #part(of: unknown, make: () => unknown): unknown {
    const part = this.#parts.get(of) ?? this.#complete(make());
    this.#parts.set(of, part);
    return part;
  }

  /** What a schema stands for that is nothing but a reference. */
  #followed(schema: unknown): unknown {
    let target = schema;
    for (let hops = 0; hops < hopsMax; hops += 1) {
      if (!isObject(target) || !this.#isReference(target)) return target;
      target = this.#definition(target['$ref']);
    }
    return schema;
  }

  #isReference(schema: SchemaObject): boolean {
    const isAlone = Object.keys(schema).every((keyword) => keyword === '$ref' || isDefinitions(keyword));
    return typeof own(schema, '$ref') === 'string' && (isAlone || !this.#siblings);
  }

  #definition(reference: unknown): unknown {
    const { keyword = '', name = '' } = definitionPattern.exec(String(reference))?.groups ?? {};
    const definitions = own(this.#root, keyword);
    return isObject(definitions) ? own(definitions, name) : undefined;
  }

  /** With the definitions that it leads to, and no others. */
  #complete(schema: unknown): unknown {
    if (!isObject(schema)) return schema;
    const { $defs: _, definitions: __, ...part } = schema;
    const references = new Set(referencesIn(part));
    // What is added on the way is visited as well.
    for (const reference of references)
      for (const another of referencesIn(this.#definition(reference))) references.add(another);
    const used = (keyword: string): SchemaObject =>
      Object.fromEntries(
        [...references].flatMap((reference) => {
          const [, where, name = ''] = definitionPattern.exec(reference) ?? [];
          return where === keyword ? [[name, this.#definition(reference)]] : [];
        }),
      );
    return references.size === 0 ? part : { ...part, $defs: used('$defs'), definitions: used('definitions') };
  }
}

const isDefinitions = (keyword: string): boolean => keyword === '$defs' || keyword === 'definitions';

/** A schema and all subschemas in it. */
function* schemasIn(schema: unknown): Generator<SchemaObject> {
  if (!isObject(schema)) return;
  yield schema;
  for (const inner of subschemasOf(schema)) yield* schemasIn(inner.schema);
}

function* referencesIn(schema: unknown): Generator<string> {
  for (const { $ref } of schemasIn(schema)) if (typeof $ref === 'string') yield $ref;
}

/** With these, what a subschema means depends on more than where it stands. */
const scopeKeywords = [
  '$anchor',
  '$dynamicAnchor',
  '$dynamicRef',
  '$id',
  '$recursiveAnchor',
  '$recursiveRef',
  'id',
];

const isPlain = (schema: SchemaObject): boolean => {
  for (const inner of schemasIn(schema))
    if (scopeKeywords.some((keyword) => own(inner, keyword) !== undefined)) return false;
  for (const reference of referencesIn(schema)) if (!definitionPattern.test(reference)) return false;
  return true;
};

const namesIn = (values: readonly Json[]): ReadonlySet<string> => {
  const names = new Set<string>();
  const toVisit = [...values];
  for (let value = toVisit.pop(); value !== undefined; value = toVisit.pop()) {
    if (typeof value !== 'object' || value === null) continue;
    if (!Array.isArray(value)) for (const name of Object.keys(value)) names.add(name);
    toVisit.push(...Object.values(value));
  }
  return names;
};

/** They say nothing about a value. */
const annotations: ReadonlySet<string> = new Set([
  '$comment',
  '$schema',
  'default',
  'deprecated',
  'description',
  'examples',
  'readOnly',
  'title',
  'writeOnly',
]);

/** Without annotations, and without the members of `properties` that have other names. */
const reduced = (schema: SchemaObject, names: ReadonlySet<string>): SchemaObject => {
  const inside = (value: unknown): unknown => (isObject(value) ? reduced(value, names) : value);
  const rest: [string, unknown][] = [];
  for (const [keyword, value] of Object.entries(schema)) {
    if (annotations.has(keyword)) continue;
    const how = holders.get(keyword);
    if (how === undefined) rest.push([keyword, value]);
    else if (Array.isArray(value)) rest.push([keyword, value.map(inside)]);
    else if (how !== 'by name' || !isObject(value)) rest.push([keyword, inside(value)]);
    else {
      const members = Object.entries(value).filter(([name]) => keyword !== 'properties' || names.has(name));
      rest.push([keyword, Object.fromEntries(members.map(([name, member]) => [name, inside(member)]))]);
    }
  }
  return Object.fromEntries(rest);
};
