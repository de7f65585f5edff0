import { canonicalJson, type Json } from '../../../foundation/index.ts';
import type { Literal } from '../formula.ts';

/** Whether one of the literals rules out just this value. */
export const excludes = (literals: readonly Literal[], value: Json): boolean => {
  const sets = literals.filter((literal) => literal.kind === 'values' && !literal.holds);
  if (sets.length === 0) return false;
  const key = canonicalJson(value);
  return sets.some((set) => set.kind === 'values' && set.values.has(key));
};
