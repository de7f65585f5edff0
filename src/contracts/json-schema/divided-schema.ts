import type { Json } from '../../foundation/index.ts';
import { type JsonSchemaDraft, refHasSiblings } from './drafts.ts';
import { holders, isObject, own, type SchemaObject, subschemasOf } from './resources.ts';

/** Asks a validator whether a part of the schema accepts a value. `isRecurring`: the part refers to definitions. */
export type Ask = (part: SchemaObject, value: Json, isRecurring: boolean) => boolean;

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
 * - All other keywords stay together, without the members of `properties` that the document has not.
 */
export class DividedSchema {
  readonly #root: SchemaObject;
  readonly #draft: JsonSchemaDraft;
  readonly #ask: Ask;
  /** Documents have parts in common. */
  readonly #verdicts = new Map<unknown, Map<Json, boolean>>();
  #names: ReadonlySet<string> = new Set();
  /** Both, and references could be meant from elsewhere than the root. */
  #hasReferences = false;
  #hasResources = false;

  constructor({ $id: _, id: __, ...root }: SchemaObject, draft: JsonSchemaDraft, ask: Ask) {
    this.#root = root;
    this.#draft = draft;
    this.#ask = ask;
  }

  /** Undefined for a schema that can't be divided for this document: what a reference means depends on more than where it leads. */
  accepts(document: Json): boolean | undefined {
    this.#names = namesIn(document);
    // Ajv overlooks a property of that name: its word on the whole is no other one than on the parts.
    if (this.#names.has('__proto__')) return undefined;
    try {
      const verdict = this.#accepts(this.#root, document);
      return this.#hasReferences && this.#hasResources ? undefined : verdict;
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
    const verdict = verdicts.get(value) ?? this.#acceptsInParts(schema, value);
    verdicts.set(value, verdict);
    return verdict;
  }

  #acceptsInParts(schema: SchemaObject, value: Json): boolean {
    const rest: Record<string, unknown> = { ...schema };
    return (
      this.#acceptsMembers(rest, value) &&
      this.#acceptsBranches(rest, value) &&
      this.#acceptsRest(rest, value)
    );
  }

  /** What is said about members and items; in `rest` nothing is said about them any more. */
  #acceptsMembers(rest: Record<string, unknown>, value: Json): boolean {
    const properties = own(rest, 'properties');
    if (isObject(properties) && isObject(value)) {
      const names = Object.keys(value);
      const described = names.filter((name) => Object.hasOwn(properties, name));
      if (!described.every((name) => this.#accepts(properties[name], value[name] as Json))) return false;
      if (described.length === names.length) delete rest['additionalProperties'];
      // What is about the other members has to know these.
      if (own(rest, 'additionalProperties') !== undefined || isVague(rest))
        rest['properties'] = allowing(described);
      else delete rest['properties'];
    } else if (isObject(properties)) delete rest['properties'];
    const items = own(rest, 'items');
    if (!isObject(items) || own(rest, 'prefixItems') !== undefined) return true;
    if (Array.isArray(value) && isVague(rest)) rest['items'] = true;
    else delete rest['items'];
    return !Array.isArray(value) || value.every((item) => this.#accepts(items, item));
  }

  #acceptsBranches(rest: Record<string, unknown>, value: Json): boolean {
    if (isVague(rest)) return true;
    const take = (keyword: string): unknown => {
      const part = own(rest, keyword);
      delete rest[keyword];
      return part;
    };
    const fits = (branch: unknown): boolean => this.#accepts(branch, value);
    if (typeof own(rest, '$ref') === 'string' && !fits({ $ref: take('$ref') })) return false;
    const [all, any, one] = ['allOf', 'anyOf', 'oneOf'].map((keyword) =>
      isFilled(own(rest, keyword)) ? (take(keyword) as unknown[]) : undefined,
    );
    if (all?.every(fits) === false || any?.some(fits) === false) return false;
    if (one !== undefined && one.filter(fits).length !== 1) return false;
    if (own(rest, 'not') !== undefined && fits(take('not'))) return false;
    const [condition, then = true, otherwise = true] = [take('if'), take('then'), take('else')];
    return condition === undefined || fits(fits(condition) ? then : otherwise);
  }

  #acceptsRest(rest: SchemaObject, value: Json): boolean {
    const part = this.#reduced(rest);
    if (Object.keys(part).length === 0) return true;
    const references = new Set(referencesIn(part));
    if (references.size === 0) return this.#ask(part, value, false);
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
    return this.#ask({ ...part, ...Object.fromEntries(named) }, value, true);
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

const allowing = (names: readonly string[]): SchemaObject =>
  Object.fromEntries(names.map((name) => [name, true]));

const isFilled = (branches: unknown): boolean => Array.isArray(branches) && branches.length > 0;

function* referencesIn(schema: unknown): Generator<string> {
  if (!isObject(schema)) return;
  const { $ref } = schema;
  if (typeof $ref === 'string') yield $ref;
  for (const inner of subschemasOf(schema)) yield* referencesIn(inner.schema);
}

const namesIn = (document: Json): ReadonlySet<string> => {
  const names = new Set<string>();
  const toVisit = [document];
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
