import type { Json } from '../../foundation/index.ts';
import { accepts, Verdicts } from './accepts.ts';
import { Conjunction } from './conjunction.ts';
import {
  type Formula,
  type JsonType,
  jsonTypes,
  type Literal,
  type One,
  type Some,
  subjectOf,
  typeBits,
  type Values,
} from './formula.ts';
import type { Formulas } from './formulas.ts';
import { limits } from './limits.ts';
import { maskOf } from './masks.ts';
import { findArray } from './value-set/arrays.ts';
import { excludes } from './value-set/excluded.ts';
import { empty, type Found, outOfTime, type Search, unknown, valueFound } from './value-set/found.ts';
import { findNumber } from './value-set/numbers.ts';
import { findObject } from './value-set/objects.ts';
import { findString } from './value-set/strings.ts';

const tooDeep = unknown('the schemas are nested too deeply');

/** Literals and branchings that take about as long as the rest of a step. */
const partsPerStep = 16;

/**
 * Finds a value that a formula accepts, or proves that there is none.
 *
 * Branchings are not multiplied out. A value is built for the literals alone; a branching that it fails is split, and only that one,
 * so that a tagged union of fifty branches costs what its matching branch costs.
 *
 * Recursion: while a formula is looked into, it is assumed to be empty where it comes up again, since values are finite. What was
 * found empty under such an assumption is *provisional* until the assumed formula is itself found empty; if a value is found
 * instead, everything provisional that was found meanwhile is forgotten and decided anew.
 *
 *     asked ──► open ──► empty, on nobody's assumption ──────────────► final
 *                  ├───► empty, assuming an outer one ──► provisional ──► final, with the outer one
 *                  │                                          └────────► forgotten, when the outer one has a value
 *                  └───► a value (always final), or not known
 */
export class Solver implements Search {
  readonly formulas: Formulas;
  readonly verdicts = new Verdicts();
  readonly #final = new Map<Formula, Found>();
  /** Found empty under an assumption, in the order of time, with the depth of the outermost formula that was assumed to be. */
  readonly #provisional = new Map<Formula, number>();
  readonly #trail: Formula[] = [];
  /** Formulas that are being looked into, with their depth. */
  readonly #open = new Map<Formula, number>();
  /** The outermost open formula that was assumed to be empty since the innermost was opened. */
  #assumed = Number.POSITIVE_INFINITY;
  #steps = 0;
  #weighing = false;

  constructor(formulas: Formulas) {
    this.formulas = formulas;
  }

  /** What may be spent on the next questions. `weighing`: a step in a large schema counts as several. */
  allow(steps: number, { weighing = false } = {}): void {
    this.#steps = steps;
    this.#weighing = weighing;
  }

  get isSpent(): boolean {
    return this.#steps < 0;
  }

  find = (formula: Formula): Found => {
    const final = this.#final.get(formula);
    if (final !== undefined) return final;
    const assumedAt = this.#open.get(formula) ?? this.#provisional.get(formula);
    if (assumedAt !== undefined) {
      this.#assumed = Math.min(this.#assumed, assumedAt);
      return empty;
    }
    if (this.#open.size >= limits.depth) return tooDeep;
    return this.#open.size === 0 ? this.#outermost(formula) : this.#openFormula(formula);
  };

  /** Where the stack ends before the depth does, nothing that was assumed on the way may stay. */
  #outermost(formula: Formula): Found {
    try {
      return this.#openFormula(formula);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#open.clear();
      this.#forget(0);
      this.#assumed = Number.POSITIVE_INFINITY;
      return tooDeep;
    }
  }

  #openFormula(formula: Formula): Found {
    const depth = this.#open.size;
    const since = this.#trail.length;
    const assumedOutside = this.#assumed;
    this.#assumed = Number.POSITIVE_INFINITY;
    this.#open.set(formula, depth);
    const conjunction = new Conjunction(this.formulas);
    conjunction.add(formula);
    const found = this.#solve(conjunction);
    this.#open.delete(formula);
    if (found.kind !== 'empty') {
      this.#forget(since);
      if (found.kind === 'value' || this.#steps > 0) this.#final.set(formula, found);
    } else if (this.#assumed >= depth) this.#settle(formula, since);
    else this.#keepProvisional(formula, since);
    const assumedInside =
      found.kind === 'empty' && this.#assumed < depth ? this.#assumed : Number.POSITIVE_INFINITY;
    this.#assumed = Math.min(assumedOutside, assumedInside);
    return found;
  }

  #forget(since: number): void {
    for (const other of this.#trail.splice(since)) this.#provisional.delete(other);
  }

  #settle(formula: Formula, since: number): void {
    this.#final.set(formula, empty);
    for (const other of this.#trail.slice(since)) this.#final.set(other, empty);
    this.#forget(since);
  }

  #keepProvisional(formula: Formula, since: number): void {
    this.#trail.push(formula);
    for (const other of this.#trail.slice(since))
      this.#provisional.set(other, Math.min(this.#provisional.get(other) ?? this.#assumed, this.#assumed));
  }

  #solve(conjunction: Conjunction): Found {
    const set = conjunction.literals.find((literal) => literal.kind === 'values' && literal.holds);
    if (set !== undefined) return this.#solveFinite(conjunction, set as Values);
    let doubt: Found | undefined;
    for (const type of jsonTypes) {
      if ((conjunction.mask & typeBits[type]) === 0) continue;
      const found = this.#solveType(type, conjunction);
      if (found.kind === 'value') return found;
      if (found.kind === 'unknown') doubt ??= found;
    }
    return doubt ?? empty;
  }

  /** Every value of a finite set is tried. What can't be judged by a value may still contradict itself as it is written. */
  #solveFinite(conjunction: Conjunction, { values, mask: types }: Values): Found {
    const { added, mask, pending } = conjunction;
    if ((mask & types) === 0) return empty;
    const isContradiction = (branching: Some | One): boolean =>
      branching.parts.every((part) => conjunction.rulesOut(part));
    let doubt: Found | undefined;
    for (const value of values.values()) {
      const verdicts = added.map((formula) => accepts(value, formula, { known: this.verdicts }));
      if (!verdicts.includes(false)) {
        if (!verdicts.includes(undefined)) return valueFound(value);
        doubt = unknown('a value of an enum could not be decided');
      }
    }
    return doubt === undefined || pending.some(isContradiction) ? empty : doubt;
  }

  #solveType(type: JsonType, conjunction: Conjunction): Found {
    const { literals, pending } = conjunction;
    this.#steps -= this.#weighing ? 1 + (literals.length + pending.length) / partsPerStep : 1;
    if (this.isSpent) return outOfTime;
    const judging = { overlooking: true, known: this.verdicts };
    const candidate = this.#build(type, literals);
    if (candidate.kind === 'empty') return empty;
    const failed =
      candidate.kind === 'value'
        ? pending.filter((branching) => accepts(candidate.value, branching, judging) !== true)
        : pending;
    const [first, ...others] = failed;
    if (first !== undefined) {
      const narrowest = others.reduce(
        (best, next) => (next.parts.length < best.parts.length ? next : best),
        first,
      );
      return this.#split(type, conjunction, narrowest);
    }
    return conjunction.opaque === undefined ? candidate : unknown(conjunction.opaque);
  }

  #split(type: JsonType, conjunction: Conjunction, branching: Some | One): Found {
    let doubt: Found | undefined;
    for (const part of branching.parts) {
      if ((maskOf(part) & typeBits[type]) === 0 || conjunction.rulesOut(part)) continue;
      const next = conjunction.with(this.#branch(branching, part), branching);
      next.mask &= typeBits[type];
      if (next.mask === 0) continue;
      const found = this.#solve(next);
      if (found.kind === 'value') return found;
      if (found.kind === 'unknown') doubt ??= found;
    }
    return doubt ?? empty;
  }

  /** Of `one`, a branch is chosen by leaving all others out, its own double included. */
  #branch(branching: Some | One, part: Formula): Formula {
    if (branching.kind === 'some') return part;
    const others = branching.parts.toSpliced(branching.parts.indexOf(part), 1);
    return this.formulas.all([part, ...others.map((other) => this.formulas.not(other))]);
  }

  #build(type: JsonType, literals: readonly Literal[]): Found {
    const bit = typeBits[type];
    const own = literals.filter(({ kind }) => kind === 'values' || subjectOf(kind) === bit);
    switch (type) {
      case 'null':
        return oneOf([null], own);
      case 'boolean':
        return oneOf([true, false], own);
      case 'number':
        return findNumber(own);
      case 'string':
        return findString(own);
      case 'array':
        return findArray(own, this);
      case 'object':
        return findObject(own, this);
    }
  }
}

const oneOf = (values: readonly Json[], literals: readonly Literal[]): Found => {
  const value = values.find((candidate) => !excludes(literals, candidate));
  return value === undefined ? empty : valueFound(value);
};
