import {
  allTypes,
  type Formula,
  type Literal,
  type One,
  type Some,
  subjectOf,
  typeBits,
  type Values,
} from './formula.ts';
import type { Formulas } from './formulas.ts';
import { maskOf } from './masks.ts';
import { expandNot } from './negation.ts';

/**
 * Formulas that must hold together, taken apart into literals and branchings. Contradictions that can be seen at once make the mask
 * of possible types empty.
 */
export class Conjunction {
  readonly #formulas: Formulas;
  readonly #known: Set<Formula>;
  mask: number;
  /** What was added, for judging a value as a whole. */
  readonly added: Formula[];
  readonly literals: Literal[];
  /** Branchings of which no branch was chosen yet. */
  readonly pending: Array<Some | One>;
  /** Why nothing can be said for certain. */
  opaque: string | undefined;
  readonly #required: Set<string>;
  /** Members of which only listed values are allowed, such as the tag of a union's branch. */
  readonly #tags: Map<string, Values>;

  constructor(formulas: Formulas, from?: Conjunction) {
    this.#formulas = formulas;
    this.#known = new Set(from === undefined ? [] : from.#known);
    this.mask = from?.mask ?? allTypes;
    this.added = [...(from?.added ?? [])];
    this.literals = [...(from?.literals ?? [])];
    this.pending = [...(from?.pending ?? [])];
    this.opaque = from?.opaque;
    this.#required = new Set(from === undefined ? [] : from.#required);
    this.#tags = new Map(from === undefined ? [] : from.#tags);
  }

  add(formula: Formula): void {
    this.added.push(formula);
    this.#add(formula);
  }

  #add(formula: Formula): void {
    if (this.mask === 0 || this.#known.has(formula)) return;
    for (const other of this.#formulas.contradictionsOf(formula))
      if (this.#known.has(other)) {
        this.mask = 0;
        return;
      }
    this.#known.add(formula);
    switch (formula.kind) {
      case 'all':
        for (const part of formula.parts) this.#add(part);
        return;
      case 'some':
        if (!formula.parts.some((part) => this.#known.has(part))) this.pending.push(formula);
        this.mask &= maskOf(formula);
        return;
      case 'one':
        this.pending.push(formula);
        this.mask &= maskOf(formula);
        return;
      case 'not':
        this.#add(expandNot(this.#formulas, formula));
        return;
      case 'reference':
        this.#add(formula.target());
        return;
      case 'opaque':
        this.opaque = formula.reason;
        return;
      default:
        this.#addLiteral(formula);
    }
  }

  #addLiteral(literal: Literal): void {
    if (literal.kind === 'types') this.mask &= literal.mask;
    else if (literal.kind === 'values' && literal.holds) this.mask &= literal.mask;
    if (literal.kind === 'required' && literal.holds) this.#required.add(literal.name);
    const tag = tagOf(literal);
    if (tag !== undefined) this.#tags.set(tag.name, tag.values);
    const subject = subjectOf(literal.kind);
    if (subject === 0 || (subject & this.mask) !== 0) this.literals.push(literal);
  }

  /**
   * Whether a branch can be seen to contradict this: by its types, or by a required member with another tag. Only spares work; what is
   * overlooked here is found out when a value is built.
   */
  rulesOut(branch: Formula): boolean {
    if ((this.mask & maskOf(branch)) === 0) return true;
    if (this.#formulas.contradictionsOf(branch).some((other) => this.#known.has(other))) return true;
    if ((this.mask & maskOf(branch)) !== typeBits.object || branch.kind !== 'all') return false;
    return branch.parts.some((part) => {
      const tag = tagOf(part);
      const other = tag === undefined ? undefined : this.#tags.get(tag.name);
      if (tag === undefined || other === undefined) return false;
      const { name, values } = tag;
      const isThere = (known: Formula): boolean =>
        known.kind === 'required' && known.holds && known.name === name;
      if (!this.#required.has(name) && !branch.parts.some(isThere)) return false;
      return ![...values.values.keys()].some((key) => other.values.has(key));
    });
  }

  /** This and one branch of a branching. */
  with(branch: Formula, branching: Some | One): Conjunction {
    const next = new Conjunction(this.#formulas, this);
    next.pending.splice(next.pending.indexOf(branching), 1);
    next.add(branch);
    return next;
  }
}

const tagOf = (part: Formula): { name: string; values: Values } | undefined => {
  if (part.kind !== 'property') return undefined;
  const { name, part: values } = part;
  return values.kind === 'values' && values.holds ? { name, values } : undefined;
};
