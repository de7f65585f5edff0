import type { Json } from '../../../foundation/index.ts';
import { accepts, isLetIn } from '../accepts.ts';
import type { Formula, Guard, Literal, ObjectLiteral } from '../formula.ts';
import { limits } from '../limits.ts';
import { excludes } from './excluded.ts';
import { empty, type Found, type Search, unknown, valueFound } from './found.ts';
import { type NameClass, NameClasses } from './name-classes.ts';

type Members = ObjectLiteral & { kind: 'members' };
type SomeMember = ObjectLiteral & { kind: 'some-member' };

/** What an object's literals say, put together. */
class Objects {
  readonly literals: readonly Literal[];
  readonly search: Search;
  readonly required = new Set<string>();
  readonly absent = new Set<string>();
  readonly properties = new Map<string, Formula[]>();
  readonly declared = new Set<string>();
  readonly members: Members[] = [];
  readonly some: SomeMember[] = [];
  /** Every name that a literal mentions. */
  readonly named = new Set<string>();
  readonly classes: NameClasses;
  readonly #wanted = new Map<string, Formula>();
  least = 0;
  most = Number.POSITIVE_INFINITY;
  /** Whether some guard could not be decided for some name: what is found must not be trusted. */
  inDoubt = false;

  constructor(literals: readonly Literal[], search: Search) {
    this.literals = literals;
    this.search = search;
    for (const literal of literals) this.#take(literal);
    for (const { guard } of [...this.members, ...this.some])
      for (const name of guard.except) this.named.add(name);
    this.classes = new NameClasses(
      [...this.members, ...this.some].map(({ guard }) => guard),
      this.named,
      search,
    );
  }

  #take(literal: Literal): void {
    switch (literal.kind) {
      case 'required':
        (literal.holds ? this.required : this.absent).add(literal.name);
        this.named.add(literal.name);
        return;
      case 'property':
        this.properties.set(literal.name, [...(this.properties.get(literal.name) ?? []), literal.part]);
        this.named.add(literal.name);
        if (literal.declares) this.declared.add(literal.name);
        return;
      case 'members':
        this.members.push(literal);
        return;
      case 'some-member':
        this.some.push(literal);
        return;
      case 'min-properties':
        this.least = Math.max(this.least, literal.limit);
        return;
      case 'max-properties':
        this.most = Math.min(this.most, literal.limit);
        return;
      default:
    }
  }

  /** What a member of this name must fit. */
  memberOf(name: string): Formula {
    const known = this.#wanted.get(name);
    if (known !== undefined) return known;
    const parts = [...(this.properties.get(name) ?? [])];
    for (const { guard, part } of this.members) if (this.#isLetIn(guard, name)) parts.push(part);
    const wanted = this.search.formulas.all(parts);
    this.#wanted.set(name, wanted);
    return wanted;
  }

  #isLetIn(guard: Guard, name: string): boolean {
    const verdict = isLetIn(guard, name);
    if (verdict === undefined) this.inDoubt = true;
    return verdict === true;
  }

  isDeclared(name: string): boolean {
    return (
      this.declared.has(name) ||
      this.members.some(({ guard }) => isDeclaring(guard) && this.#isLetIn(guard, name))
    );
  }

  /** The names that a `some-member` may mean, those first that are there anyway. */
  namesFor({ guard, declaredOnly }: SomeMember): string[] {
    const free = [...this.named].filter((name) => !this.required.has(name) && !this.absent.has(name));
    const names = this.required.size >= this.most ? [...this.required] : [...this.required, ...free];
    return names.filter((name) => isLetIn(guard, name) !== false && (!declaredOnly || this.isDeclared(name)));
  }

  classesFor({ guard, declaredOnly }: SomeMember): NameClass[] {
    if (this.required.size >= this.most) return [];
    return this.classes.within(guard).filter((names) => !declaredOnly || this.isClassDeclared(names));
  }

  isClassDeclared(names: NameClass): boolean {
    return this.members.some(({ guard }) => isDeclaring(guard) && names.isIn(guard));
  }

  /** What a member must fit whose name is one of the class. */
  memberOfClass(names: NameClass): Formula {
    return this.search.formulas.all(
      this.members.filter(({ guard }) => names.isIn(guard)).map(({ part }) => part),
    );
  }
}

const isDeclaring = ({ role }: Guard): boolean => role === 'pattern' || role === 'additional';

/** An object that fits all the literals. */
export const findObject = (literals: readonly Literal[], search: Search): Found => {
  const objects = new Objects(literals, search);
  const { required, absent, least, most } = objects;
  for (const literal of literals)
    if (literal.kind === 'declared-property' && !objects.isDeclared(literal.name)) return empty;
  if (least > most || required.size > most || [...required].some((name) => absent.has(name))) return empty;
  let doubt: Found | undefined;
  for (const name of required) {
    const found = search.find(objects.memberOf(name));
    if (found.kind === 'empty') return empty;
    if (found.kind === 'unknown') doubt ??= found;
  }
  for (const some of objects.some) if (!hasPlace(objects, some)) return empty;
  if (least > limits.members) return unknown('the objects have very many members');
  if (doubt !== undefined) return doubt;
  return new ObjectBuilder(objects).build();
};

const hasPlace = (objects: Objects, some: SomeMember): boolean => {
  const { formulas, find } = objects.search;
  return (
    objects.classes.areTooMany ||
    objects
      .namesFor(some)
      .some((name) => find(formulas.all([objects.memberOf(name), some.part])).kind !== 'empty') ||
    objects
      .classesFor(some)
      .some(
        (names) =>
          find(formulas.all([objects.memberOfClass(names), some.part])).kind !== 'empty' &&
          objects.classes.nameIn(names, new Set()).kind !== 'empty',
      )
  );
};

/** Puts down what is required, then what must be among the members, then fills up. */
class ObjectBuilder {
  readonly #objects: Objects;
  readonly #wanted = new Map<string, Formula>();
  readonly #values = new Map<string, Json>();

  constructor(objects: Objects) {
    this.#objects = objects;
  }

  build(): Found {
    const objects = this.#objects;
    for (const name of objects.required) this.#put(name, objects.memberOf(name));
    for (const some of objects.some)
      if (!this.#place(some)) return unknown('no object was found with such a member');
    const filled = this.#fill();
    if (filled !== undefined) return filled;
    if (this.#values.size > objects.most) return unknown('no object was found with so few members');
    if (objects.inDoubt) return unknown('a pattern of names could not be decided');
    const value = this.#object();
    return excludes(objects.literals, value) ? this.#another(value) : valueFound(value);
  }

  #put(name: string, wanted: Formula): Found {
    const found = this.#objects.search.find(wanted);
    if (found.kind === 'value') {
      this.#wanted.set(name, wanted);
      this.#values.set(name, found.value);
    }
    return found;
  }

  #place(some: SomeMember): boolean {
    const objects = this.#objects;
    const { formulas } = objects.search;
    for (const name of objects.namesFor(some)) {
      const wanted = formulas.all([this.#wanted.get(name) ?? objects.memberOf(name), some.part]);
      if (this.#put(name, wanted).kind === 'value') return true;
    }
    for (const names of objects.classesFor(some)) {
      const wanted = formulas.all([objects.memberOfClass(names), some.part]);
      if (objects.search.find(wanted).kind !== 'value') continue;
      const name = objects.classes.nameIn(names, this.#values);
      if (name.kind === 'value') return this.#put(String(name.value), wanted).kind === 'value';
    }
    return false;
  }

  /** Undefined when there are members enough. */
  #fill(): Found | undefined {
    const objects = this.#objects;
    let proved = objects.some.length === 0 && !objects.classes.areTooMany;
    for (const name of objects.named) {
      if (this.#values.size >= objects.least) return undefined;
      if (this.#values.has(name) || objects.absent.has(name)) continue;
      if (this.#put(name, objects.memberOf(name)).kind === 'unknown') proved = false;
    }
    for (const names of objects.classes.all())
      while (this.#values.size < objects.least) {
        const name = objects.classes.nameIn(names, this.#values);
        const found =
          name.kind === 'value' ? this.#put(String(name.value), objects.memberOfClass(names)) : name;
        if (found.kind === 'unknown') proved = false;
        if (found.kind !== 'value') break;
      }
    if (this.#values.size >= objects.least) return undefined;
    return proved && !objects.inDoubt ? empty : unknown('no object was found with so many members');
  }

  #object(): Json {
    // As a parser would make it: names such as __proto__ are members like others, and Ajv can tell it from another object.
    return Object.fromEntries(this.#values);
  }

  /** The object is ruled out: one more member, or another value of one member. */
  #another(ruledOut: Json): Found {
    const objects = this.#objects;
    const { formulas, find, verdicts } = objects.search;
    const isFine = (): boolean =>
      objects.literals.every((literal) => accepts(this.#object(), literal, { known: verdicts }) === true);
    let single = this.#values.size === objects.required.size;
    if (this.#values.size < objects.most) {
      const more = [...objects.named].filter((name) => !this.#values.has(name) && !objects.absent.has(name));
      const others = objects.classes.all().map((names) => ({
        name: objects.classes.nameIn(names, this.#values),
        wanted: objects.memberOfClass(names),
      }));
      const additions = [
        ...more.map((name) => ({ name: valueFound(name), wanted: objects.memberOf(name) })),
        ...others,
      ];
      for (const { name, wanted } of additions) {
        if (name.kind === 'empty' || find(wanted).kind === 'empty') continue;
        single = false;
        if (name.kind !== 'value') continue;
        const key = String(name.value);
        if (this.#put(key, wanted).kind === 'value' && isFine()) return valueFound(this.#object());
        this.#values.delete(key);
      }
    }
    for (const [name, value] of Object.entries(ruledOut as Readonly<Record<string, Json>>)) {
      const wanted = this.#wanted.get(name) ?? objects.memberOf(name);
      const found = this.#put(name, formulas.all([wanted, formulas.valuesOf([value], false)]));
      if (found.kind !== 'empty') single = false;
      if (found.kind === 'value' && isFine()) return valueFound(this.#object());
      this.#values.set(name, value);
    }
    return single && !objects.inDoubt && !objects.classes.areTooMany
      ? empty
      : unknown('only objects were found that are excluded');
  }
}
