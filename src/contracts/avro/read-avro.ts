import { FactlineError } from '../../foundation/index.ts';
import { describeValue } from '../payload-check.ts';
import {
  type AvroEnum,
  type AvroField,
  type AvroFixed,
  type AvroNamed,
  type AvroNamedType,
  type AvroPrimitive,
  type AvroRecord,
  type AvroType,
  type AvroUnion,
  avroPrimitives,
} from './avro-type.ts';
import { fitsDefault } from './fits-default.ts';
import { readLogicalType } from './read-logical-type.ts';

const namePattern = /^[A-Za-z_][A-Za-z0-9_]*$/;
const depthMax = 500;
const sortOrders: readonly unknown[] = [undefined, 'ascending', 'descending', 'ignore'];

type JsonObject = Readonly<Record<string, unknown>>;

/** Where the reader stands: for names and for messages. */
interface Place {
  /** As people find it: `Order.lines.items`. */
  readonly path: string;
  readonly namespace: string;
  readonly depth: number;
}

/**
 * Reads a parsed Avro schema strictly: what the specification forbids is refused, also where libraries let it pass.
 * @param side names the schema in errors: `old`
 * @throws FactlineError SCHEMA_INVALID
 */
export const readAvro = (schema: unknown, side: string): AvroType => new AvroReader(side).read(schema);

class AvroReader {
  readonly #side: string;
  readonly #named = new Map<string, AvroNamedType>();
  readonly #defaults: { readonly path: string; readonly field: AvroField }[] = [];

  constructor(side: string) {
    this.#side = side;
  }

  read(schema: unknown): AvroType {
    const type = this.#type(schema, { path: '', namespace: '', depth: 0 });
    for (const { path, field } of this.#defaults) {
      if (!fitsDefault(field.type, field.default)) {
        throw this.#invalid(
          path,
          `the default ${describeValue(field.default)} is not a value of the field's type`,
        );
      }
    }
    return type;
  }

  #type(schema: unknown, place: Place): AvroType {
    if (place.depth > depthMax)
      throw this.#invalid(place.path, `it is nested deeper than ${depthMax} levels`);
    if (typeof schema === 'string') return this.#reference(schema, place);
    if (Array.isArray(schema)) return this.#union(schema, place);
    if (!isObject(schema)) throw this.#invalid(place.path, `expected a type, got ${describeValue(schema)}`);
    const type = own(schema, 'type');
    if (typeof type !== 'string')
      throw this.#invalid(place.path, `expected a type's name, got ${describeValue(type)}`);
    if (avroPrimitives.has(type)) {
      const logical = readLogicalType(schema, type);
      return { kind: type as AvroPrimitive, ...(logical && { logical }) };
    }
    switch (type) {
      case 'array':
        return { kind: 'array', items: this.#type(own(schema, 'items'), inside(place, 'items')) };
      case 'map':
        return { kind: 'map', values: this.#type(own(schema, 'values'), inside(place, 'values')) };
      case 'record':
      case 'error':
        return this.#record(schema, place);
      case 'enum':
        return this.#enum(schema, place);
      case 'fixed':
        return this.#fixed(schema, place);
      default:
        return this.#reference(type, place);
    }
  }

  #reference(name: string, { path, namespace }: Place): AvroType {
    if (avroPrimitives.has(name)) return { kind: name as AvroPrimitive };
    const qualified = name.includes('.') || namespace === '' ? name : `${namespace}.${name}`;
    const found = this.#named.get(qualified) ?? this.#named.get(name);
    if (found === undefined)
      throw this.#invalid(path, `the type ${describeValue(name)} is not defined before this place`);
    return found;
  }

  #union(schemas: readonly unknown[], place: Place): AvroUnion {
    const branches = schemas.map((schema, index) => this.#type(schema, inside(place, String(index))));
    const seen = new Set<string>();
    for (const branch of branches) {
      if (branch.kind === 'union') throw this.#invalid(place.path, 'a union stands directly in a union');
      const identity = 'name' in branch ? branch.name : branch.kind;
      if (seen.has(identity)) throw this.#invalid(place.path, `the union holds ${identity} twice`);
      seen.add(identity);
    }
    return { kind: 'union', branches };
  }

  #record(schema: JsonObject, place: Place): AvroRecord {
    const { named, namespace } = this.#name(schema, place);
    const { name } = named;
    const fields = new Map<string, AvroField>();
    const record: AvroRecord = { kind: 'record', ...named, fields };
    this.#define(record);
    const declared = own(schema, 'fields');
    if (!Array.isArray(declared))
      throw this.#invalid(name, `expected a list of fields, got ${describeValue(declared)}`);
    for (const each of declared) {
      const field = this.#field(each, { path: name, namespace, depth: place.depth + 1 });
      if (fields.has(field.name)) throw this.#invalid(name, `it has two fields called ${field.name}`);
      fields.set(field.name, field);
    }
    return record;
  }

  #field(schema: unknown, place: Place): AvroField {
    if (!isObject(schema)) throw this.#invalid(place.path, `expected a field, got ${describeValue(schema)}`);
    const name = own(schema, 'name');
    if (!isName(name)) throw this.#invalid(place.path, `${describeValue(name)} is not a field's name`);
    const here = inside(place, name);
    if (!sortOrders.includes(own(schema, 'order'))) throw this.#invalid(here.path, 'order is unknown');
    const aliases = this.#strings(own(schema, 'aliases') ?? [], here.path, 'aliases');
    const field = {
      name,
      type: this.#type(own(schema, 'type'), here),
      aliases,
      default: own(schema, 'default'),
    };
    if (field.default !== undefined) this.#defaults.push({ path: here.path, field });
    return field;
  }

  #enum(schema: JsonObject, place: Place): AvroEnum {
    const { named } = this.#name(schema, place);
    const { name } = named;
    const symbols = this.#strings(own(schema, 'symbols'), name, 'symbols');
    const wrong = symbols.find((symbol) => !namePattern.test(symbol));
    if (wrong !== undefined) throw this.#invalid(name, `${describeValue(wrong)} is not a symbol's name`);
    const distinct = new Set(symbols);
    if (distinct.size < symbols.length) throw this.#invalid(name, 'it holds a symbol twice');
    const fallback = own(schema, 'default') ?? undefined;
    if (fallback !== undefined && !(typeof fallback === 'string' && distinct.has(fallback))) {
      throw this.#invalid(name, `the default ${describeValue(fallback)} is not one of the symbols`);
    }
    const type: AvroEnum = {
      kind: 'enum',
      ...named,
      symbols: distinct,
      ...(fallback !== undefined && { default: fallback }),
    };
    return this.#define(type);
  }

  #fixed(schema: JsonObject, place: Place): AvroFixed {
    const { named } = this.#name(schema, place);
    const { name } = named;
    const size = own(schema, 'size');
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
      throw this.#invalid(name, `expected a size in bytes, got ${describeValue(size)}`);
    }
    const logical = readLogicalType(schema, 'fixed', size);
    return this.#define({ kind: 'fixed', ...named, size, ...(logical && { logical }) });
  }

  /** A name with a dot is a full one; else the schema's own namespace counts, then the one it stands in. */
  #name(schema: JsonObject, place: Place): { readonly named: AvroNamed; readonly namespace: string } {
    const given = own(schema, 'name');
    if (typeof given !== 'string') throw this.#invalid(place.path, `${String(schema['type'])} has no name`);
    const declared = own(schema, 'namespace') ?? place.namespace;
    if (typeof declared !== 'string')
      throw this.#invalid(place.path, `${describeValue(declared)} is not a namespace`);
    const dot = given.lastIndexOf('.');
    const namespace = dot < 0 ? declared : given.slice(0, dot);
    const name = qualify(given, namespace);
    if (!isQualified(name) || avroPrimitives.has(name))
      throw this.#invalid(place.path, `${describeValue(name)} is not a name`);
    const aliases = this.#strings(own(schema, 'aliases') ?? [], name, 'aliases');
    const shortName = given.slice(dot + 1);
    return {
      named: { name, shortName, aliases: aliases.map((alias) => qualify(alias, namespace)) },
      namespace,
    };
  }

  #define<Type extends AvroNamedType>(type: Type): Type {
    if (this.#named.has(type.name)) throw this.#invalid(type.name, 'it is defined twice');
    this.#named.set(type.name, type);
    return type;
  }

  #strings(value: unknown, path: string, what: string): string[] {
    if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value;
    throw this.#invalid(path, `expected ${what} as a list of text, got ${describeValue(value)}`);
  }

  #invalid(path: string, reason: string): FactlineError {
    const details = { format: 'avro', side: this.#side, path: path === '' ? '(root)' : path, reason };
    return new FactlineError('SCHEMA_INVALID', details);
  }
}

const inside = ({ path, namespace, depth }: Place, step: string): Place => ({
  path: path === '' ? step : `${path}.${step}`,
  namespace,
  depth: depth + 1,
});

const qualify = (name: string, namespace: string): string =>
  name.includes('.') || namespace === '' ? name : `${namespace}.${name}`;

const isName = (value: unknown): value is string => typeof value === 'string' && namePattern.test(value);
const isQualified = (name: string): boolean => name.split('.').every(isName);

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A member of the schema itself, never of Object.prototype. */
const own = (schema: JsonObject, name: string): unknown =>
  Object.hasOwn(schema, name) ? schema[name] : undefined;
