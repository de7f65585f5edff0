import type { Json } from '../../../foundation/index.ts';
import type { Verdicts } from '../accepts.ts';
import type { Formula } from '../formula.ts';
import type { Formulas } from '../formulas.ts';

/** The three answers to the question for a value. `empty` is proved. */
export type Found =
  | { readonly kind: 'value'; readonly value: Json }
  | { readonly kind: 'empty' }
  | { readonly kind: 'unknown'; readonly reason: string };

/** What the sets of one type ask about the values inside. */
export interface Search {
  readonly formulas: Formulas;
  readonly find: (formula: Formula) => Found;
  /** What formulas said about the values that were found so far. */
  readonly verdicts: Verdicts;
}

export const empty: Found = { kind: 'empty' };

export const valueFound = (value: Json): Found => ({ kind: 'value', value });

export const unknown = (reason: string): Found => ({ kind: 'unknown', reason });

export const outOfTime: Found = unknown('it would take too long');
