import { type Formula, typeBits, type Values } from './formula.ts';
import { maskOf } from './masks.ts';

/** Whether no value fits two of the branches, as far as types tell, and the tags of objects. */
export const areApart = (branches: readonly Formula[]): boolean => {
  const objects = branches.filter((branch) => maskOf(branch) === typeBits.object);
  let seen = objects.length > 0 ? typeBits.object : 0;
  for (const branch of branches) {
    const mask = maskOf(branch);
    if (mask === typeBits.object) continue;
    if ((seen & mask) !== 0) return false;
    seen |= mask;
  }
  return objects.length <= 1 || haveTagsOfTheirOwn(objects);
};

/** Whether there is a name under which each of the objects must have a member, with values that no other one allows. */
const haveTagsOfTheirOwn = ([first, ...others]: readonly Formula[]): boolean => {
  const tags = others.map(tagsOf);
  for (const [name, values] of first === undefined ? [] : tagsOf(first)) {
    const all = [values, ...tags.map((branch) => branch.get(name))];
    const keys = new Set(all.flatMap((set) => [...(set?.values.keys() ?? [])]));
    if (
      all.every((set) => set !== undefined) &&
      keys.size === all.reduce((sum, set) => sum + set.values.size, 0)
    )
      return true;
  }
  return false;
};

/** The members that must be there and have one of some listed values. */
const tagsOf = (branch: Formula): ReadonlyMap<string, Values> => {
  const tags = new Map<string, Values>();
  if (branch.kind !== 'all') return tags;
  for (const part of branch.parts)
    if (part.kind === 'property' && part.part.kind === 'values' && part.part.holds)
      tags.set(part.name, part.part);
  for (const name of tags.keys())
    if (!branch.parts.some((part) => part.kind === 'required' && part.holds && part.name === name))
      tags.delete(name);
  return tags;
};
