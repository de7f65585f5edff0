import { allTypes, type Formula, jsonTypes, typeBits } from './formula.ts';

const masks = new WeakMap<Formula, number>();

/** The types of which a formula may accept values. Remembered: parts are shared, so that walking them anew could take for ever. */
export const maskOf = (formula: Formula): number => {
  switch (formula.kind) {
    case 'types':
      return formula.mask;
    case 'values':
      return formula.holds ? formula.mask : allTypes;
    case 'all':
    case 'some':
    case 'one': {
      const known = masks.get(formula);
      if (known !== undefined) return known;
      const mask =
        formula.kind === 'all'
          ? formula.parts.reduce((sum, part) => sum & maskOf(part), allTypes)
          : formula.parts.reduce((sum, part) => sum | maskOf(part), 0);
      masks.set(formula, mask);
      return mask;
    }
    default:
      return allTypes;
  }
};

/** The names of a mask's types, for people. */
export const typeNames = (mask: number): string[] =>
  jsonTypes.filter((type) => (typeBits[type] & mask) !== 0);
