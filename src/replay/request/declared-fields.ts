import { contractSchemas, type EventContract } from '../../contracts/index.ts';
import { FactlineError } from '../../foundation/index.ts';

type Schema = Readonly<Record<string, unknown>>;

const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A schema and everything it stands for: what it refers to, what it is put together from, the items of a list. */
function* alternatives(schema: unknown, root: Schema, depth = 0): Generator<Schema> {
  if (!isSchema(schema) || depth > 16) return;
  yield schema;
  const { $ref: reference, items } = schema;
  const parts: unknown[] = ['anyOf', 'oneOf', 'allOf'].flatMap(
    (name) => (schema[name] as unknown[] | undefined) ?? [],
  );
  if (typeof reference === 'string') parts.push(referred(root, reference));
  if (items !== undefined) parts.push(items);
  for (const part of parts) yield* alternatives(part, root, depth + 1);
}

const referred = (root: Schema, reference: string): unknown => {
  const names = reference
    .replace(/^#\/?/, '')
    .split('/')
    .filter((name) => name !== '');
  return names.reduce<unknown>(
    (at, name) => (isSchema(at) ? at[name.replaceAll('~1', '/').replaceAll('~0', '~')] : undefined),
    root,
  );
};

const declares = (root: Schema, path: string): boolean => {
  let at: readonly unknown[] = [root];
  for (const name of path.split('.')) {
    at = at.flatMap((schema) =>
      [...alternatives(schema, root)].flatMap(({ properties, additionalProperties }) => {
        if (isSchema(properties) && Object.hasOwn(properties, name)) return [properties[name]];
        return isSchema(additionalProperties) ? [additionalProperties] : [];
      }),
    );
    if (at.length === 0) return false;
  }
  return true;
};

/** One is the other, or stands inside of it. */
const touches = (a: string, b: string): boolean => a === b || a.startsWith(`${b}.`) || b.startsWith(`${a}.`);

/**
 * A selection may only look at fields that each of its contracts declares, and not at what tells about a person: counting
 * what matches would tell it to whoever may not read it.
 * @throws FactlineError REPLAY_FIELD_REFUSED
 */
export const assertSelectable = (contract: EventContract, field: string): void => {
  const refuse = (why: string, instead: string): FactlineError =>
    new FactlineError('REPLAY_FIELD_REFUSED', { field, type: contract.type, why, instead });
  const sensitive = Object.keys(contract.sensitivity).find((path) => touches(path, field));
  if (sensitive !== undefined)
    throw refuse(`the contract declares ${sensitive} as sensitive`, 'Select by key instead: --key.');
  const [encoding] = contractSchemas(contract).encodings;
  if (encoding?.format !== 'json-schema' || !isSchema(encoding.output))
    throw refuse('its fields are not known as JSON Schema', 'Select by key, type or position instead.');
  if (!declares(encoding.output, field))
    throw refuse(
      'its contract does not declare the field',
      'Correct the path, or name only types that have it: --type.',
    );
};
