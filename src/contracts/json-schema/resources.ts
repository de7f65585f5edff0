import { isDeepStrictEqual } from 'node:util';
import { FactlineError } from '../../foundation/index.ts';
import { isMetaSchema, type JsonSchemaDraft, refHasSiblings } from './drafts.ts';
import { limits } from './limits.ts';

export type SchemaObject = Readonly<Record<string, unknown>>;

/** A subschema and where it stands. */
export interface Location {
  readonly schema: unknown;
  /** JSON pointer from the root, with a leading `#`. */
  readonly pointer: string;
  /** The resource (document or embedded `$id`) that relative references start from. */
  readonly base: string;
}

/** Refuses a schema, with the place. */
export type Refuse = (pointer: string, reason: string) => FactlineError;

export const refusing =
  (side: string): Refuse =>
  (path, reason) =>
    new FactlineError('SCHEMA_INVALID', { format: 'json-schema', side, path, reason });

const rootUri = 'schema://factline/';

function one(keyword: string): readonly [string, 'one'] {
  return [keyword, 'one'];
}

/** Which keywords hold subschemas, and how. */
export const holders: ReadonlyMap<string, 'one' | 'many' | 'one or many' | 'by name'> = new Map([
  ...[
    'additionalItems',
    'additionalProperties',
    'contains',
    'else',
    'if',
    'not',
    'propertyNames',
    'then',
  ].map(one),
  ...['unevaluatedItems', 'unevaluatedProperties'].map(one),
  ...['allOf', 'anyOf', 'oneOf', 'prefixItems'].map((keyword) => [keyword, 'many'] as const),
  ['items', 'one or many'] as const,
  ...['$defs', 'definitions', 'dependencies', 'dependentSchemas', 'patternProperties', 'properties'].map(
    (keyword) => [keyword, 'by name'] as const,
  ),
]);

export const isObject = (value: unknown): value is SchemaObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const isSchema = (value: unknown): boolean => isObject(value) || typeof value === 'boolean';

export const own = (schema: SchemaObject, keyword: string): unknown =>
  Object.hasOwn(schema, keyword) ? schema[keyword] : undefined;

const escaped = (name: string): string =>
  name.includes('~') || name.includes('/') ? name.replaceAll('~', '~0').replaceAll('/', '~1') : name;

export const below = (pointer: string, ...names: ReadonlyArray<string | number>): string => {
  let path = pointer;
  for (const name of names) path += `/${typeof name === 'number' ? name : escaped(name)}`;
  return path;
};

/** The subschemas that stand directly in a schema, each with its place. */
export function* subschemasOf(
  schema: SchemaObject,
): Generator<{ schema: unknown; names: Array<string | number> }> {
  for (const keyword of Object.keys(schema)) {
    const how = holders.get(keyword);
    if (how === undefined) continue;
    const value = schema[keyword];
    if (Array.isArray(value)) {
      if (how !== 'one' && how !== 'by name')
        for (const [index, part] of value.entries()) yield { schema: part, names: [keyword, index] };
    } else if (how === 'by name') {
      if (isObject(value))
        for (const name of Object.keys(value))
          if (isObject(value[name])) yield { schema: value[name], names: [keyword, name] };
    } else if (isObject(value)) yield { schema: value, names: [keyword] };
  }
}

const resolved = (reference: string, base: string): string | undefined => {
  if (reference.startsWith('#')) return base + reference;
  return URL.canParse(reference, base) ? new URL(reference, base).href : undefined;
};

export const withoutFragment = (uri: string): string => uri.split('#', 1)[0] ?? uri;

/** Whether a document could be fetched from there, if that was allowed. */
const isWebAddress = (uri: string): boolean => /^https?:/.test(uri);

/** Whether they say the same, whatever they call themselves: a schema that is bundled in two places is one resource. */
const isSameResource = (one: unknown, other: unknown): boolean => {
  if (!isObject(one) || !isObject(other)) return one === other;
  const said = ({ $id: _id, id: _oldId, $schema: _draft, ...rest }: SchemaObject): SchemaObject => rest;
  return isDeepStrictEqual(said(one), said(other));
};

/** The parts of one schema that references can name: embedded resources, anchors, places. Nothing is fetched here. */
export class Resources {
  readonly root: Location;
  readonly draft: JsonSchemaDraft;
  readonly #refuse: Refuse;
  readonly #resources = new Map<string, Location>();
  readonly #anchors = new Map<string, Location>();
  readonly #dynamicAnchors = new Map<string, Location>();
  readonly #locations = new Map<unknown, Location>();
  /** What references mean, by where they start from. */
  readonly #targets = new Map<string, Location>();
  count = 0;

  /** @throws FactlineError SCHEMA_INVALID */
  constructor(schema: unknown, draft: JsonSchemaDraft, refuse: Refuse) {
    this.draft = draft;
    this.#refuse = refuse;
    refuseDepth(schema, refuse);
    this.root = { schema, pointer: '#', base: rootUri };
    this.root = this.#index(this.root);
    this.#resources.set(rootUri, this.root);
  }

  #index(location: Location): Location {
    const { schema, pointer } = location;
    if (!isObject(schema)) return location;
    const known = this.#locations.get(schema);
    if (known !== undefined) return known;
    this.count += 1;
    if (this.count > limits.subschemas)
      throw this.#refuse('#', `it has more than ${limits.subschemas} subschemas`);
    const here = this.#identified(schema, location);
    this.#locations.set(schema, here);
    for (const { schema: inner, names } of subschemasOf(schema))
      this.#index({ schema: inner, pointer: below(pointer, ...names), base: here.base });
    return here;
  }

  /** Notes the names that a schema gives itself. */
  #identified(schema: SchemaObject, location: Location): Location {
    const { pointer, base } = location;
    const isNamed = refHasSiblings(this.draft) || own(schema, '$ref') === undefined;
    const id = isNamed
      ? (own(schema, '$id') ?? (this.draft === 'draft-04' ? own(schema, 'id') : undefined))
      : undefined;
    if (id !== undefined && typeof id !== 'string')
      throw this.#refuse(below(pointer, '$id'), 'expected a text');
    let here = location;
    if (id?.startsWith('#') === true) this.#anchors.set(`${base}${id}`, here);
    else if (id !== undefined) {
      const uri = resolved(id, base);
      if (uri === undefined) throw this.#refuse(below(pointer, '$id'), 'expected a URI reference');
      here = { ...location, base: withoutFragment(uri) };
      const other = this.#resources.get(here.base);
      if (other !== undefined && !isSameResource(other.schema, schema)) {
        const places = `at ${other.pointer} and at ${pointer}`;
        throw this.#refuse(
          below(pointer, '$id'),
          `two different schemas call themselves ${here.base}, ${places}: nobody can tell which one is meant`,
        );
      }
      this.#resources.set(here.base, here);
    }
    for (const keyword of ['$anchor', '$dynamicAnchor']) {
      const anchor = own(schema, keyword);
      if (typeof anchor !== 'string') continue;
      this.#anchors.set(`${here.base}#${anchor}`, here);
      if (keyword === '$dynamicAnchor') this.#dynamicAnchors.set(`${here.base}#${anchor}`, here);
    }
    if (own(schema, '$recursiveAnchor') === true) this.#dynamicAnchors.set(`${here.base}#`, here);
    return here;
  }

  /** Whether what a dynamic reference means depends on the way that leads to it. */
  get isDynamic(): boolean {
    return this.#dynamicAnchors.size > 1;
  }

  /** Where a dynamic anchor of this name stands in a resource. */
  dynamicAnchor(base: string, name: string): Location | undefined {
    return this.#dynamicAnchors.get(`${base}#${name}`);
  }

  dynamicAnchors(): Iterable<Location> {
    return this.#dynamicAnchors.values();
  }

  /** Whether a document or an embedded resource of this name is there. */
  has(uri: string): boolean {
    return this.#resources.has(uri);
  }

  /** The address that a reference leads to when it leads out of the schema; the meta-schemas of JSON Schema itself are none. */
  foreign(reference: string, from: Location): string | undefined {
    const uri = resolved(reference, from.base);
    const isForeign =
      uri !== undefined && isWebAddress(uri) && !this.has(withoutFragment(uri)) && !isMetaSchema(uri);
    return isForeign ? uri : undefined;
  }

  /** Every subschema that was found. */
  locations(): Iterable<Location> {
    return this.#locations.values();
  }

  at(location: Location): Location {
    return isObject(location.schema) ? (this.known(location.schema) ?? this.#index(location)) : location;
  }

  /** Where a subschema stands that was found. */
  known(schema: unknown): Location | undefined {
    return this.#locations.get(schema);
  }

  /**
   * What a reference names; undefined for a meta-schema of JSON Schema itself.
   * @throws FactlineError SCHEMA_INVALID
   */
  resolve(reference: string, from: Location, pointer: string): Location | undefined {
    const key = `${from.base} ${reference}`;
    const known = this.#targets.get(key) ?? this.#resolve(reference, from, pointer);
    if (known !== undefined) this.#targets.set(key, known);
    return known;
  }

  #resolve(reference: string, from: Location, pointer: string): Location | undefined {
    const uri = resolved(reference, from.base);
    if (uri === undefined) throw this.#refuse(pointer, `${JSON.stringify(reference)} is not a URI reference`);
    const base = withoutFragment(uri);
    const fragment = decoded(uri.slice(base.length + 1));
    const resource = this.#resources.get(base);
    if (resource === undefined) {
      if (isMetaSchema(uri)) return undefined;
      const unless = isWebAddress(uri) ? ' unless `factline contracts compare --fetch PREFIX` allows it' : '';
      throw this.#refuse(
        pointer,
        `${reference} is not part of this schema; other documents are never fetched${unless}`,
      );
    }
    const target =
      fragment === '' || fragment.startsWith('/')
        ? this.#walk(resource, fragment)
        : this.#anchors.get(`${base}#${fragment}`);
    if (target === undefined || !isSchema(target.schema))
      throw this.#refuse(pointer, `${reference} names no schema`);
    return this.at(target);
  }

  #walk(resource: Location, fragment: string): Location | undefined {
    let location = resource;
    for (const part of fragment.split('/').slice(1)) {
      const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
      const { schema } = location;
      const isThere = typeof schema === 'object' && schema !== null && Object.hasOwn(schema, name);
      if (!isThere) return undefined;
      const inner = (schema as SchemaObject)[name];
      const known = isObject(inner) ? this.#locations.get(inner) : undefined;
      location = known ?? { schema: inner, pointer: below(location.pointer, name), base: location.base };
    }
    return location;
  }
}

const decoded = (fragment: string): string => {
  try {
    return decodeURIComponent(fragment);
  } catch {
    return fragment;
  }
};

/** Without recursion, so that a hostile depth can't overflow the stack. */
const refuseDepth = (schema: unknown, refuse: Refuse): void => {
  let level: unknown[] = [schema];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > limits.jsonDepth) throw refuse('#', `it is nested deeper than ${limits.jsonDepth} levels`);
    level = level.flatMap((value) =>
      typeof value === 'object' && value !== null ? Object.values(value) : [],
    );
  }
};
