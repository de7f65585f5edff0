import { FactlineError } from '../../foundation/index.ts';
import { draftNamedBy, draftOf, type JsonSchemaDraft, refHasSiblings } from './drafts.ts';
import { foreignReferences } from './foreign-references.ts';
import {
  isObject,
  isSchema,
  own,
  Resources,
  refusing,
  type SchemaObject,
  withoutFragment,
} from './resources.ts';

/** A document as it was found. */
export interface FoundDocument {
  /** JSON. */
  readonly text: string;
  /** Where it was found, redirects followed: what its references start from, unless it names itself. */
  readonly url: string;
}

interface EmbedOptions {
  /** Overrides what `$schema` says. */
  readonly draft: JsonSchemaDraft | undefined;
  /** What errors call the schema. */
  readonly side: string;
  readonly find: (address: string) => Promise<FoundDocument>;
}

const documentsMax = 100;

/**
 * The schema with every document that it leans on among its definitions, each a resource under its name.
 * @throws FactlineError SCHEMA_INVALID, SCHEMA_FETCH_FAILED, and what `find` throws
 */
export const embedDocuments = async (
  schema: unknown,
  { draft: wanted, side, find }: EmbedOptions,
): Promise<unknown> => {
  const draft = draftOf(schema, wanted);
  const refuse = refusing(side);
  if (!isObject(schema) || foreignReferences(new Resources(schema, draft, refuse)).length === 0)
    return schema;
  const bundle = new Bundle(structuredClone(schema), { draft, isDraftSaid: wanted !== undefined });
  for (;;) {
    const resources = new Resources(bundle.schema, draft, refuse);
    const references = foreignReferences(resources);
    if (references.length === 0) return bundle.schema;
    for (const { schema: part, keyword, uri } of references) {
      const address = withoutFragment(uri);
      const name = bundle.nameAt(address) ?? bundle.embed(address, await find(address), resources);
      // A document that names itself otherwise than its address is known by its name. All of this is a copy.
      if (name !== address) (part as Record<string, unknown>)[keyword] = name + uri.slice(address.length);
    }
  }
};

interface BundleOptions {
  readonly draft: JsonSchemaDraft;
  /** Whoever asked said which draft it is: what documents say does not count. */
  readonly isDraftSaid: boolean;
}

class Bundle {
  readonly schema: SchemaObject;
  readonly #options: BundleOptions;
  readonly #definitions: Record<string, unknown>;
  readonly #names = new Map<string, string>();
  readonly #texts = new Map<string, string>();

  constructor(schema: SchemaObject, options: BundleOptions) {
    const given = own(schema, '$defs');
    this.#definitions = isObject(given) ? { ...given } : {};
    this.schema = { ...schema, $defs: this.#definitions };
    this.#options = options;
  }

  nameAt(address: string): string | undefined {
    return this.#names.get(address);
  }

  /** Returns the document's name. */
  embed(address: string, { text, url }: FoundDocument, known: Resources): string {
    if (this.#names.size === documentsMax)
      throw unusable(address, `a schema may lean on ${documentsMax} documents, and this is one more`);
    const { draft, isDraftSaid } = this.#options;
    const document = JSON.parse(text) as unknown;
    if (!isSchema(document))
      throw unusable(address, 'it is no JSON Schema, which is an object, true or false');
    const said = draftNamedBy(document);
    if (!isDraftSaid && said !== undefined && said !== draft)
      throw unusable(
        address,
        `it is written for ${said}, and what leans on it is read by ${draft}; name one draft for all of it (\`--draft\`)`,
      );
    const name = nameOf(document, url, draft);
    const other = this.#texts.get(name);
    if (other === undefined ? known.has(name) : other !== text)
      throw unusable(address, `it calls itself ${name}, as another schema does`);
    this.#names.set(address, name);
    if (other !== undefined) return name;
    this.#texts.set(name, text);
    let key = name;
    while (Object.hasOwn(this.#definitions, key)) key += '#';
    this.#definitions[key] = named(document, name, draft);
    return name;
  }
}

const unusable = (url: string, reason: string): FactlineError =>
  new FactlineError('SCHEMA_FETCH_FAILED', { url, reason });

/** Before 2019-09 nothing counts beside `$ref`, not even the name. */
const isOnlyReference = (document: SchemaObject, draft: JsonSchemaDraft): boolean =>
  own(document, '$ref') !== undefined && !refHasSiblings(draft);

const nameOf = (document: unknown, url: string, draft: JsonSchemaDraft): string => {
  const place = withoutFragment(url);
  if (!isObject(document) || isOnlyReference(document, draft)) return place;
  const id = own(document, '$id') ?? (draft === 'draft-04' ? own(document, 'id') : undefined);
  return typeof id === 'string' && URL.canParse(id, place) ? withoutFragment(new URL(id, place).href) : place;
};

/** The document as a resource of this name. */
const named = (document: unknown, name: string, draft: JsonSchemaDraft): SchemaObject => {
  const identifier = { [draft === 'draft-04' ? 'id' : '$id']: name };
  if (!isObject(document)) return document === true ? identifier : { ...identifier, not: {} };
  if (!isOnlyReference(document, draft)) {
    const { $id: _, ...others } = document;
    return { ...others, ...identifier };
  }
  const { $ref, $defs = {}, definitions = {} } = document;
  return { ...identifier, allOf: [{ $ref }], $defs, definitions };
};
