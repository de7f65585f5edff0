import type { Json } from '../../foundation/index.ts';
import { type JsonSchemaDraft, refHasSiblings } from './drafts.ts';
import { holders, isObject, own, type SchemaObject, subschemasOf } from './resources.ts';

/** What is left of a schema to be asked about. */
export interface SchemaPart {
  readonly schema: SchemaObject;
  /** It refers to definitions, which stand in it. */
  readonly isRecurring: boolean;
}

/** Asks a validator whether a part accepts a value; it is the same part for all values of a kind. */
export type Ask = (part: SchemaPart, value: Json) => boolean;

/** Thrown where the schema has to be asked about as a whole. */
class Indivisible {}

const definitionPattern = /^#\/(?<keyword>\$defs|definitions)\/(?<name>[^/~%]+)$/;
const hopsMax = 20;

/**
 * A schema divided by the document that it is to judge, so that a validator has little to compile and meets the same small schemas
 * again: of all that a schema says, a document concerns little, and the next one mostly the same.
 *
 * - `properties` and `items` hold when each member and item does: each is asked about by itself, and `true` stands in its place.
 * - `allOf`, `anyOf`, `oneOf`, `not` and `if` depend on nothing but what their branches say, as long as no `unevaluated…` stands
 *   beside them.
 * - All other keywords stay together, without the members of `properties` that no document has.
 */
export class DividedSchema {
  readonly #root: SchemaObject;
  readonly #draft: JsonSchemaDraft;
  readonly #ask: Ask;
  /** Documents have parts in common. */
  readonly #verdicts = new Map<unknown, Map<Json, boolean>>();
  /** Another version of the schema, and which parts mean the same in both. */
  #version:
    | { readonly schema: DividedSchema; readonly isShared: (part: SchemaObject) => boolean }
    | undefined;
  /** What is left of a schema for objects with members that `properties` does not name, and for other values. */
  readonly #rests = { others: new Map<SchemaObject, SchemaPart>(), all: new Map<SchemaObject, SchemaPart>() };
  /** Of the members of all documents. */
  readonly #names = new Set<string>();
  #hasReferences = false;
  #hasResources = false;

  constructor({ $id: _, id: __, ...root }: SchemaObject, draft: JsonSchemaDraft, ask: Ask) {
    this.#root = root;
    this.#draft = draft;
    this.#ask = ask;
  }

  /** Says what will be asked about; otherwise parts are made anew for each document that brings other names. */
  concern(documents: readonly Json[]): void {
    const before = this.#names.size;
    for (const name of namesIn(documents)) this.#names.add(name);
    if (this.#names.size === before) return;
    this.#rests.others.clear();
    this.#rests.all.clear();
  }

  /** From here on, what the one is known to say about a part is not asked again for the other. */
  relate(schema: DividedSchema, isShared: (part: SchemaObject) => boolean): void {
    this.#version = { schema, isShared };
    schema.#version = { schema: this, isShared };
  }

  /** Undefined for a schema that can't be divided for this document: what a reference means depends on more than where it leads. */
  accepts(document: Json): boolean | undefined {
    this.concern([document]);
    // Ajv overlooks a property of that name: its word on the whole is no other one than on the parts.
    if (this.#names.has('__proto__')) return undefined;
    try {
      const verdict = this.#accepts(this.#root, document);
      return this.#isInDoubt ? undefined : verdict;
    } catch (error) {
      if (error instanceof Indivisible) return undefined;
      throw error;
    }
  }

  #accepts(unfollowed: unknown, value: Json): boolean {
    const schema = this.#followed(unfollowed);
    if (typeof schema === 'boolean') return schema;
    if (!isObject(schema)) throw new Indivisible();
    const verdicts = this.#verdicts.get(schema) ?? new Map<Json, boolean>();
    this.#verdicts.set(schema, verdicts);
    const verdict = verdicts.get(value) ?? this.#told(schema, value) ?? this.#acceptsInParts(schema, value);
    verdicts.set(value, verdict);
    return verdict;
  }

  /** Whether references could be meant from elsewhere than where they were followed from. */
  get #isInDoubt(): boolean {
    return this.#hasReferences && this.#hasResources;
  }

  /** What the other version says about a part that is this one's as well. */
  #told(schema: SchemaObject, value: Json): boolean | undefined {
    if (this.#version === undefined || this.#version.schema.#isInDoubt) return undefined;
    const verdict = this.#version.schema.#verdicts.get(schema)?.get(value);
    return verdict !== undefined && this.#version.isShared(schema) ? verdict : undefined;
  }

  #acceptsInParts(schema: SchemaObject, value: Json): boolean {
    return (
      this.#acceptsMembers(schema, value) &&
      (isVague(schema) || this.#acceptsBranches(schema, value)) &&
      this.#acceptsRest(schema, value)
    );
  }

  #acceptsMembers(schema: SchemaObject, value: Json): boolean {
    const [properties, items] = [own(schema, 'properties'), itemsOf(schema)];
    if (Array.isArray(value)) return items === undefined || value.every((item) => this.#accepts(items, item));
    return (
      !isObject(value) ||
      !isObject(properties) ||
      Object.keys(value).every(
        (name) => !Object.hasOwn(properties, name) || this.#accepts(properties[name], value[name] as Json),
      )
    );
  }

  #acceptsBranches(schema: SchemaObject, value: Json): boolean {
    const fits = (branch: unknown): boolean => this.#accepts(branch, value);
    const { $ref, not, if: condition, then = true, else: otherwise = true } = schema;
    const [all, any, one] = [schema['allOf'], schema['anyOf'], schema['oneOf']];
    return (
      (typeof $ref !== 'string' || fits({ $ref })) &&
      (!isFilled(all) || all.every(fits)) &&
      (!isFilled(any) || any.some(fits)) &&
      (!isFilled(one) || one.filter(fits).length === 1) &&
      (not === undefined || !fits(not)) &&
      (condition === undefined || fits(fits(condition) ? then : otherwise))
    );
  }

  #acceptsRest(schema: SchemaObject, value: Json): boolean {
    const properties = own(schema, 'properties');
    const isNamed = (name: string): boolean => isObject(properties) && Object.hasOwn(properties, name);
    const hasOthers = isObject(value) && !Object.keys(value).every(isNamed);
    const rests = hasOthers ? this.#rests.others : this.#rests.all;
    const part = rests.get(schema) ?? this.#part(restOf(schema, hasOthers));
    rests.set(schema, part);
    return Object.keys(part.schema).length === 0 || this.#ask(part, value);
  }

  /** With the definitions that it leads to, and no others. */
  #part(schema: SchemaObject): SchemaPart {
    const part = this.#reduced(schema);
    const references = new Set(referencesIn(part));
    if (references.size === 0) return { schema: part, isRecurring: false };
    this.#hasReferences = true;
    const definitions: Readonly<Record<string, [string, unknown][]>> = { $defs: [], definitions: [] };
    // What is added on the way is visited as well.
    for (const reference of references) {
      const { keyword = '', name = '' } = definitionPattern.exec(reference)?.groups ?? {};
      const definition = this.#definition(reference);
      const reduced = isObject(definition) ? this.#reduced(definition) : definition;
      if (reduced === undefined) throw new Indivisible();
      definitions[keyword]?.push([name, reduced]);
      for (const another of referencesIn(reduced)) references.add(another);
    }
    const named = Object.entries(definitions).map(([keyword, all]) => [keyword, Object.fromEntries(all)]);
    return { schema: { ...part, ...Object.fromEntries(named) }, isRecurring: true };
  }

  /** What a schema stands for that is nothing but a reference. */
  #followed(schema: unknown): unknown {
    let target = schema;
    for (let hops = 0; hops < hopsMax; hops += 1) {
      if (!isObject(target) || !this.#isReference(target)) return target;
      this.#notice(target);
      this.#hasReferences = true;
      target = this.#definition(target['$ref']);
    }
    throw new Indivisible();
  }

  #isReference(schema: SchemaObject): boolean {
    if (typeof own(schema, '$ref') !== 'string') return false;
    return (
      !refHasSiblings(this.#draft) ||
      Object.keys(schema).every((keyword) => keyword === '$ref' || silent.has(keyword))
    );
  }

  #definition(reference: unknown): unknown {
    const { keyword = '', name = '' } = definitionPattern.exec(String(reference))?.groups ?? {};
    const definitions = own(this.#root, keyword);
    return isObject(definitions) ? own(definitions, name) : undefined;
  }

  /** Keywords with which a subschema means something by more than where it stands. */
  #notice(schema: SchemaObject): void {
    if (own(schema, '$dynamicRef') !== undefined || own(schema, '$recursiveRef') !== undefined)
      throw new Indivisible();
    if (own(schema, '$id') !== undefined || (this.#draft === 'draft-04' && own(schema, 'id') !== undefined))
      this.#hasResources = true;
  }

  /** Without what says nothing about a value, without definitions, and without the members of `properties` that have other names. */
  #reduced(schema: SchemaObject): SchemaObject {
    this.#notice(schema);
    const inside = (value: unknown): unknown => (isObject(value) ? this.#reduced(value) : value);
    const rest: [string, unknown][] = [];
    for (const [keyword, value] of Object.entries(schema)) {
      if (silent.has(keyword)) continue;
      const how = holders.get(keyword);
      if (how === undefined) rest.push([keyword, value]);
      else if (Array.isArray(value)) rest.push([keyword, value.map(inside)]);
      else if (how !== 'by name' || !isObject(value)) rest.push([keyword, inside(value)]);
      else {
        const members = Object.entries(value).filter(
          ([name]) => keyword !== 'properties' || this.#names.has(name),
        );
        rest.push([keyword, Object.fromEntries(members.map(([name, member]) => [name, inside(member)]))]);
      }
    }
    return Object.fromEntries(rest);
  }
}

/** Whether a keyword depends on what all the others have looked at. */
const isVague = (schema: SchemaObject): boolean =>
  own(schema, 'unevaluatedProperties') !== undefined || own(schema, 'unevaluatedItems') !== undefined;

/** What is said about every item alike. */
const itemsOf = (schema: SchemaObject): SchemaObject | undefined => {
  const items = own(schema, 'items');
  return isObject(items) && own(schema, 'prefixItems') === undefined ? items : undefined;
};

const isFilled = (branches: unknown): branches is unknown[] => Array.isArray(branches) && branches.length > 0;

const branchings = ['$ref', 'allOf', 'anyOf', 'oneOf', 'not', 'if', 'then', 'else'];

/** What is left once members, items and branches were asked about. */
const restOf = (schema: SchemaObject, hasOthers: boolean): SchemaObject => {
  const rest = { ...schema };
  const properties = own(schema, 'properties');
  if (isObject(properties))
    rest['properties'] = Object.fromEntries(Object.keys(properties).map((name) => [name, true]));
  if (itemsOf(schema) !== undefined) rest['items'] = true;
  if (isVague(schema)) return rest;
  for (const keyword of branchings)
    if (!Array.isArray(rest[keyword]) || isFilled(rest[keyword])) delete rest[keyword];
  if (rest['items'] === true) delete rest['items'];
  if (!hasOthers) delete rest['additionalProperties'];
  // What is about the other members has to know these.
  if (own(rest, 'additionalProperties') === undefined) delete rest['properties'];
  return rest;
};

function* referencesIn(schema: unknown): Generator<string> {
  if (!isObject(schema)) return;
  const { $ref } = schema;
  if (typeof $ref === 'string') yield $ref;
  for (const inner of subschemasOf(schema)) yield* referencesIn(inner.schema);
}

const namesIn = (documents: readonly Json[]): ReadonlySet<string> => {
  const names = new Set<string>();
  const toVisit = [...documents];
  for (let value = toVisit.pop(); value !== undefined; value = toVisit.pop()) {
    if (typeof value !== 'object' || value === null) continue;
    if (!Array.isArray(value)) for (const name of Object.keys(value)) names.add(name);
    toVisit.push(...Object.values(value));
  }
  return names;
};

/** They say nothing about a value. */
const silent: ReadonlySet<string> = new Set([
  '$anchor',
  '$comment',
  '$defs',
  '$dynamicAnchor',
  '$id',
  '$recursiveAnchor',
  '$schema',
  'default',
  'definitions',
  'deprecated',
  'description',
  'examples',
  'id',
  'readOnly',
  'title',
  'writeOnly',
]);
