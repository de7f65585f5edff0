import type { Json } from '../../../foundation/index.ts';
import { accepts } from '../accepts.ts';
import type { ArrayLiteral, Formula, Literal } from '../formula.ts';
import { limits } from '../limits.ts';
import { excludes } from './excluded.ts';
import { empty, type Found, type Search, unknown, valueFound } from './found.ts';

type Contains = ArrayLiteral & { kind: 'contains' };

/** What an array's literals say, put together. */
interface Arrays {
  readonly literals: readonly Literal[];
  readonly least: number;
  /** Takes into account where no item can stand. */
  readonly most: number;
  /** From here on all places are alike. */
  readonly alike: number;
  readonly contains: readonly Contains[];
  readonly unique: boolean;
  readonly repeating: boolean;
  readonly itemAt: (index: number) => Formula;
}

/** An array that fits all the literals. */
export const findArray = (literals: readonly Literal[], search: Search): Found => {
  if (!areItemsDeclared(literals)) return empty;
  const arrays = arraysOf(literals, search);
  const { least, most, unique, repeating } = arrays;
  if (least > most || (repeating && (unique || most < 2))) return empty;
  const impossible = arrays.contains.find(
    (contains) => contains.least > 0 && !hasPlace(arrays, contains, search),
  );
  if (impossible !== undefined || containsTooMany(arrays, search)) return empty;
  for (let index = 0; index < Math.min(least, arrays.alike + 1); index += 1)
    if (search.find(arrays.itemAt(index)).kind === 'empty') return empty;
  if (least > limits.members) return unknown('the arrays are very long');
  return repeating ? findRepeating(arrays, search) : build(arrays, search);
};

/** The policy `lenient` asks for items about which the other schema says something. */
const areItemsDeclared = (literals: readonly Literal[]): boolean =>
  literals.every(
    (wanted) =>
      wanted.kind !== 'declared-item' ||
      literals.some(
        (literal) =>
          (literal.kind === 'item' && literal.declares && literal.index === wanted.index) ||
          (literal.kind === 'items-from' && literal.from <= wanted.index),
      ),
  );

const arraysOf = (literals: readonly Literal[], search: Search): Arrays => {
  let [least, most, alike] = [0, Number.POSITIVE_INFINITY, 0];
  for (const literal of literals) {
    if (literal.kind === 'min-items') least = Math.max(least, literal.limit);
    if (literal.kind === 'max-items') most = Math.min(most, literal.limit);
    if (literal.kind === 'item') alike = Math.max(alike, literal.index + 1);
    if (literal.kind === 'items-from' || literal.kind === 'contains') alike = Math.max(alike, literal.from);
  }
  const itemAt = (index: number): Formula =>
    search.formulas.all(
      literals.flatMap((literal) => {
        const applies =
          (literal.kind === 'item' && literal.index === index) ||
          (literal.kind === 'items-from' && literal.from <= index);
        return applies ? [literal.part] : [];
      }),
    );
  for (let index = 0; index <= alike && index < most; index += 1)
    if (search.find(itemAt(index)).kind === 'empty') most = index;
  const holds = (wanted: boolean): boolean =>
    literals.some((literal) => literal.kind === 'unique' && literal.holds === wanted);
  const contains = literals.filter((literal) => literal.kind === 'contains');
  return { literals, least, most, alike, contains, unique: holds(true), repeating: holds(false), itemAt };
};

/** Places at which items differ in kind, and one more for all that follow. */
const placesOf = ({ alike, most }: Arrays, from: number): number[] => {
  const places: number[] = [];
  for (let index = from; index <= Math.max(alike, from) && index < most; index += 1) places.push(index);
  return places;
};

const hasPlace = (arrays: Arrays, { from, part }: Contains, search: Search): boolean =>
  placesOf(arrays, from).some(
    (index) => search.find(search.formulas.all([arrays.itemAt(index), part])).kind !== 'empty',
  );

/** Whether more items of a kind must be there than may be of a wider kind. */
const containsTooMany = ({ contains }: Arrays, { formulas, find }: Search): boolean =>
  contains.some((wanted) =>
    contains.some(
      (limited) =>
        wanted.least > limited.most &&
        wanted.from >= limited.from &&
        find(formulas.all([wanted.part, formulas.not(limited.part)])).kind === 'empty',
    ),
  );

interface Building {
  readonly items: Map<number, Formula>;
  length: number;
}

/** Puts down what must be contained, fills up the rest, and looks whether it came out right. */
const build = (arrays: Arrays, search: Search): Found => {
  const building: Building = { items: new Map(), length: arrays.least };
  for (const contains of arrays.contains)
    if (!place(arrays, building, { contains, search }))
      return unknown('no array was found that contains what it must');
  const items: Json[] = [];
  for (let index = 0; index < building.length; index += 1) {
    const found = itemFor(arrays, { index, wanted: building.items.get(index), before: items, search });
    if (found.kind === 'value') items.push(found.value);
    else
      return unknown(
        found.kind === 'unknown' ? found.reason : 'no array was found with so many different items',
      );
  }
  if (excludes(arrays.literals, items)) return another(arrays, items, search);
  const uncertain = arrays.contains.length > 0 || arrays.unique;
  return !uncertain || isFine(arrays, items, search)
    ? valueFound(items)
    : unknown('no array was found that contains what it must');
};

/** Gives one `contains` its items: at places that are there, and then at new ones. */
const place = (
  arrays: Arrays,
  building: Building,
  { contains, search }: { contains: Contains; search: Search },
): boolean => {
  let missing = contains.least;
  const last = Math.min(
    arrays.most,
    Math.max(building.length, contains.from, arrays.alike) + missing + 1,
    limits.members,
  );
  for (let index = contains.from; index < last && missing > 0; index += 1) {
    const wanted = search.formulas.all([building.items.get(index) ?? arrays.itemAt(index), contains.part]);
    if (search.find(wanted).kind !== 'value') continue;
    building.items.set(index, wanted);
    building.length = Math.max(building.length, index + 1);
    missing -= 1;
  }
  return missing <= 0;
};

interface ItemWish {
  readonly index: number;
  readonly wanted: Formula | undefined;
  readonly before: readonly Json[];
  readonly search: Search;
}

const itemFor = (arrays: Arrays, { index, wanted, before, search }: ItemWish): Found => {
  const { formulas, find } = search;
  const parts = [wanted ?? arrays.itemAt(index)];
  if (arrays.unique && before.length > 0) parts.push(formulas.valuesOf(before, false));
  const limited = arrays.contains.filter(
    ({ most, from }) => most !== Number.POSITIVE_INFINITY && from <= index,
  );
  if (wanted === undefined && limited.length > 0) {
    const apart = find(formulas.all([...parts, ...limited.map(({ part }) => formulas.not(part))]));
    if (apart.kind === 'value') return apart;
  }
  return find(formulas.all(parts));
};

/** Two equal items at places that can hold the same. */
const findRepeating = (arrays: Arrays, search: Search): Found => {
  const places = [...new Set([...placesOf(arrays, 0), arrays.alike + 1])].filter(
    (index) => index < arrays.most,
  );
  let proved = true;
  for (const [at, second] of places.entries())
    for (const first of places.slice(0, at)) {
      const both = search.formulas.all([arrays.itemAt(first), arrays.itemAt(second)]);
      const found = search.find(both);
      if (found.kind !== 'empty') proved = false;
      if (found.kind !== 'value') continue;
      const same = search.formulas.valuesOf([found.value]);
      const pair = [search.formulas.item(first, same), search.formulas.item(second, same)] as Literal[];
      const least = Math.max(arrays.least, second + 1);
      const literals = [...arrays.literals.filter(({ kind }) => kind !== 'unique'), ...pair];
      const built = build({ ...arraysOf(literals, search), least }, search);
      if (built.kind === 'value') return built;
    }
  return proved ? empty : unknown('no array was found with two equal items');
};

/** The items are ruled out: a longer array, or one other item. */
const another = (arrays: Arrays, items: readonly Json[], search: Search): Found => {
  let single = items.length === arrays.most;
  if (!single) {
    const more = itemFor(arrays, { index: items.length, wanted: undefined, before: items, search });
    if (more.kind === 'value' && isFine(arrays, [...items, more.value], search))
      return valueFound([...items, more.value]);
  }
  for (const [index, item] of items.entries()) {
    const other = search.find(
      search.formulas.all([arrays.itemAt(index), search.formulas.valuesOf([item], false)]),
    );
    if (other.kind !== 'empty') single = false;
    if (other.kind !== 'value') continue;
    const changed = items.with(index, other.value);
    if (isFine(arrays, changed, search)) return valueFound(changed);
  }
  return single && items.length === arrays.least
    ? empty
    : unknown('only arrays were found that are excluded');
};

const isFine = (arrays: Arrays, items: readonly Json[], { verdicts }: Search): boolean =>
  arrays.literals.every((literal) => accepts(items, literal, { known: verdicts }) === true);
