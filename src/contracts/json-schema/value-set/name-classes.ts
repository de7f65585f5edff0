import { type Formula, type Guard, typeBits } from '../formula.ts';
import { limits } from '../limits.ts';
import { type Found, type Search, unknown, valueFound } from './found.ts';

/**
 * The names that no literal mentions fall into classes: those inside and outside of each of the sets (patterns, `propertyNames`)
 * that the guards speak of. All names of a class are under the same constraints.
 */
export interface NameClass {
  readonly inside: ReadonlySet<Formula>;
  readonly isIn: (guard: Guard) => boolean;
}

export class NameClasses {
  readonly #sets: readonly Formula[];
  readonly #named: ReadonlySet<string>;
  readonly #search: Search;
  #all: NameClass[] | undefined;

  constructor(guards: readonly Guard[], named: ReadonlySet<string>, search: Search) {
    this.#sets = [...new Set(guards.flatMap(({ inside, outside }) => [...inside, ...outside]))];
    this.#named = named;
    this.#search = search;
  }

  /** Then nothing can be proved about names that are not mentioned. */
  get areTooMany(): boolean {
    return this.#sets.length > limits.nameClasses;
  }

  all(): readonly NameClass[] {
    this.#all ??= this.areTooMany
      ? []
      : Array.from({ length: 2 ** this.#sets.length }, (_, bits) => this.#class(bits));
    return this.#all;
  }

  within(guard: Guard): NameClass[] {
    return this.all().filter((names) => names.isIn(guard));
  }

  #class(bits: number): NameClass {
    const inside = new Set(this.#sets.filter((_, index) => (bits & (1 << index)) !== 0));
    return {
      inside,
      isIn: (guard) =>
        guard.inside.every((names) => inside.has(names)) && !guard.outside.some((names) => inside.has(names)),
    };
  }

  /** A name of the class that is neither mentioned nor taken. */
  nameIn(names: NameClass, taken: { has(name: string): boolean; keys(): Iterable<string> }): Found {
    if (this.#sets.length === 0) return valueFound(this.#freshName(taken));
    const { formulas, find } = this.#search;
    const fresh = find(
      formulas.all([
        formulas.types(typeBits.string),
        ...this.#sets.map((set) => (names.inside.has(set) ? set : formulas.not(set))),
        formulas.valuesOf([...new Set([...this.#named, ...taken.keys()])], false),
      ]),
    );
    return fresh.kind === 'unknown' ? unknown(`no name was found: ${fresh.reason}`) : fresh;
  }

  #freshName(taken: { has(name: string): boolean }): string {
    for (let count = 1; ; count += 1) {
      const name = count === 1 ? 'other' : `other${count}`;
      if (!taken.has(name) && !this.#named.has(name)) return name;
    }
  }
}
