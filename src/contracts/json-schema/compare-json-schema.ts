import type { Json } from '../../foundation/index.ts';
import type { Change, CompareDirection, ComparePolicy, Comparison } from '../compare/comparison.ts';
import { accepts } from './accepts.ts';
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
import { SharedParts, sharing } from './shared-parts.ts';
import { Solver } from './solver.ts';
import { unfoldedSize } from './unfolding.ts';

export interface JsonSchemas {
  /** Parsed JSON: an object or a boolean. */
  readonly old: unknown;
  readonly new: unknown;
  readonly policy: ComparePolicy;
  /** Overrides what `$schema` says. */
  readonly draft?: JsonSchemaDraft | undefined;
  /** Whether the validator in use refuses texts that break their `format`. Default: false, as 2020-12 has it. */
  readonly assertFormats?: boolean | undefined;
  /** What messages call the old schema. Default: old. */
  readonly oldSide?: string | undefined;
}

export interface JsonSchemaRequest extends JsonSchemas {
  readonly direction: CompareDirection;
}

/** One of the two schemas, read. */
interface Side {
  readonly resources: Resources;
  readonly reader: SchemaReader;
  readonly formula: Formula;
  readonly judge: Judge;
  /** What it has in common with the version that was read before it. */
  readonly shared: SharedParts | undefined;
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
export const compareJsonSchema = (request: JsonSchemaRequest): Comparison =>
  new JsonSchemaPair(request).compare(request.direction);

/** Two schemas, read once for both directions: what is found out for the one is told in the other as well. */
export class JsonSchemaPair {
  readonly #formulas = new Formulas();
  readonly #solver = new Solver(this.#formulas);
  readonly #old: Side;
  readonly #new: Side;
  readonly #lenient: boolean;
  readonly #assertFormats: boolean;
  readonly #differences = new Map<string, readonly Difference[]>();

  /** @throws FactlineError SCHEMA_INVALID */
  constructor({ old, new: after, policy, draft, assertFormats = false, oldSide = 'old' }: JsonSchemas) {
    this.#lenient = policy === 'lenient';
    this.#assertFormats = assertFormats && !this.#lenient;
    const options = { formulas: this.#formulas, assertFormats: this.#assertFormats, draft };
    this.#old = readSide(old, { ...options, name: oldSide });
    const shared = sharing(old, after);
    this.#new =
      shared === old ? this.#old : readSide(shared, { ...options, name: 'new', version: this.#old });
  }

  compare(direction: CompareDirection): Comparison {
    const backward = direction === 'backward';
    const differences = this.#between(direction, this.#lenient);
    const words: Wording = {
      backward,
      tightening: backward,
      breaking: true,
      witnesses: this.#witnesses(differences, backward),
    };
    const breaking = differences.map((difference) => changeOf(difference, words));
    const overlooked = this.#lenient ? this.#between(direction, false) : [];
    const opposite = this.#between(backward ? 'forward' : 'backward', false);
    return {
      compatible: breaking.length === 0,
      changes: distinct([
        ...breaking,
        ...overlooked.map((difference) => changeOf(difference, { ...words, breaking: false })),
        ...opposite.map((difference) =>
          changeOf(difference, { ...words, tightening: !backward, breaking: false }),
        ),
        ...annotationChanges({
          old: this.#old.resources,
          new: this.#new.resources,
          shared: this.#new.shared,
          assertFormats: this.#assertFormats,
          backward,
        }),
      ]),
    };
  }

  #sides(backward: boolean): [writer: Side, reader: Side] {
    return backward ? [this.#old, this.#new] : [this.#new, this.#old];
  }

  #between(direction: CompareDirection, lenient: boolean): readonly Difference[] {
    const key = `${direction} ${lenient}`;
    const backward = direction === 'backward';
    const [writer, reader] = this.#sides(backward);
    const found =
      this.#differences.get(key) ??
      new Differences({
        formulas: this.#formulas,
        solver: this.#solver,
        writer: writer.formula,
        reader: reader.formula,
        lenient,
        tightening: backward,
      }).all();
    this.#differences.set(key, found);
    return found;
  }

  /** The documents of which both our own judgement and Ajv's say that the writer may write them and the reader refuses them. */
  #witnesses(differences: readonly Difference[], backward: boolean): ReadonlySet<Json> {
    const [writer, reader] = this.#sides(backward);
    const options = { known: this.#solver.verdicts };
    const documents = new Set<Json>();
    for (const { found } of differences)
      if (
        found.kind === 'value' &&
        accepts(found.value, writer.formula, options) === true &&
        accepts(found.value, reader.formula, options) === false
      )
        documents.add(found.value);
    for (const { judge } of [writer, reader]) judge.concern([...documents]);
    for (const document of documents)
      if (writer.judge.accepts(document) !== true || reader.judge.accepts(document) !== false)
        documents.delete(document);
    return documents;
  }
}

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
  /** Another version, of which this one shares what both have. */
  readonly version?: Side;
}

const readSide = (
  schema: unknown,
  { name, formulas, assertFormats, draft: wanted, version }: ReadOptions,
): Side => {
  const refuse = refusing(name);
  const draft = draftOf(schema, wanted);
  const resources = new Resources(schema, draft, refuse);
  const shared = version === undefined ? undefined : new SharedParts(version.resources, resources);
  const reader = new SchemaReader({
    formulas,
    resources,
    refuse,
    assertFormats,
    name,
    known: (part) => (shared?.has(part) === true ? version?.reader.formulaOf(part) : undefined),
  });
  const formula = reader.read();
  const judge = judgeOf(resources, assertFormats);
  if (version !== undefined) judge.relate(version.judge, (part) => shared?.has(part) === true);
  return { resources, reader, formula, judge, shared };
};

const judgeOf = (resources: Resources, assertFormats: boolean): Judge => {
  const { count, draft, root } = resources;
  let bearable: boolean | undefined;
  return new Judge({ schema: root.schema, draft, assertFormats }, () => {
    bearable ??= count <= limits.compiledSubschemas && unfoldedSize(resources) <= limits.unfoldedSubschemas;
    return bearable;
  });
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
