import { refHasSiblings } from './drafts.ts';
import { below, isObject, own, type Resources, type SchemaObject, subschemasOf } from './resources.ts';

/** A reference to a document that is not part of the schema. */
export interface ForeignReference {
  readonly schema: SchemaObject;
  readonly keyword: string;
  /** The whole address, with its fragment. */
  readonly uri: string;
}

const definitionKeywords: readonly unknown[] = ['$defs', 'definitions'];

/**
 * What a schema leans on beyond itself; definitions count only when something refers to them.
 * @throws FactlineError SCHEMA_INVALID for references that name nothing
 */
export const foreignReferences = (resources: Resources): ForeignReference[] => {
  const found: ForeignReference[] = [];
  const seen = new Set<SchemaObject>();
  const open = [resources.root, ...resources.dynamicAnchors()];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const location = resources.at(next);
    const { schema, pointer, base } = location;
    if (!isObject(schema) || seen.has(schema)) continue;
    seen.add(schema);
    for (const keyword of ['$ref', '$dynamicRef', '$recursiveRef']) {
      const reference = own(schema, keyword);
      if (typeof reference !== 'string') continue;
      const uri = resources.foreign(reference, location);
      if (uri !== undefined) found.push({ schema, keyword, uri });
      const target =
        uri === undefined ? resources.resolve(reference, location, below(pointer, keyword)) : undefined;
      if (target !== undefined) open.push(target);
    }
    if (own(schema, '$ref') !== undefined && !refHasSiblings(resources.draft)) continue;
    for (const { schema: inner, names } of subschemasOf(schema))
      if (!definitionKeywords.includes(names[0]))
        open.push({ schema: inner, pointer: below(pointer, ...names), base });
  }
  return found;
};
