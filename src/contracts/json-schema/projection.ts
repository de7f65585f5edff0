import { isLetIn } from './accepts.ts';
import type { Formula } from './formula.ts';
import type { Formulas } from './formulas.ts';

/** What a reference stands for; any other formula is itself. */
export const targetOf = (formula: Formula): Formula => {
  let target = formula;
  while (target.kind === 'reference') target = target.target();
  return target;
};

/** The parts that hold together, references followed. */
export const conjunctsOf = (formula: Formula, seen: ReadonlySet<Formula> = new Set()): Formula[] => {
  if (formula.kind === 'reference')
    return seen.has(formula) ? [] : conjunctsOf(formula.target(), new Set([...seen, formula]));
  return formula.kind === 'all' ? formula.parts.flatMap((part) => conjunctsOf(part, seen)) : [formula];
};

/** Branchings inside branchings that are looked through. */
const depthMax = 3;

/** What one literal says about the values inside, if anything. */
type Pick = (part: Formula) => Formula | undefined;

/**
 * What the values inside must fit at least, wherever in a formula that is said. Branchings are joined, so more may be let through
 * than really fits.
 */
const projection = (formulas: Formulas, pick: Pick): ((formula: Formula) => Formula) => {
  const project = (formula: Formula, depth: number): Formula =>
    formulas.all(
      conjunctsOf(formula).flatMap((part) => {
        if (part.kind !== 'some' && part.kind !== 'one') return pick(part) ?? [];
        if (depth >= depthMax) return [];
        return formulas.some(part.parts.map((branch) => project(branch, depth + 1)));
      }),
    );
  return (formula) => project(formula, 0);
};

/** All literals of a formula, those in branches too. */
export function* literalsOf(formula: Formula, depth = 0): Generator<Formula> {
  for (const part of conjunctsOf(formula)) {
    yield part;
    if ((part.kind === 'some' || part.kind === 'one') && depth < depthMax)
      for (const branch of part.parts) yield* literalsOf(branch, depth + 1);
  }
}

export const memberOf = (formulas: Formulas, formula: Formula, name: string): Formula =>
  projection(formulas, (part) => {
    if (part.kind === 'property' && part.name === name) return part.part;
    return part.kind === 'members' && isLetIn(part.guard, name) === true ? part.part : undefined;
  })(formula);

export const itemOf = (formulas: Formulas, formula: Formula, index: number): Formula =>
  projection(formulas, (part) => {
    if (part.kind === 'item' && part.index === index) return part.part;
    return part.kind === 'items-from' && part.from <= index ? part.part : undefined;
  })(formula);

/** What members must fit that nobody names. */
export const otherMemberOf = (formulas: Formulas, formula: Formula): Formula =>
  projection(formulas, (part) =>
    part.kind === 'members' && part.guard.role !== 'names' && part.guard.inside.length === 0
      ? part.part
      : undefined,
  )(formula);

export const declaredNames = (formula: Formula): Set<string> => {
  const names = new Set<string>();
  for (const part of literalsOf(formula)) if (part.kind === 'property' && part.declares) names.add(part.name);
  return names;
};
