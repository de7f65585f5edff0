import { isObject, type Location, own, type Resources } from './resources.ts';

const applied = ['allOf', 'anyOf', 'oneOf', 'not', 'if', 'then', 'else'];
const appliedByName = ['dependentSchemas', 'dependencies'];
const depthMax = 500;

/**
 * How many subschemas a validator may apply to one and the same value, with references followed each time they are met, as most
 * validators do. A few dozen definitions that each refer twice to the next are enough to keep one busy for ever.
 */
export const unfoldedSize = (resources: Resources): number => {
  const sizes = new Map<unknown, number>();
  const sizeOf = (unplaced: Location, depth: number): number => {
    const location = resources.at(unplaced);
    const { schema } = location;
    if (!isObject(schema)) return 1;
    if (depth > depthMax) return Number.POSITIVE_INFINITY;
    const known = sizes.get(schema);
    if (known !== undefined) return known;
    sizes.set(schema, 1);
    let size = 1;
    for (const inner of appliedTo(location, resources)) size += sizeOf(inner, depth + 1);
    sizes.set(schema, size);
    return size;
  };
  let largest = 0;
  for (const location of resources.locations()) largest = Math.max(largest, sizeOf(location, 0));
  return largest;
};

function* appliedTo(location: Location, resources: Resources): Generator<Location> {
  const { schema, pointer } = location;
  if (!isObject(schema)) return;
  for (const keyword of ['$ref', '$dynamicRef', '$recursiveRef']) {
    const reference = own(schema, keyword);
    // Definitions that nothing refers to may lean on what is not there.
    const target =
      typeof reference === 'string' && resources.foreign(reference, location) === undefined
        ? resources.resolve(reference, location, pointer)
        : undefined;
    if (target !== undefined) yield target;
  }
  for (const keyword of applied) {
    const value = own(schema, keyword);
    for (const part of Array.isArray(value) ? value : [value]) yield { ...location, schema: part };
  }
  for (const keyword of appliedByName) {
    const value = own(schema, keyword);
    if (isObject(value)) for (const part of Object.values(value)) yield { ...location, schema: part };
  }
}
