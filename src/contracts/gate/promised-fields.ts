import type { LockedSchema } from './lock.ts';
import { isObject } from './lock-shape.ts';
import type { Promised } from './promised.ts';
import { promiseInProtobuf } from './promised-protobuf.ts';
import { resolveReference } from './resolve-reference.ts';

/** Reference chains of hostile schemas end here, and branches that multiply. */
const depthMax = 64;
const stepsMax = 10_000;

/** What a producer promises about a dotted path. Lists are looked into: `lines.price` is the price of every line. */
export const promiseOf = async ({ format, output }: LockedSchema, path: string): Promise<Promised> => {
  const fields = path.split('.');
  if (format === 'json-schema')
    return inJsonSchema({ root: output, depth: 0, steps: { left: stepsMax } }, output, fields);
  if (format === 'avro') return inAvro({ types: namedTypes(output), depth: 0 }, output, fields);
  return promiseInProtobuf(output, fields);
};

interface Search {
  readonly root: unknown;
  readonly depth: number;
  /** Shared by the whole search. */
  readonly steps: { left: number };
}

/** The weakest of several that all apply somewhere. */
const either = (promises: readonly Promised[]): Promised => {
  if (promises.every((promise) => promise === promises[0])) return promises[0] ?? 'unknown';
  return promises.includes('unknown') ? 'unknown' : 'sometimes';
};

/** The strongest of several that all hold. */
const all = (promises: readonly Promised[]): Promised =>
  (['always', 'sometimes', 'unknown'] as const).find((promise) => promises.includes(promise)) ?? 'never';

const inJsonSchema = (search: Search, schema: unknown, fields: readonly string[]): Promised => {
  const [field, ...rest] = fields;
  if (field === undefined) return 'always';
  search.steps.left -= 1;
  if (search.depth > depthMax || search.steps.left < 0) return 'unknown';
  if (!isObject(schema)) return schema === false ? 'never' : 'unknown';
  const deeper = { ...search, depth: search.depth + 1 };
  const found: Promised[] = [inProperties(deeper, schema, fields)];
  if (typeof schema['$ref'] === 'string')
    found.push(inJsonSchema(deeper, resolveReference(search.root, schema['$ref']), fields));
  for (const name of ['allOf', 'anyOf', 'oneOf'] as const) {
    const branches = schema[name];
    if (!Array.isArray(branches)) continue;
    const promises = branches
      .filter((branch) => !(isObject(branch) && branch['type'] === 'null'))
      .map((branch) => inJsonSchema(deeper, branch, fields));
    found.push(name === 'allOf' ? all(promises) : either(promises));
  }
  for (const name of ['items', 'prefixItems'] as const) {
    const items = schema[name];
    const parts = Array.isArray(items) ? items : isObject(items) ? [items] : [];
    // A number names a place in the list and not a field.
    const below = /^\d+$/.test(field) ? rest : fields;
    if (parts.length > 0) found.push(either(parts.map((part) => inJsonSchema(deeper, part, below))));
  }
  return all(found);
};

const inProperties = (
  search: Search,
  schema: Readonly<Record<string, unknown>>,
  fields: readonly string[],
): Promised => {
  const [field = '', ...rest] = fields;
  const properties = schema['properties'];
  if (isObject(properties) && Object.hasOwn(properties, field)) {
    const below = inJsonSchema(search, properties[field], rest);
    const required = Array.isArray(schema['required']) && schema['required'].includes(field);
    return below === 'always' && !required ? 'sometimes' : below;
  }
  const others = schema['additionalProperties'] ?? schema['unevaluatedProperties'];
  if (isObject(others) && Object.keys(others).length > 0) {
    const below = inJsonSchema(search, others, rest);
    return below === 'always' ? 'sometimes' : below;
  }
  return isObject(schema['patternProperties']) ? 'unknown' : 'never';
};

type NamedTypes = ReadonlyMap<string, unknown>;

const namedTypes = (schema: unknown, found: Map<string, unknown> = new Map()): NamedTypes => {
  if (Array.isArray(schema)) for (const branch of schema) namedTypes(branch, found);
  if (!isObject(schema)) return found;
  if (typeof schema['name'] === 'string' && schema['type'] === 'record') found.set(schema['name'], schema);
  for (const name of ['type', 'items', 'values'] as const)
    if (typeof schema[name] === 'object') namedTypes(schema[name], found);
  if (Array.isArray(schema['fields']))
    for (const field of schema['fields']) if (isObject(field)) namedTypes(field['type'], found);
  return found;
};

interface AvroSearch {
  readonly types: NamedTypes;
  readonly depth: number;
}

const inAvro = (search: AvroSearch, schema: unknown, fields: readonly string[]): Promised => {
  const [field, ...rest] = fields;
  if (field === undefined) return 'always';
  if (search.depth > depthMax) return 'unknown';
  const { types } = search;
  const deeper = { types, depth: search.depth + 1 };
  if (typeof schema === 'string') {
    const named = types.get(schema) ?? types.get(schema.split('.').at(-1) ?? '');
    return named === undefined ? 'never' : inAvro(deeper, named, fields);
  }
  if (Array.isArray(schema)) {
    const branches = schema.filter((branch) => branch !== 'null');
    return either(branches.map((branch) => inAvro(deeper, branch, fields)));
  }
  if (!isObject(schema)) return 'unknown';
  if (schema['type'] === 'array') return inAvro(deeper, schema['items'], /^\d+$/.test(field) ? rest : fields);
  if (schema['type'] === 'map') return inAvro(deeper, schema['values'], rest);
  if (schema['type'] !== 'record') return inAvro(deeper, schema['type'], fields);
  const members = Array.isArray(schema['fields']) ? schema['fields'] : [];
  const member = members.find((each) => isObject(each) && each['name'] === field);
  return isObject(member) ? inAvro(deeper, member['type'], rest) : 'never';
};
