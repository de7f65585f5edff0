import { Ajv, type Options } from 'ajv';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { Ajv2020 } from 'ajv/dist/2020.js';
import ajvDraft04 from 'ajv-draft-04';
import { fullFormats } from 'ajv-formats/dist/formats.js';
import type { Json } from '../../foundation/index.ts';
import { RecentlyUsed } from '../recently-used.ts';
import { DividedSchema, type SchemaPart } from './divided-schema.ts';
import { type JsonSchemaDraft, refHasSiblings } from './drafts.ts';
import { isObject, type SchemaObject } from './resources.ts';

type Validator = InstanceType<typeof Ajv>;

type Validate = (document: Json) => unknown;

/** A validator keeps a little of each schema that it compiled, so it is replaced now and then. */
const compilationsMax = 100;

const validators = new Map<string, { readonly validator: Validator; compilations: number }>();

/** What is to be compiled, and how. */
interface Judged {
  readonly schema: unknown;
  readonly draft: JsonSchemaDraft;
  readonly assertFormats: boolean;
}

const optionsFor = (draft: JsonSchemaDraft, assertFormats: boolean): Options => ({
  strict: false,
  logger: false,
  meta: false,
  validateSchema: false,
  messages: false,
  // A schema judges a handful of documents: compiling it is what takes the time.
  code: { optimize: false },
  // Code that is the same for other names and values is compiled only once by the engine below.
  loopRequired: 0,
  loopEnum: 0,
  validateFormats: assertFormats,
  formats: assertFormats ? fullFormats : {},
  ignoreKeywordsWithRef: !refHasSiblings(draft),
  // Members named like those of every object are members only when they are the document's own.
  ownProperties: true,
  // Decimals: 0.3 is a multiple of 0.1.
  multipleOfPrecision: 9,
});

const create = (draft: JsonSchemaDraft, assertFormats: boolean): Validator => {
  const options = optionsFor(draft, assertFormats);
  switch (draft) {
    case '2020-12':
      return new Ajv2020(options);
    case '2019-09':
      return new Ajv2019(options);
    case 'draft-04':
      return new ajvDraft04.default(options);
    default:
      return new Ajv(options);
  }
};

const validatorFor = (draft: JsonSchemaDraft, assertFormats: boolean): Validator => {
  const key = `${draft} ${assertFormats}`;
  const known = validators.get(key);
  const kept =
    known !== undefined && known.compilations < compilationsMax
      ? known
      : { validator: create(draft, assertFormats), compilations: 0 };
  kept.compilations += 1;
  validators.set(key, kept);
  return kept.validator;
};

const compile = ({ schema, draft, assertFormats }: Judged): Validate => {
  if (!isObject(schema)) return () => schema === true;
  const validator = validatorFor(draft, assertFormats);
  const { $schema: _, ...own } = schema;
  const validate = validator.compile(own);
  // Another schema may have the same `$id`.
  validator.removeSchema();
  return validate;
};

/** Parts by their text. Events of one house are made of the same few kinds of fields. */
const compiledParts = new RecentlyUsed<Validate>(1_000);
const textLengthMax = 4_000;

const compiledPart = (part: Judged): Validate => {
  const key = `${part.draft} ${part.assertFormats} ${JSON.stringify(part.schema)}`;
  const validate = compiledParts.get(key) ?? attempted(part);
  if (key.length <= textLengthMax) compiledParts.keep(key, validate);
  return validate;
};

/** What Ajv can't compile it need not try again. */
const attempted = (part: Judged): Validate => {
  try {
    return compile(part);
  } catch (error) {
    return () => {
      throw error;
    };
  }
};

/** Keywords that mean the same whatever stands beside them, from draft-06 on. */
const literalKeywords: ReadonlySet<string> = new Set([
  'const',
  'enum',
  'exclusiveMaximum',
  'exclusiveMinimum',
  'maxItems',
  'maxLength',
  'maxProperties',
  'maximum',
  'minItems',
  'minLength',
  'minProperties',
  'minimum',
  'multipleOf',
  'pattern',
  'required',
  'uniqueItems',
]);

const literalValidators = new Map<
  string,
  (data: { readonly value: Json; readonly said: unknown }) => unknown
>();

/** What Ajv says about one keyword. It is compiled once for all schemas: what they say is handed over with the value. */
const acceptsLiteral = (keyword: string, said: unknown, value: Json): boolean => {
  let validate = literalValidators.get(keyword);
  if (validate === undefined) {
    const validator = new Ajv2020({ ...optionsFor('2020-12', false), $data: true });
    validate = validator.compile({ properties: { value: { [keyword]: { $data: '1/said' } } } });
    literalValidators.set(keyword, validate);
  }
  return validate({ value, said }) === true;
};

/** One part, taken apart for Ajv. */
interface PreparedPart {
  readonly literals: readonly (readonly [keyword: string, said: unknown])[];
  readonly others: Validate | undefined;
}

const prepared = (judged: Judged): PreparedPart => {
  const keywords = Object.entries(judged.schema as Readonly<Record<string, unknown>>);
  const isLiteral = ([keyword]: readonly [string, unknown]): boolean =>
    judged.draft !== 'draft-04' && literalKeywords.has(keyword);
  const others = Object.fromEntries(keywords.filter((keyword) => !isLiteral(keyword)));
  return {
    literals: keywords.filter(isLiteral),
    others: Object.keys(others).length === 0 ? undefined : compiledPart({ ...judged, schema: others }),
  };
};

/** Ajv's word on whether a schema accepts documents. It is asked about parts, and about the whole where the schema can't be divided. */
export class Judge {
  readonly #judged: Judged;
  readonly #isBearable: () => boolean;
  readonly #parts = new Map<SchemaPart, PreparedPart>();
  #divided: DividedSchema | undefined;
  #whole: Validate | undefined;

  /** `isBearable`: whether a schema would not keep Ajv busy for too long as a whole. */
  constructor(judged: Judged, isBearable: () => boolean) {
    this.#judged = judged;
    this.#isBearable = isBearable;
    const { schema, draft } = judged;
    if (isObject(schema))
      this.#divided = new DividedSchema(schema, draft, (part, value) => this.#acceptsPart(part, value));
  }

  /** Of parts that mean the same in another version of the schema, Ajv is asked once for both. */
  relate(version: Judge, isShared: (part: SchemaObject) => boolean): void {
    if (version.#divided !== undefined) this.#divided?.relate(version.#divided, isShared);
  }

  /** Says which documents will be asked about. */
  concern(documents: readonly Json[]): void {
    this.#divided?.concern(documents);
  }

  /** Undefined when Ajv can't work with the schema, or not on this document. */
  accepts(document: Json): boolean | undefined {
    try {
      const verdict = this.#divided?.accepts(document);
      if (verdict !== undefined) return verdict;
      this.#divided = undefined;
    } catch {
      // As a whole it may still be asked about.
    }
    try {
      return this.#isBearable() ? this.#asWhole(document) : undefined;
    } catch {
      return undefined;
    }
  }

  #acceptsPart(part: SchemaPart, value: Json): boolean {
    if (part.isRecurring && !this.#isBearable()) throw new Unbearable();
    const { literals, others } = this.#parts.get(part) ?? prepared({ ...this.#judged, schema: part.schema });
    this.#parts.set(part, { literals, others });
    return (
      literals.every(([keyword, said]) => acceptsLiteral(keyword, said, value)) &&
      (others === undefined || others(value) === true)
    );
  }

  #asWhole(document: Json): boolean {
    this.#whole ??= attempted(this.#judged);
    return this.#whole(document) === true;
  }
}

class Unbearable {}
