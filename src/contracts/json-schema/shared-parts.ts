import { isObject, own, type Resources, type SchemaObject, subschemasOf } from './resources.ts';

/** The new version of a schema, in which what stands as in the old one, at the same place, is the old one's very object. */
export const sharing = (old: unknown, after: unknown): unknown => {
  if (old === after || typeof old !== 'object' || typeof after !== 'object') return after;
  if (old === null || after === null || Array.isArray(old) !== Array.isArray(after)) return after;
  const before = old as SchemaObject;
  const names = Object.keys(after);
  const parts = names.map((name) => sharing(own(before, name), (after as SchemaObject)[name]));
  const isKept = (name: string, index: number): boolean =>
    Object.hasOwn(old, name) && before[name] === parts[index];
  if (names.length === Object.keys(old).length && names.every(isKept)) return old;
  return Array.isArray(after) ? parts : Object.fromEntries(names.map((name, index) => [name, parts[index]]));
};

/** Subschemas inside each other that are looked through. */
const depthMax = 150;

const dynamicReferences = ['$dynamicRef', '$recursiveRef'];

/**
 * Which subschemas two versions of a schema have in common, and mean the same in both: what they refer to is common as well. Nothing
 * is said of those that lead back into themselves.
 */
export class SharedParts {
  readonly #old: Resources;
  readonly #new: Resources;
  readonly #shared = new Map<SchemaObject, boolean>();
  #depth = 0;

  constructor(old: Resources, after: Resources) {
    this.#old = old;
    this.#new = after;
  }

  has(schema: SchemaObject): boolean {
    const known = this.#shared.get(schema);
    if (known !== undefined) return known;
    this.#shared.set(schema, false);
    const isShared = this.#attempted(schema);
    this.#shared.set(schema, isShared);
    return isShared;
  }

  #attempted(schema: SchemaObject): boolean {
    this.#depth += 1;
    try {
      return this.#depth <= depthMax && this.#isShared(schema);
    } catch {
      // A reference leads nowhere; it is refused when it is read, and not all that stands in a schema is.
      return false;
    } finally {
      this.#depth -= 1;
    }
  }

  #isShared(schema: SchemaObject): boolean {
    if (this.#old.draft !== this.#new.draft) return false;
    const [before, now] = [this.#old.known(schema), this.#new.known(schema)];
    if (before === undefined || now === undefined) return false;
    if (dynamicReferences.some((keyword) => Object.hasOwn(schema, keyword))) return false;
    const reference = own(schema, '$ref');
    if (typeof reference === 'string') {
      const [target, other] = [
        this.#old.resolve(reference, before, before.pointer),
        this.#new.resolve(reference, now, now.pointer),
      ];
      if (target?.schema !== other?.schema || (isObject(target?.schema) && !this.has(target.schema)))
        return false;
    }
    for (const { schema: inner } of subschemasOf(schema))
      if (isObject(inner) && !this.has(inner)) return false;
    return true;
  }
}
