import { allTypes, type Formula, type Literal, type One, type Some, subjectOf } from './formula.ts';
import { type Formulas, maskOf } from './formulas.ts';
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

  constructor(formulas: Formulas, from?: Conjunction) {
    this.#formulas = formulas;
    this.#known = new Set(from === undefined ? [] : from.#known);
    this.mask = from?.mask ?? allTypes;
    this.added = [...(from?.added ?? [])];
    this.literals = [...(from?.literals ?? [])];
    this.pending = [...(from?.pending ?? [])];
    this.opaque = from?.opaque;
  }

  add(formula: Formula): void {
    this.added.push(formula);
    this.#add(formula);
  }

  #add(formula: Formula): void {
    if (this.mask === 0 || this.#known.has(formula)) return;
    if (this.#formulas.contradictionsOf(formula).some((other) => this.#known.has(other))) {
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
    const subject = subjectOf(literal.kind);
    if (subject === 0 || (subject & this.mask) !== 0) this.literals.push(literal);
  }

  /** This and one branch of a branching. */
  with(branch: Formula, branching: Some | One): Conjunction {
    const next = new Conjunction(this.#formulas, this);
    next.pending.splice(next.pending.indexOf(branching), 1);
    next.add(branch);
    return next;
  }
}
