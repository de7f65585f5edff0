import { Ajv, type Options } from 'ajv';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { Ajv2020 } from 'ajv/dist/2020.js';
import ajvDraft04 from 'ajv-draft-04';
import { fullFormats } from 'ajv-formats/dist/formats.js';
import type { Json } from '../../foundation/index.ts';
import { type JsonSchemaDraft, refHasSiblings } from './drafts.ts';
import { isObject } from './resources.ts';

/** Says whether a schema accepts a document; undefined when the validator can't work with the schema. */
export type Judge = (document: Json) => boolean | undefined;

type Validator = InstanceType<typeof Ajv>;

/** A validator keeps a little of each schema that it compiled, so it is replaced now and then. */
const compilationsMax = 100;

const validators = new Map<string, { readonly validator: Validator; compilations: number }>();

const optionsFor = (draft: JsonSchemaDraft, assertFormats: boolean): Options => ({
  strict: false,
  logger: false,
  meta: false,
  validateSchema: false,
  messages: false,
  // A schema judges a handful of documents: compiling it is what takes the time.
  code: { optimize: false },
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

/** Ajv as the judge of a schema, compiled when the first document comes. */
export const judgeOf = (schema: unknown, draft: JsonSchemaDraft, assertFormats: boolean): Judge => {
  let validate: ((document: Json) => unknown) | undefined;
  let isUnusable = false;
  return (document) => {
    if (isUnusable) return undefined;
    try {
      validate ??= compile(schema, draft, assertFormats);
      return validate(document) === true;
    } catch {
      isUnusable = true;
      return undefined;
    }
  };
};

const compile = (
  schema: unknown,
  draft: JsonSchemaDraft,
  assertFormats: boolean,
): ((document: Json) => unknown) => {
  if (!isObject(schema)) return () => schema === true;
  const validator = validatorFor(draft, assertFormats);
  const { $schema: _, ...own } = schema;
  const validate = validator.compile(own);
  // Another schema may have the same `$id`.
  validator.removeSchema();
  return validate;
};
