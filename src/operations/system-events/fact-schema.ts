import type { StandardJSONSchemaV1, StandardSchemaV1 } from '@standard-schema/spec';

/** What a field of a fact may hold; `?` behind it: or null. */
type Form = 'text' | 'number' | 'text?' | 'number?';

type ValueOf<F extends Form> = F extends 'text'
  ? string
  : F extends 'number'
    ? number
    : F extends 'text?'
      ? string | null
      : number | null;

export type FactOf<Fields extends Readonly<Record<string, Form>>> = {
  readonly [Name in keyof Fields]: ValueOf<Fields[Name]>;
};

type FactSchema<T> = StandardSchemaV1<T, T> & {
  readonly '~standard': StandardJSONSchemaV1.Props<T, T>;
};

/**
 * The schema of a fact of Factline's own: flat, every field there. Further fields of later releases are let through. Its own, so that
 * nobody's app depends on a schema library for them.
 */
export const factSchema = <const Fields extends Readonly<Record<string, Form>>>(
  fields: Fields,
): FactSchema<FactOf<Fields>> => {
  const jsonSchema = {
    type: 'object',
    properties: Object.fromEntries(Object.entries(fields).map(([name, form]) => [name, jsonType(form)])),
    required: Object.keys(fields),
  };
  const convert = (): Record<string, unknown> => structuredClone(jsonSchema);
  return {
    '~standard': {
      version: 1,
      vendor: 'factline',
      validate: (payload) => {
        const issues = faults(fields, payload);
        return issues.length > 0 ? { issues } : { value: payload as FactOf<Fields> };
      },
      jsonSchema: { input: convert, output: convert },
    },
  };
};

const jsonType = (form: Form): Readonly<Record<string, unknown>> => {
  const type = form.startsWith('text') ? 'string' : 'number';
  return { type: form.endsWith('?') ? [type, 'null'] : type };
};

const faults = (fields: Readonly<Record<string, Form>>, payload: unknown): StandardSchemaV1.Issue[] => {
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload))
    return [{ message: 'expected an object' }];
  return Object.entries(fields).flatMap(([name, form]) => {
    const value = (payload as Readonly<Record<string, unknown>>)[name];
    const right = typeof value === (form.startsWith('text') ? 'string' : 'number');
    if (right || (value === null && form.endsWith('?'))) return [];
    return [{ path: [name], message: `expected a ${form}` }];
  });
};
