import { isDeepStrictEqual } from 'node:util';
import type { Json } from '../../foundation/index.ts';
import type { Change, CompareDirection, ComparePolicy, Comparison } from '../compare/comparison.ts';
import { accepts, type Verdicts } from './accepts.ts';
import { annotationChanges } from './annotations.ts';
import { Judge } from './confirm.ts';
import { type Difference, Differences } from './differences.ts';
import { draftOf, type JsonSchemaDraft } from './drafts.ts';
import type { Formula } from './formula.ts';
import { Formulas } from './formulas.ts';
import { limits } from './limits.ts';
import { Resources, refusing } from './resources.ts';
import { rules, wording } from './rules.ts';
import { SchemaReader } from './schema-reader.ts';
import { Solver } from './solver.ts';
import { unfoldedSize } from './unfolding.ts';

export interface JsonSchemaRequest {
  /** Parsed JSON: an object or a boolean. */
  readonly old: unknown;
  readonly new: unknown;
  readonly direction: CompareDirection;
  readonly policy: ComparePolicy;
  /** Overrides what `$schema` says. */
  readonly draft?: JsonSchemaDraft | undefined;
  /** Whether the validator in use refuses texts that break their `format`. Default: false, as 2020-12 has it. */
  readonly assertFormats?: boolean | undefined;
  /** What messages call the old schema. Default: old. */
  readonly oldSide?: string | undefined;
}

/** One of the two schemas, read. */
interface Side {
  readonly resources: Resources;
  readonly formula: Formula;
  readonly assertFormats: boolean;
}

/**
 * Decides whether everything that the writing schema accepts is accepted by the reading one: `backward`, the old one writes and the
 * new one reads; `forward`, the reverse. Compatible is proved. A break carries a document as its witness, checked with Ajv, where
 * one was found; what can't be decided breaks under the rule `not-proved`.
 * @throws FactlineError SCHEMA_INVALID
 * @example
 * compareJsonSchema({ old: { type: 'number' }, new: { type: 'integer' }, direction: 'backward', policy: 'strict' })
 * // { compatible: false, changes: [{ rule: 'type-narrowed', path: '', witness: 0.5, … }] }
 */
export const compareJsonSchema = (request: JsonSchemaRequest): Comparison => {
  const { direction, policy } = request;
  const lenient = policy === 'lenient';
  const assertFormats = request.assertFormats === true && !lenient;
  const formulas = new Formulas();
  const read = (schema: unknown, name: string): Side =>
    readSide(schema, { name, formulas, assertFormats, draft: request.draft });
  const old = read(request.old, request.oldSide ?? 'old');
  const after = isDeepStrictEqual(request.old, request.new) ? old : read(request.new, 'new');
  const backward = direction === 'backward';
  const [writer, reader] = backward ? [old, after] : [after, old];
  const solver = new Solver(formulas);
  const compare = (from: Side, to: Side, leniently: boolean): readonly Difference[] =>
    new Differences({
      formulas,
      solver,
      writer: from.formula,
      reader: to.formula,
      lenient: leniently,
      tightening: to === after,
    }).all();
  const differences = compare(writer, reader, lenient);
  const words: Wording = {
    backward,
    tightening: backward,
    breaking: true,
    witnesses: witnessesOf(differences, { writer, reader, known: solver.verdicts }),
  };
  const breaking = differences.map((difference) => changeOf(difference, words));
  const overlooked = lenient ? compare(writer, reader, false) : [];
  const opposite = compare(reader, writer, false);
  return {
    compatible: breaking.length === 0,
    changes: distinct([
      ...breaking,
      ...overlooked.map((difference) => changeOf(difference, { ...words, breaking: false })),
      ...opposite.map((difference) =>
        changeOf(difference, { ...words, tightening: !backward, breaking: false }),
      ),
      ...annotationChanges({ old: old.resources, new: after.resources, assertFormats, backward }),
    ]),
  };
};

/**
 * Checks that something is a JSON Schema that can be compared.
 * @throws FactlineError SCHEMA_INVALID
 */
export const checkJsonSchema = (schema: unknown, draft?: JsonSchemaDraft, side = 'given'): void => {
  readSide(schema, { name: side, formulas: new Formulas(), assertFormats: false, draft });
};

interface ReadOptions {
  readonly name: string;
  readonly formulas: Formulas;
  readonly assertFormats: boolean;
  readonly draft: JsonSchemaDraft | undefined;
}

const readSide = (schema: unknown, { name, formulas, assertFormats, draft: wanted }: ReadOptions): Side => {
  const refuse = refusing(name);
  const draft = draftOf(schema, wanted);
  const resources = new Resources(schema, draft, refuse);
  const formula = new SchemaReader({ formulas, resources, refuse, assertFormats, name }).read();
  return { resources, formula, assertFormats };
};

const judgeOf = ({ resources, assertFormats }: Side): Judge => {
  const { count, draft, root } = resources;
  let bearable: boolean | undefined;
  return new Judge({ schema: root.schema, draft, assertFormats }, () => {
    bearable ??= count <= limits.compiledSubschemas && unfoldedSize(resources) <= limits.unfoldedSubschemas;
    return bearable;
  });
};

/** The documents of which both our own judgement and Ajv's say that the writer may write them and the reader refuses them. */
const witnessesOf = (
  differences: readonly Difference[],
  { writer, reader, known }: { writer: Side; reader: Side; known: Verdicts },
): ReadonlySet<Json> => {
  const documents = new Set<Json>();
  for (const { found } of differences)
    if (
      found.kind === 'value' &&
      accepts(found.value, writer.formula, { known }) === true &&
      accepts(found.value, reader.formula, { known }) === false
    )
      documents.add(found.value);
  if (documents.size === 0) return documents;
  const [written, read] = [judgeOf(writer), judgeOf(reader)];
  for (const document of documents)
    if (written.accepts(document) !== true || read.accepts(document) !== false) documents.delete(document);
  return documents;
};

interface Wording {
  readonly backward: boolean;
  /** Whether it is the new schema that refuses. */
  readonly tightening: boolean;
  readonly breaking: boolean;
  /** Documents that may be shown. */
  readonly witnesses: ReadonlySet<Json>;
}

const changeOf = (difference: Difference, { backward, tightening, breaking, witnesses }: Wording): Change => {
  const { path, name, written, read, found } = difference;
  const rule = breaking && found.kind === 'unknown' ? 'not-proved' : difference.rule;
  const [before, after] = tightening ? [written, read] : [read, written];
  const reason = found.kind === 'unknown' ? found.reason : undefined;
  const words = { name, old: before, new: after, reason };
  const { message, remedy } = rules[rule] ?? { message: rule, remedy: '' };
  const witness = breaking && found.kind === 'value' && witnesses.has(found.value) ? found.value : undefined;
  return {
    rule,
    path,
    severity: breaking ? 'breaking' : 'info',
    message: wording(message, words),
    ...(before === undefined ? {} : { old: before }),
    ...(after === undefined ? {} : { new: after }),
    ...(breaking ? { breaks: backward ? 'readers of old data' : 'readers of new data', remedy } : {}),
    ...(witness === undefined ? {} : { witness }),
  };
};

/** The first of each rule and path: breaking ones come first. */
const distinct = (changes: readonly Change[]): Change[] => {
  const seen = new Set<string>();
  return changes.filter(({ rule, path, old, new: after }) => {
    const key = JSON.stringify([rule, path, old, after]);
    const isNew = !seen.has(key);
    seen.add(key);
    return isNew;
  });
};
