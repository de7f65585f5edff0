import type { JsonSchemaDraft } from './drafts.ts';
import type { Formula } from './formula.ts';
import type { Formulas } from './formulas.ts';
import { limits } from './limits.ts';
import { isObject, own, type SchemaObject } from './resources.ts';

type Keyword = 'unevaluatedProperties' | 'unevaluatedItems';

/** One way in which the schemas around an `unevaluated…` keyword can match, and what they then have evaluated. */
export interface Evaluation {
  readonly conditions: readonly Formula[];
  readonly names: readonly string[];
  readonly patterns: readonly string[];
  /** Items from the start. */
  readonly items: number;
  readonly everything: boolean;
}

/** How the schemas around are looked up. */
export interface EvaluationSource<Place extends { readonly schema: SchemaObject }> {
  readonly formulas: Formulas;
  readonly draft: JsonSchemaDraft;
  readonly sub: (
    place: Place,
    schema: unknown,
    names: ReadonlyArray<string | number>,
  ) => { readonly place: Place | undefined; readonly formula: Formula };
  readonly targets: (place: Place) => readonly Place[];
}

const nothing: Evaluation = { conditions: [], names: [], patterns: [], items: 0, everything: false };

const both = (left: Evaluation, right: Evaluation): Evaluation => ({
  conditions: [...left.conditions, ...right.conditions],
  names: [...left.names, ...right.names],
  patterns: [...left.patterns, ...right.patterns],
  items: Math.max(left.items, right.items),
  everything: left.everything || right.everything,
});

/** The cases, which exclude each other and leave none out; undefined when they can't be told or are too many. */
export const evaluationsOf = <Place extends { readonly schema: SchemaObject }>(
  place: Place,
  keyword: Keyword,
  source: EvaluationSource<Place>,
): readonly Evaluation[] | undefined => new Evaluations(keyword, source).of(place, true);

class Evaluations<Place extends { readonly schema: SchemaObject }> {
  readonly #keyword: Keyword;
  readonly #source: EvaluationSource<Place>;
  readonly #open = new Set<SchemaObject>();

  constructor(keyword: Keyword, source: EvaluationSource<Place>) {
    this.#keyword = keyword;
    this.#source = source;
  }

  of(place: Place, isOutermost = false): readonly Evaluation[] | undefined {
    const { schema } = place;
    // Validators differ in which items `contains` evaluates.
    const isVague = this.#keyword === 'unevaluatedItems' && own(schema, 'contains') !== undefined;
    if (isVague || this.#open.has(schema)) return undefined;
    this.#open.add(schema);
    let cases: readonly Evaluation[] | undefined = [ownEvaluation(schema, !isOutermost)];
    for (const alternatives of this.#around(place)) cases = product(cases, alternatives);
    this.#open.delete(schema);
    return cases;
  }

  /** Of each applicator beside the keyword: the cases that it adds. */
  *#around(place: Place): Generator<readonly Evaluation[] | undefined> {
    const { schema } = place;
    for (const target of this.#source.targets(place)) yield this.of(target);
    for (const [index, part] of listOf(schema, 'allOf').entries())
      yield this.#cases(place, part, ['allOf', index]);
    for (const keyword of ['anyOf', 'oneOf'])
      for (const [index, part] of listOf(schema, keyword).entries())
        yield this.#either(place, part, [keyword, index]);
    const dependent = own(schema, 'dependentSchemas');
    for (const [name, part] of isObject(dependent) ? Object.entries(dependent) : []) {
      const { formulas } = this.#source;
      yield alternatives(
        withCondition(this.#cases(place, part, ['dependentSchemas', name]), formulas.required(name)),
        [{ ...nothing, conditions: [formulas.required(name, false)] }],
      );
    }
    if (own(schema, 'if') !== undefined) yield this.#conditional(place);
  }

  #cases(
    place: Place,
    part: unknown,
    names: ReadonlyArray<string | number>,
  ): readonly Evaluation[] | undefined {
    const inner = this.#source.sub(place, part, names).place;
    return inner === undefined ? [nothing] : this.of(inner);
  }

  /** A branch that matches, or does not. */
  #either(
    place: Place,
    part: unknown,
    names: ReadonlyArray<string | number>,
  ): readonly Evaluation[] | undefined {
    const { formula } = this.#source.sub(place, part, names);
    const matching = withCondition(this.#cases(place, part, names), formula);
    if (matching?.every(evaluatesNothing) === true) return [nothing];
    return alternatives(matching, [{ ...nothing, conditions: [this.#source.formulas.not(formula)] }]);
  }

  #conditional(place: Place): readonly Evaluation[] | undefined {
    const { schema } = place;
    const [condition, then, otherwise] = ['if', 'then', 'else'].map((keyword) => own(schema, keyword));
    // Validators differ in whether a condition alone evaluates anything.
    if (then === undefined && otherwise === undefined) return undefined;
    const { formula } = this.#source.sub(place, condition, ['if']);
    const cases = (part: unknown, keyword: string): readonly Evaluation[] | undefined =>
      part === undefined ? [nothing] : this.#cases(place, part, [keyword]);
    const met = product(cases(condition, 'if'), cases(then, 'then'));
    return alternatives(
      withCondition(met, formula),
      withCondition(cases(otherwise, 'else'), this.#source.formulas.not(formula)),
    );
  }
}

const listOf = (schema: SchemaObject, keyword: string): readonly unknown[] => {
  const value = own(schema, keyword);
  return Array.isArray(value) ? value : [];
};

const keysOf = (schema: SchemaObject, keyword: string): string[] => {
  const value = own(schema, keyword);
  return isObject(value) ? Object.keys(value) : [];
};

/** What a schema evaluates by itself; an `unevaluated…` keyword further in has evaluated all there is. */
const ownEvaluation = (schema: SchemaObject, isInner: boolean): Evaluation => {
  const has = (keyword: string): boolean => own(schema, keyword) !== undefined;
  const items = own(schema, 'items');
  const tuple = Array.isArray(items) ? items : listOf(schema, 'prefixItems');
  const allItems =
    (Array.isArray(items) ? has('additionalItems') : has('items')) || (isInner && has('unevaluatedItems'));
  return {
    conditions: [],
    names: keysOf(schema, 'properties'),
    patterns: keysOf(schema, 'patternProperties'),
    items: allItems ? Number.POSITIVE_INFINITY : tuple.length,
    everything: has('additionalProperties') || (isInner && has('unevaluatedProperties')),
  };
};

const evaluatesNothing = ({ names, patterns, items, everything }: Evaluation): boolean =>
  names.length === 0 && patterns.length === 0 && items === 0 && !everything;

const product = (
  left: readonly Evaluation[] | undefined,
  right: readonly Evaluation[] | undefined,
): readonly Evaluation[] | undefined =>
  left === undefined || right === undefined || left.length * right.length > limits.evaluationCases
    ? undefined
    : left.flatMap((one) => right.map((other) => both(one, other)));

const alternatives = (
  left: readonly Evaluation[] | undefined,
  right: readonly Evaluation[] | undefined,
): readonly Evaluation[] | undefined =>
  left === undefined || right === undefined ? undefined : [...left, ...right];

const withCondition = (
  cases: readonly Evaluation[] | undefined,
  condition: Formula,
): readonly Evaluation[] | undefined =>
  cases?.map((one) => ({ ...one, conditions: [condition, ...one.conditions] }));

/** What the keyword then says about everything else. */
export const restOf = (
  formulas: Formulas,
  { names, patterns, items, everything }: Evaluation,
  { keyword, part }: { keyword: Keyword; part: Formula },
): Formula => {
  if (keyword === 'unevaluatedItems')
    return items === Number.POSITIVE_INFINITY ? formulas.any : formulas.itemsFrom(items, part);
  const outside = patterns.map((source) => formulas.matches(source));
  if (everything || outside.includes(formulas.any)) return formulas.any;
  return formulas.members(
    { role: 'unevaluated', except: new Set(names), inside: [], outside: [...new Set(outside)] },
    part,
  );
};
