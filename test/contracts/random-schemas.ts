import type { Json } from '../../src/foundation/index.ts';

export type RandomSchema = boolean | { [keyword: string]: RandomSchema | RandomSchema[] | Json | undefined };

type SchemaObject = Exclude<RandomSchema, boolean>;

/** A stream of decisions that is the same for the same seed (mulberry32). */
export class Decisions {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }

  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item;
  }

  list<Item>(length: number, make: () => Item): Item[] {
    return Array.from({ length }, make);
  }
}

const types = ['null', 'boolean', 'integer', 'number', 'string', 'array', 'object'];
const names = ['a', 'b', 'c', 'x-1', 'kind'];
const patterns = ['^x-', '^[a-c]$', '[0-9]', '^a', '^(a|b)$', '^a+$', '^.{2,3}$', '.*', '^.*$'];
const texts = ['', 'a', 'b', 'ab', 'abc', 'x', 'x-1', '1', 'A', 'aa', '\n'];
const values: readonly Json[] = [
  null,
  true,
  false,
  0,
  1,
  2,
  -1,
  0.5,
  'a',
  'b',
  'ab',
  'x',
  '',
  [],
  [1],
  {},
  { a: 1 },
];

/** Makes schemas of 2020-12 that use every keyword, and documents that come near to them. */
export class RandomSchemas {
  readonly #decisions: Decisions;

  constructor(decisions: Decisions) {
    this.#decisions = decisions;
  }

  /** A schema; one in eight leads back into itself. */
  schema(): RandomSchema {
    const schema = this.#schema(3);
    if (typeof schema === 'boolean' || !this.#decisions.chance(0.12)) return schema;
    return { properties: { next: { $ref: '#' } }, ...schema };
  }

  #schema(depth: number): RandomSchema {
    const decide = this.#decisions;
    if (depth <= 0)
      return decide.pick<RandomSchema>([
        true,
        false,
        {},
        { type: 'string' },
        { type: 'integer' },
        { const: 1 },
        { enum: ['a', 'b'] },
      ]);
    if (decide.chance(0.05)) return decide.chance(0.7);
    const schema: SchemaObject = {};
    if (decide.chance(0.75))
      schema['type'] = decide.chance(0.75)
        ? decide.pick(types)
        : [...new Set([decide.pick(types), decide.pick(types)])];
    const type = schema['type'];
    const about = Array.isArray(type)
      ? (type as unknown as string[])
      : typeof type === 'string'
        ? [type]
        : types;
    for (let count = 1 + decide.below(4); count > 0; count -= 1)
      Object.assign(
        schema,
        decide.chance(0.22) ? this.#branching(depth) : this.#keyword(decide.pick(about), schema, depth),
      );
    dropWhatAjvMistakes(schema);
    return schema;
  }

  #some(depth: number): RandomSchema[] {
    return this.#decisions.list(1 + this.#decisions.below(3), () => this.#schema(depth - 1));
  }

  #branching(depth: number): SchemaObject {
    const decide = this.#decisions;
    const inner = (): RandomSchema => this.#schema(depth - 1);
    switch (decide.below(7)) {
      case 0:
        return { anyOf: this.#some(depth) };
      case 1:
        return { oneOf: this.#some(depth) };
      case 2:
        return { allOf: this.#some(depth) };
      case 3:
        return { not: inner() };
      case 4:
        // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema.
        return { if: inner(), then: inner(), ...(decide.chance(0.5) ? { else: inner() } : {}) };
      case 5:
        return { enum: decide.list(3, () => decide.pick(values)) };
      default:
        return { const: decide.pick(values) };
    }
  }

  #keyword(type: string, before: SchemaObject, depth: number): SchemaObject {
    const decide = this.#decisions;
    switch (type) {
      case 'integer':
      case 'number':
        return decide.pick<SchemaObject>([
          { minimum: decide.below(5) - 1 },
          { maximum: decide.below(6) },
          { exclusiveMinimum: decide.below(4) },
          { exclusiveMaximum: decide.below(6) },
          { multipleOf: decide.pick([1, 2, 3, 0.5]) },
        ]);
      case 'string':
        return decide.pick<SchemaObject>([
          { minLength: decide.below(3) },
          { maxLength: decide.below(4) },
          { pattern: decide.pick(patterns) },
        ]);
      case 'array':
        return this.#arrayKeyword(depth);
      case 'object':
        return this.#objectKeyword(before, depth);
      default:
        return {};
    }
  }

  #arrayKeyword(depth: number): SchemaObject {
    const decide = this.#decisions;
    const inner = (): RandomSchema => this.#schema(depth - 1);
    switch (decide.below(9)) {
      case 0:
        return { minItems: decide.below(3) };
      case 1:
        return { maxItems: decide.below(4) };
      case 2:
        return { uniqueItems: true };
      case 3:
        return { prefixItems: decide.list(1 + decide.below(2), inner) };
      case 4:
      case 5:
        return { items: inner() };
      case 6:
        return { contains: inner() };
      case 7:
        return {
          contains: inner(),
          minContains: decide.below(3),
          ...(decide.chance(0.5) ? { maxContains: decide.below(3) } : {}),
        };
      default:
        return { unevaluatedItems: inner() };
    }
  }

  #objectKeyword(before: SchemaObject, depth: number): SchemaObject {
    const decide = this.#decisions;
    const inner = (): RandomSchema => this.#schema(depth - 1);
    const properties = before['properties'] as SchemaObject | undefined;
    switch (decide.below(12)) {
      case 0:
        return { minProperties: decide.below(3) };
      case 1:
        return { maxProperties: decide.below(4) };
      case 2:
        return { required: [decide.pick(names)] };
      case 3:
        return { patternProperties: { [decide.pick(patterns)]: inner() } };
      case 4:
        return {
          propertyNames: decide.pick<RandomSchema>([
            { maxLength: 1 },
            { pattern: '^[a-c]$' },
            { enum: ['a', 'b', 'c'] },
            { not: { const: 'a' } },
          ]),
        };
      case 5:
        return { dependentRequired: { [decide.pick(names)]: [decide.pick(names)] } };
      case 6:
        return { dependentSchemas: { [decide.pick(names)]: inner() } };
      case 7:
        return { unevaluatedProperties: inner() };
      case 8:
        return { additionalProperties: inner() };
      default:
        return {
          properties: { ...properties, [decide.pick(names)]: inner(), [decide.pick(names)]: inner() },
        };
    }
  }

  /** The schema with one thing changed somewhere. */
  mutated(schema: RandomSchema): RandomSchema {
    const decide = this.#decisions;
    if (typeof schema === 'boolean') return this.#schema(1);
    const copy = structuredClone(schema);
    const place = decide.pick(placesIn(copy));
    const keywords = Object.keys(place);
    switch (decide.below(4)) {
      case 0:
        if (keywords.length > 0) delete place[decide.pick(keywords)];
        break;
      case 1:
        Object.assign(
          place,
          decide.chance(0.3) ? this.#branching(1) : this.#keyword(decide.pick(types), place, 1),
        );
        for (const around of placesIn(copy)) dropWhatAjvMistakes(around);
        break;
      case 2:
        for (const keyword of keywords) {
          const value = place[keyword];
          if (typeof value === 'number')
            place[keyword] = Math.max(keyword === 'multipleOf' ? 1 : 0, value + decide.pick([-1, 1]));
        }
        break;
      default:
        if (Array.isArray(place['enum'])) place['enum'] = [...place['enum'], decide.pick(values)] as Json[];
        else if (Array.isArray(place['anyOf']))
          place['anyOf'] = [...place['anyOf'], this.#schema(1)] as RandomSchema[];
        else place['title'] = 'another';
    }
    return copy;
  }

  /** Any document. */
  document(depth = 3): Json {
    const decide = this.#decisions;
    switch (decide.below(7)) {
      case 0:
        return null;
      case 1:
        return decide.chance(0.5);
      case 2:
        return decide.pick([0, 1, 2, 3, 4, 5, -1, 0.5, 1.5, 6]);
      case 3:
        return decide.pick(texts);
      case 4:
        return depth <= 0 ? [] : decide.list(decide.below(4), () => this.document(depth - 1));
      default:
        return this.#object(depth <= 0 ? 0 : decide.below(4), () => this.document(depth - 1));
    }
  }

  #object(members: number, make: () => Json): Json {
    const decide = this.#decisions;
    return Object.fromEntries(decide.list(members, () => [decide.pick([...names, 'next', 'other']), make()]));
  }

  /** A document that the schema may well accept. */
  documentFor(schema: unknown, depth = 4): Json {
    const decide = this.#decisions;
    if (typeof schema !== 'object' || schema === null || depth <= 0 || decide.chance(0.15))
      return this.document(2);
    const keywords = schema as Readonly<Record<string, unknown>>;
    const listed = keywords['enum'] ?? ('const' in keywords ? [keywords['const']] : undefined);
    if (Array.isArray(listed) && listed.length > 0 && decide.chance(0.8))
      return decide.pick(listed as Json[]);
    for (const keyword of ['anyOf', 'oneOf', 'allOf']) {
      const branches = keywords[keyword];
      if (Array.isArray(branches) && decide.chance(0.5))
        return this.documentFor(decide.pick(branches), depth - 1);
    }
    const type =
      keywords['type'] ??
      ('properties' in keywords ? 'object' : 'items' in keywords ? 'array' : decide.pick(types));
    return this.#documentOf(String(Array.isArray(type) ? decide.pick(type) : type), keywords, depth);
  }

  #documentOf(type: string, keywords: Readonly<Record<string, unknown>>, depth: number): Json {
    const decide = this.#decisions;
    const inner = (schema: unknown): Json => this.documentFor(schema, depth - 1);
    switch (type) {
      case 'object': {
        const members = Object.entries((keywords['properties'] ?? {}) as object).filter(() =>
          decide.chance(0.7),
        );
        const required = (keywords['required'] ?? []) as string[];
        const others = decide.chance(0.4) ? [decide.pick([...names, 'other'])] : [];
        return Object.fromEntries([
          ...[...required, ...others].map((name) => [name, inner(keywords['additionalProperties'])]),
          ...members.map(([name, schema]) => [name, inner(schema)]),
        ]);
      }
      case 'array': {
        const tuple = (keywords['prefixItems'] ?? []) as unknown[];
        const length = Math.max(Number(keywords['minItems'] ?? 0), decide.below(4));
        return Array.from({ length }, (_, index) =>
          inner(tuple[index] ?? keywords['items'] ?? keywords['contains']),
        );
      }
      case 'string':
        return decide.pick(texts);
      case 'integer':
        return decide.below(8) - 1;
      case 'number':
        return decide.below(16) / 2 - 1;
      case 'boolean':
        return decide.chance(0.5);
      default:
        return null;
    }
  }
}

const byName = ['properties', 'patternProperties', 'dependentSchemas', '$defs'];
const inList = ['allOf', 'anyOf', 'oneOf', 'prefixItems'];
const single = [
  'not',
  'if',
  'then',
  'else',
  'items',
  'contains',
  'additionalProperties',
  'propertyNames',
  'unevaluatedItems',
  'unevaluatedProperties',
];

/**
 * Ajv takes an empty array for one that contains what it must, when there is a tuple beside, and items for looked at by a branch that
 * does not match.
 */
const dropWhatAjvMistakes = (schema: SchemaObject): void => {
  if ('contains' in schema) delete schema['prefixItems'];
  if (!('unevaluatedItems' in schema)) return;
  for (const place of placesIn(schema))
    for (const keyword of ['anyOf', 'oneOf'])
      for (const branch of (place[keyword] ?? []) as RandomSchema[])
        for (const inner of placesIn(branch)) {
          delete inner['items'];
          delete inner['prefixItems'];
        }
};

/** The schema objects in a schema, itself first. */
export const placesIn = (schema: RandomSchema): SchemaObject[] => {
  if (typeof schema !== 'object') return [];
  const inside = [
    ...byName.flatMap((keyword) => Object.values((schema[keyword] ?? {}) as SchemaObject)),
    ...inList.flatMap((keyword) => (schema[keyword] ?? []) as RandomSchema[]),
    ...single.map((keyword) => schema[keyword]),
  ];
  return [schema, ...inside.flatMap((part) => placesIn(part as RandomSchema))];
};
