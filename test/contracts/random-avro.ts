/** Random Avro schemas and small changes of them, from a seed. */

export type Schema = string | readonly Schema[] | Complex;
interface Complex {
  readonly [name: string]: unknown;
}

const isUnion = (schema: Schema): schema is readonly Schema[] => Array.isArray(schema);

/** Mulberry32: small, and the same everywhere. */
export const randomFrom = (seed: number): (() => number) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

const primitives = ['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'] as const;
const symbols = ['A', 'B', 'C', 'D'] as const;
const fieldNames = ['a', 'b', 'c', 'd'] as const;

/** Named types are called by what they are and how deep they stand, so that both sides often share names. */
export class AvroGenerator {
  readonly #random: () => number;
  #names = new Set<string>();

  constructor(random: () => number) {
    this.#random = random;
  }

  schema(): Schema {
    this.#names = new Set();
    return this.#type(0);
  }

  /** The schema with something changed in it, once. */
  changed(schema: Schema): Schema {
    if (isUnion(schema)) {
      const branches = schema;
      const roll = this.#random();
      if (roll < 0.25 && branches.length > 0) return branches.slice(1);
      if (roll < 0.5) return this.#union([...branches, this.#pick(primitives)]);
      if (branches.length === 0) return branches;
      const place = Math.floor(this.#random() * branches.length);
      return this.#union(branches.map((branch, index) => (index === place ? this.changed(branch) : branch)));
    }
    if (typeof schema === 'string')
      return this.#random() < 0.3 ? ['null', schema].filter(distinct) : this.#pick(primitives);
    const { type } = schema;
    if (type === 'array') return { ...schema, items: this.changed(schema['items'] as Schema) };
    if (type === 'map') return { ...schema, values: this.changed(schema['values'] as Schema) };
    if (type === 'enum') return this.#enum(schema['name'] as string);
    if (type === 'fixed') return { ...schema, size: this.#pick([1, 2]) };
    return this.#changedRecord(schema);
  }

  #changedRecord(schema: Complex): Schema {
    const fields = schema['fields'] as readonly { name: string; type: Schema }[];
    const roll = this.#random();
    if (roll < 0.25) return { ...schema, fields: fields.slice(1) };
    if (roll < 0.5) {
      const name = fieldNames.find((each) => !fields.some((field) => field.name === each));
      return name === undefined ? schema : { ...schema, fields: [...fields, this.#field(name, 'int')] };
    }
    const [first, ...others] = fields;
    if (first === undefined) return schema;
    if (roll < 0.65)
      return { ...schema, fields: [...others, { ...first, name: 'z', aliases: [first.name] }] };
    const { default: _, ...plain } = first as typeof first & { default?: unknown };
    return { ...schema, fields: [{ ...plain, type: this.changed(first.type) }, ...others] };
  }

  #type(depth: number): Schema {
    const roll = this.#random();
    if (depth > 3 || roll < 0.4) return this.#pick(primitives);
    if (roll < 0.5) return { type: 'array', items: this.#type(depth + 1) };
    if (roll < 0.58) return { type: 'map', values: this.#type(depth + 1) };
    if (roll < 0.68)
      return this.#union(
        [this.#type(depth + 1), this.#type(depth + 1), this.#type(depth + 1)].slice(
          0,
          1 + Math.floor(this.#random() * 3),
        ),
      );
    const name = `${roll < 0.76 ? 'E' : roll < 0.84 ? 'F' : 'R'}${depth}`;
    if (this.#names.has(name)) return name;
    this.#names.add(name);
    if (roll < 0.76) return this.#enum(name);
    if (roll < 0.84) return { type: 'fixed', name, size: this.#pick([1, 2]) };
    const count = Math.floor(this.#random() * 4);
    const fields = fieldNames.slice(0, count).map((each) => this.#field(each, this.#fieldType(name, depth)));
    return { type: 'record', name, fields };
  }

  #fieldType(name: string, depth: number): Schema {
    return this.#random() < 0.15 ? ['null', name] : this.#type(depth + 1);
  }

  #field(name: string, type: Schema): { name: string; type: Schema; default?: unknown } {
    const fallback: unknown = typeof type === 'string' ? defaults[type] : undefined;
    return fallback === undefined || this.#random() < 0.5
      ? { name, type }
      : { name, type, default: fallback };
  }

  #enum(name: string): Schema {
    const chosen = symbols.filter(() => this.#random() < 0.6);
    const held = chosen.length === 0 ? symbols.slice(0, 1) : chosen;
    const schema = { type: 'enum', name, symbols: held };
    return this.#random() < 0.3 ? { ...schema, default: held[0] } : schema;
  }

  /** Without what a union may not hold. */
  #union(branches: readonly Schema[]): Schema {
    const seen = new Set<string>();
    return branches.filter((branch) => {
      if (isUnion(branch)) return false;
      const named = branch as { type: string; name?: string };
      const identity = typeof branch === 'string' ? branch : (named.name ?? named.type);
      const isNew = !seen.has(identity);
      seen.add(identity);
      return isNew;
    });
  }

  #pick<Value>(values: readonly Value[]): Value {
    return values[Math.floor(this.#random() * values.length)] as Value;
  }
}

const distinct = (value: Schema, index: number, all: readonly Schema[]): boolean =>
  all.indexOf(value) === index;

const defaults: Readonly<Record<string, unknown>> = {
  boolean: false,
  int: 1,
  long: 1,
  float: 1.5,
  double: 1.5,
  string: 'x',
  bytes: 'x',
};
