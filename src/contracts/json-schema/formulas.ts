import { canonicalJson, type Json } from '../../foundation/index.ts';
import { accepts } from './accepts.ts';
import { areApart } from './apart.ts';
import {
  type All,
  allTypes,
  type Formula,
  type Guard,
  type Not,
  type One,
  type Opaque,
  type Reference,
  type Some,
  subjectOf,
  type Types,
  typeBits,
  typeOf,
  type Values,
} from './formula.ts';
import { patternOf } from './pattern.ts';
import type { Rational } from './rational.ts';

type WithoutId<Kind> = Kind extends unknown ? Omit<Kind, 'id'> : never;

const idsOf = (parts: readonly Formula[]): string => {
  let ids = '';
  for (const { id } of parts) ids += `${id},`;
  return ids;
};

/** Each once, in the order of their ids; most come so already. */
const byId = (parts: readonly Formula[]): readonly Formula[] => {
  const isInOrder = parts.every(({ id }, index) => index === 0 || (parts[index - 1]?.id ?? id) < id);
  return isInOrder ? parts : [...new Set(parts)].sort((left, right) => left.id - right.id);
};

const isNotAll = (formula: Formula): formula is Not & { readonly part: All } =>
  formula.kind === 'not' && formula.part.kind === 'all';

const limitKinds: Readonly<Record<string, 'greatest' | 'least'>> = {
  'min-length': 'greatest',
  'min-items': 'greatest',
  'min-properties': 'greatest',
  'max-length': 'least',
  'max-items': 'least',
  'max-properties': 'least',
};

/** Of two bounds of one kind the tighter one; undefined for what is no bound. */
const tighter = (left: Formula, right: Formula): Formula | undefined => {
  if (left.kind === 'at-least' || left.kind === 'at-most') {
    if (right.kind !== left.kind) return undefined;
    if (left.limit === right.limit) return left.exclusive ? left : right;
    return left.limit > right.limit === (left.kind === 'at-least') ? left : right;
  }
  const wanted = limitKinds[left.kind];
  if (wanted === undefined || right.kind !== left.kind || !('limit' in left && 'limit' in right))
    return undefined;
  return left.limit > right.limit === (wanted === 'greatest') ? left : right;
};

/**
 * Makes formulas, each one once: equal schemas become the same object, wherever they stand and whatever their definitions are
 * called. What is trivially so is simplified on the way.
 */
export class Formulas {
  readonly #interned = new Map<string, Formula>();
  /** What is known to contradict a formula. */
  readonly #nots = new Map<Formula, Not[]>();
  /** What schemas mostly consist of is found without a text that describes it. */
  readonly #types: Formula[] = [];
  readonly #required = new Map<string, Formula>();
  readonly #absent = new Map<string, Formula>();
  /** By their parts and names. */
  readonly #properties = new Map<Formula, Map<string, Formula>>();
  readonly #questions = new Map<Formula, Map<string, Formula>>();
  /** What was put together already, by the ids: most questions are asked more than once. */
  readonly #joined = new Map<string, Formula>();
  #next = 0;

  readonly any: Formula = this.#make('all:', { kind: 'all', parts: [] });
  readonly none: Formula = this.#make('some:', { kind: 'some', parts: [] });

  get size(): number {
    return this.#next;
  }

  #make<Made extends Formula>(key: string, made: WithoutId<Made>): Made {
    const known = this.#interned.get(key);
    if (known !== undefined) return known as Made;
    const formula = this.#new(made);
    this.#interned.set(key, formula);
    return formula;
  }

  #new<Made extends Formula>(made: WithoutId<Made>): Made {
    const formula = { ...made, id: this.#next } as unknown as Made;
    this.#next += 1;
    return formula;
  }

  all(parts: Iterable<Formula>): Formula {
    const given = [...parts];
    if (given.length === 0) return this.any;
    if (given.length === 1 && given[0] !== undefined) return given[0];
    const key = idsOf(given);
    const known = this.#joined.get(key) ?? this.#all(given);
    this.#joined.set(key, known);
    return known;
  }

  #all(parts: readonly Formula[]): Formula {
    const flat: Formula[] = [];
    for (const part of parts) {
      if (part === this.none) return this.none;
      if (part.kind === 'all') flat.push(...part.parts);
      else flat.push(part);
    }
    const [first] = flat;
    if (first === undefined) return this.any;
    if (flat.length === 1) return first;
    const simple = this.#simplified(this.#different(flat));
    if (simple === undefined || simple.includes(this.none)) return this.none;
    const sorted = byId(simple);
    if (sorted.length === 1 && sorted[0] !== undefined) return sorted[0];
    return this.#make<All>(`all:${idsOf(sorted)}`, { kind: 'all', parts: sorted });
  }

  /** Of what must not all hold, what holds by another part is left out: of two versions of a schema the differences remain. */
  #different(parts: readonly Formula[]): readonly Formula[] {
    if (!parts.some(isNotAll)) return parts;
    const holding = new Set(parts);
    return parts.map((part) =>
      isNotAll(part)
        ? this.not(this.all(part.part.parts.filter((inner) => !holding.has(inner))), part.lenient)
        : part,
    );
  }

  /** One `types`, the tightest bounds, nothing about types that are not allowed; undefined when no type is left. */
  #simplified(parts: readonly Formula[]): Formula[] | undefined {
    const bounds = new Map<string, Formula>();
    const rest: Formula[] = [];
    let mask = allTypes;
    for (const part of parts) {
      if (part.kind === 'types') mask &= part.mask;
      else {
        const bound = bounds.get(part.kind);
        const better = bound === undefined ? tighter(part, part) : tighter(bound, part);
        if (better === undefined) rest.push(part);
        else bounds.set(part.kind, better);
      }
    }
    if (mask === 0) return undefined;
    const kept = [...bounds.values(), ...rest].filter(({ kind }) => {
      const subject = subjectOf(kind);
      return subject === 0 || (subject & mask) !== 0;
    });
    if (mask !== allTypes) kept.push(this.types(mask));
    return this.#finite(kept) ?? kept;
  }

  /** A finite set and literals are a smaller finite set. */
  #finite(parts: readonly Formula[]): Formula[] | undefined {
    const set = parts.find((part) => part.kind === 'values' && part.holds) as Values | undefined;
    if (set === undefined || (set.mask & (typeBits.array | typeBits.object)) !== 0) return undefined;
    const isLiteral = ({ kind }: Formula): boolean =>
      kind === 'types' || kind === 'values' || subjectOf(kind) !== 0;
    const literals = parts.filter((part) => part !== set && isLiteral(part));
    const kept = new Map<string, Json>();
    for (const [key, value] of set.values) {
      const verdicts = literals.map((literal) => accepts(value, literal));
      if (verdicts.includes(undefined)) return undefined;
      if (!verdicts.includes(false)) kept.set(key, value);
    }
    const values = this.values(kept);
    return [values, ...parts.filter((part) => !isLiteral(part))];
  }

  some(parts: Iterable<Formula>): Formula {
    const flat: Formula[] = [];
    const values: Values[] = [];
    let mask = 0;
    for (const part of parts) {
      if (part === this.any) return this.any;
      for (const branch of part.kind === 'some' ? part.parts : [part]) {
        if (branch.kind === 'types') mask |= branch.mask;
        else if (branch.kind === 'values' && branch.holds) values.push(branch);
        else flat.push(branch);
      }
    }
    if (mask === allTypes) return this.any;
    if (mask !== 0) flat.push(this.types(mask));
    if (values.length > 0)
      flat.push(
        values.length === 1 && values[0] !== undefined
          ? values[0]
          : this.values(new Map(values.flatMap((set) => [...set.values]))),
      );
    const sorted = byId(flat);
    if (sorted.length === 1 && sorted[0] !== undefined) return sorted[0];
    return this.#make<Some>(`some:${idsOf(sorted)}`, { kind: 'some', parts: sorted });
  }

  one(parts: readonly Formula[]): Formula {
    const branches = parts.filter((part) => part !== this.none);
    if (branches.length <= 1) return this.some(branches);
    const sets = branches.filter((part) => part.kind === 'values' && part.holds);
    if (sets.length === branches.length) return this.#valuesOfOne(sets as Values[]);
    if (areApart(branches)) return this.some(branches);
    const sorted = [...branches].sort((left, right) => left.id - right.id);
    return this.#make<One>(`one:${idsOf(sorted)}`, { kind: 'one', parts: sorted });
  }

  #valuesOfOne(sets: readonly Values[]): Formula {
    const once = new Map<string, Json>();
    const more = new Set<string>();
    for (const { values } of sets)
      for (const [key, value] of values) {
        if (once.has(key)) more.add(key);
        once.set(key, value);
      }
    for (const key of more) once.delete(key);
    return this.values(once);
  }

  /** What `part` does not accept. */
  not(part: Formula, lenient = false): Formula {
    if (part === this.any) return this.none;
    if (part === this.none) return this.any;
    if (part.kind === 'not' && !part.lenient) return part.part;
    if (part.kind === 'types') return this.types(allTypes & ~part.mask);
    const known = this.#nots.get(part) ?? [];
    const same = known.find((not) => not.lenient === lenient);
    if (same !== undefined) return same;
    const not = this.#new<Not>({ kind: 'not', part, lenient });
    this.#nots.set(part, [...known, not]);
    return not;
  }

  /** Formulas that can't hold together with this one, as far as that was ever asked. */
  contradictionsOf(formula: Formula): readonly Formula[] {
    return formula.kind === 'not' ? [formula.part] : (this.#nots.get(formula) ?? []);
  }

  reference(name: string, target: () => Formula): Formula {
    return this.#make<Reference>(`reference:${name}`, { kind: 'reference', target });
  }

  opaque(key: string, reason: string): Formula {
    return this.#make<Opaque>(`opaque:${key}`, { kind: 'opaque', reason });
  }

  types(mask: number): Formula {
    if (mask === allTypes) return this.any;
    if (mask === 0) return this.none;
    const types = this.#types[mask] ?? this.#new<Types>({ kind: 'types', mask });
    this.#types[mask] = types;
    return types;
  }

  valuesOf(values: readonly Json[], holds = true): Formula {
    return this.values(new Map(values.map((value) => [canonicalJson(value), value])), holds);
  }

  values(values: ReadonlyMap<string, Json>, holds = true): Formula {
    if (values.size === 0) return holds ? this.none : this.any;
    const present = new Set([...values.values()].map(typeOf));
    const mask = [...present].reduce((sum, type) => sum | typeBits[type], 0);
    const key = `values:${holds}:${[...values.keys()].sort().join()}`;
    return this.#make<Values>(key, { kind: 'values', values, mask, holds });
  }

  bound(kind: 'at-least' | 'at-most', limit: number, exclusive: boolean): Formula {
    return this.#make(`${kind}:${limit}:${exclusive}`, { kind, limit, exclusive });
  }

  multipleOf(step: Rational, holds = true): Formula {
    return this.#make(`multiple-of:${step.numerator}/${step.denominator}:${holds}`, {
      kind: 'multiple-of',
      step,
      holds,
    });
  }

  get integer(): Formula {
    return this.multipleOf({ numerator: 1n, denominator: 1n });
  }

  limit(
    kind: 'min-length' | 'max-length' | 'min-items' | 'max-items' | 'min-properties' | 'max-properties',
    limit: number,
  ): Formula {
    if (kind.startsWith('min') && limit <= 0) return this.any;
    return this.#make<Formula>(`${kind}:${limit}`, { kind, limit } as WithoutId<Formula>);
  }

  matches(source: string, holds = true): Formula {
    const pattern = patternOf(source);
    if (pattern.universal) return holds ? this.any : this.not(this.types(typeBits.string));
    return this.#make(`matches:${holds}:${source}`, { kind: 'matches', pattern, holds });
  }

  format(name: string, holds = true): Formula {
    return this.#make(`format:${holds}:${name}`, { kind: 'format', name, holds });
  }

  item(index: number, part: Formula, declares = true): Formula {
    return this.#make(`item:${index}:${part.id}:${declares}`, { kind: 'item', index, part, declares });
  }

  itemsFrom(from: number, part: Formula): Formula {
    if (part === this.any) return this.any;
    if (part === this.none) return this.limit('max-items', from);
    return this.#make(`items-from:${from}:${part.id}`, { kind: 'items-from', from, part });
  }

  contains({
    from,
    part,
    least,
    most,
  }: {
    from: number;
    part: Formula;
    least: number;
    most: number;
  }): Formula {
    if (least > most) return this.not(this.types(typeBits.array));
    if (most === 0) return this.itemsFrom(from, this.not(part));
    if (least === 0 && most === Number.POSITIVE_INFINITY) return this.any;
    if (part === this.any && from === 0 && most === Number.POSITIVE_INFINITY)
      return this.limit('min-items', least);
    return this.#make(`contains:${from}:${part.id}:${least}:${most}`, {
      kind: 'contains',
      from,
      part,
      least,
      most,
    });
  }

  unique(holds = true): Formula {
    return this.#make(`unique:${holds}`, { kind: 'unique', holds });
  }

  required(name: string, holds = true): Formula {
    const known = holds ? this.#required : this.#absent;
    const required = known.get(name) ?? this.#new({ kind: 'required', name, holds });
    known.set(name, required);
    return required;
  }

  property(name: string, part: Formula, declares = true): Formula {
    const properties = declares ? this.#properties : this.#questions;
    const ofPart = properties.get(part) ?? new Map<string, Formula>();
    properties.set(part, ofPart);
    const property = ofPart.get(name) ?? this.#new({ kind: 'property', name, part, declares });
    ofPart.set(name, property);
    return property;
  }

  members(guard: Guard, part: Formula): Formula {
    if (part === this.any) return this.any;
    return this.#make(`members:${guardKey(guard)}:${part.id}`, { kind: 'members', guard, part });
  }

  someMember(guard: Guard, part: Formula, declaredOnly = false): Formula {
    const key = `some-member:${guardKey(guard)}:${part.id}:${declaredOnly}`;
    return this.#make(key, { kind: 'some-member', guard, part, declaredOnly });
  }

  declaredProperty(name: string): Formula {
    return this.#make(`declared-property:${name}`, { kind: 'declared-property', name });
  }

  declaredItem(index: number): Formula {
    return this.#make(`declared-item:${index}`, { kind: 'declared-item', index });
  }
}

const guardKey = ({ role, except, inside, outside }: Guard): string =>
  `${role}:${JSON.stringify([...except].sort())}:${idsOf(inside)}:${idsOf(outside)}`;
