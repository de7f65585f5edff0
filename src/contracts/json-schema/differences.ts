import { isLetIn } from './accepts.ts';
import { describe, isInteger } from './describe.ts';
import { allTypes, type Formula, type Guard, type ObjectLiteral, typeBits } from './formula.ts';
import type { Formulas } from './formulas.ts';
import { limits } from './limits.ts';
import { literalRule } from './literal-rules.ts';
import { maskOf, typeNames } from './masks.ts';
import {
  conjunctsOf,
  declaredNames,
  itemOf,
  literalsOf,
  memberOf,
  otherMemberOf,
  targetOf,
} from './projection.ts';
import { below } from './resources.ts';
import type { Solver } from './solver.ts';
import { type Found, outOfTime } from './value-set/found.ts';

/** One way in which values that the writer may write are not what the reader accepts. */
export interface Difference {
  readonly rule: string;
  readonly path: string;
  readonly name?: string;
  /** What the writing and the reading schema say here. */
  readonly written?: string;
  readonly read?: string;
  /** A whole document that shows it, or why none was found. */
  readonly found: Found;
}

export interface Sides {
  readonly formulas: Formulas;
  readonly solver: Solver;
  readonly writer: Formula;
  readonly reader: Formula;
  readonly lenient: boolean;
  /** Whether the reader is the new schema: then a difference is a tightening, otherwise a loosening. */
  readonly tightening: boolean;
}

/** Where in the document the comparison stands, and how a question about the value there becomes one about the document. */
interface Place {
  readonly path: string;
  readonly depth: number;
  /** Pairs of formulas that are being compared on the way here. */
  readonly within?: ReadonlySet<string>;
  readonly embed: (formula: Formula) => Formula;
}

const depthMax = 100;
const differencesMax = 200;
/** Definitions that refer to each other are come by on more ways than can be followed. From here on a pair is looked at once. */
const waysMax = 300;

/**
 * Explains why the writer's values are not all the reader's: follows the two formulas down to where they differ, keyword by keyword.
 * Each difference is asked about again for the whole document, so what other branches make up for is not reported.
 */
export class Differences {
  readonly #sides: Sides;
  readonly #found: Difference[] = [];
  readonly #seen = new Set<string>();
  readonly #refused: Formula;
  #ways = 0;

  constructor(sides: Sides) {
    this.#sides = sides;
    this.#refused = sides.formulas.all([sides.writer, sides.formulas.not(sides.reader, sides.lenient)]);
  }

  all(): readonly Difference[] {
    const { writer, reader, tightening, solver } = this.#sides;
    solver.allow(limits.steps);
    const overall = solver.find(this.#refused);
    if (overall.kind === 'empty') return [];
    solver.allow(limits.explanationSteps, { weighing: true });
    this.#compare(writer, reader, { path: '', depth: 0, embed: (formula) => formula });
    const shown = this.#found.filter(({ found }) => found.kind === 'value');
    // Where there is a document, explanations that ran out of time only cloud the matter.
    if (shown.length > 0)
      return this.#found.filter(({ found }) => found.kind === 'value' || found !== outOfTime);
    if (this.#found.length > 0 && overall.kind === 'unknown') return this.#found;
    const rule = tightening ? 'values-narrowed' : 'values-widened';
    return [{ rule: overall.kind === 'unknown' ? 'not-proved' : rule, path: '', found: overall }];
  }

  get #isFull(): boolean {
    return this.#found.length >= differencesMax || this.#sides.solver.isSpent;
  }

  #not(formula: Formula): Formula {
    return this.#sides.formulas.not(formula, this.#sides.lenient);
  }

  #may(...formulas: Formula[]): boolean {
    return this.#sides.solver.find(this.#sides.formulas.all(formulas)).kind !== 'empty';
  }

  /** Notes a difference unless it turns out not to matter for the document. `shown`: values here that show it. */
  #note(place: Place, shown: Formula, difference: Omit<Difference, 'path' | 'found'>): void {
    const key = JSON.stringify([difference, place.path]);
    if (this.#seen.has(key) || this.#isFull) return;
    const found = this.#sides.solver.find(this.#sides.formulas.all([this.#refused, place.embed(shown)]));
    if (found.kind === 'empty') return;
    this.#seen.add(key);
    this.#found.push({ ...difference, path: place.path, found });
  }

  #rule(tightened: string, loosened: string): string {
    return this.#sides.tightening ? tightened : loosened;
  }

  #compare(writer: Formula, reader: Formula, place: Place): void {
    const [from, to] = [targetOf(writer), targetOf(reader)];
    const pair = `${from.id} ${to.id}`;
    const within = place.within ?? new Set();
    // A recursive schema comes by the same pair on many ways; one of them is told.
    const isToldOnce = from !== writer || to !== reader || this.#ways > waysMax;
    const isKnown = within.has(pair) || this.#seen.has(isToldOnce ? pair : `${pair} ${place.path}`);
    if (place.depth > depthMax || this.#isFull || isKnown) return;
    this.#ways += 1;
    this.#seen.add(pair).add(`${pair} ${place.path}`);
    this.#compareParts(from, to, { ...place, within: new Set([...within, pair]) });
  }

  #compareParts(writer: Formula, reader: Formula, place: Place): void {
    const same = new Set(conjunctsOf(writer));
    for (const part of conjunctsOf(reader))
      if (!this.#isFull && !same.has(part) && this.#may(writer, this.#not(part)))
        this.#comparePart(writer, part, place);
  }

  #comparePart(writer: Formula, part: Formula, place: Place): void {
    switch (part.kind) {
      case 'types':
        this.#types(writer, part.mask, place);
        break;
      case 'values':
        this.#values(writer, part, place);
        break;
      case 'property':
        this.#property(writer, part, place);
        break;
      case 'members':
        this.#members(writer, part, place);
        break;
      case 'item':
        this.#item(writer, part, place);
        break;
      case 'items-from':
        this.#items(writer, part, place);
        break;
      case 'some':
      case 'one':
        this.#branches(writer, part, place);
        break;
      default:
        this.#literal(writer, part, place);
        break;
    }
  }

  #types(writer: Formula, mask: number, place: Place): void {
    const before = maskOf(writer);
    const isAny = before === allTypes;
    const wider = this.#sides.formulas.types(allTypes & ~mask);
    const integer = [...literalsOf(writer)].some(isInteger);
    const names = (types: number, whole: boolean): string =>
      typeNames(types)
        .map((name) => (whole && name === 'number' ? 'integer' : name))
        .join(' or ');
    this.#note(place, wider, {
      rule: isAny ? this.#rule('type-added', 'type-removed') : this.#rule('type-narrowed', 'type-widened'),
      written: isAny ? 'any type' : names(before, integer),
      read: names(mask, false),
    });
  }

  #values(writer: Formula, part: Formula & { kind: 'values' }, place: Place): void {
    const lists = [...literalsOf(writer)].filter((literal) => literal.kind === 'values' && literal.holds);
    const isSingle =
      part.values.size === 1 &&
      lists.length === 1 &&
      lists[0]?.kind === 'values' &&
      lists[0].values.size === 1;
    const rule = !part.holds
      ? this.#rule('not-widened', 'not-narrowed')
      : isSingle
        ? 'const-changed'
        : lists.length > 0
          ? this.#rule('enum-value-removed', 'enum-value-added')
          : this.#rule('enum-added', 'enum-removed');
    this.#note(place, this.#not(part), { rule, written: this.#written(writer, part), read: describe(part) });
  }

  /** What the writer says about the same thing. */
  #written(writer: Formula, part: Formula): string {
    const same = [...literalsOf(writer)].filter(({ kind }) => kind === part.kind);
    return same.length === 0
      ? describe(writer)
      : same
          .map((formula) => describe(formula))
          .join(' or ')
          .slice(0, 120);
  }

  /** The place of a named member; what is found there is shown by an object that has it. */
  #insideMember(name: string, place: Place): Place {
    const { formulas } = this.#sides;
    return {
      ...place,
      path: below(place.path, name),
      depth: place.depth + 1,
      embed: (formula) =>
        place.embed(
          formulas.all([
            formulas.types(typeBits.object),
            formulas.required(name),
            formulas.property(name, formula, false),
          ]),
        ),
    };
  }

  #property(writer: Formula, part: ObjectLiteral & { kind: 'property' }, place: Place): void {
    const { formulas } = this.#sides;
    const { name } = part;
    const inside = this.#insideMember(name, place);
    const member = memberOf(formulas, writer, name);
    if (part.part === formulas.none) {
      this.#note(inside, formulas.any, {
        rule: this.#rule('property-forbidden', 'property-allowed'),
        name,
        written: describe(member),
        read: 'absent',
      });
      return;
    }
    if (declaredNames(writer).has(name) || member !== formulas.any) {
      this.#compare(member, part.part, inside);
      return;
    }
    this.#note(inside, this.#not(part.part), {
      rule: this.#rule('property-added-to-open-object', 'property-removed-from-open-object'),
      name,
      written: 'any value',
      read: describe(part.part),
    });
  }

  #members(writer: Formula, part: ObjectLiteral & { kind: 'members' }, place: Place): void {
    const { formulas } = this.#sides;
    const { guard } = part;
    const declared = declaredNames(writer);
    for (const name of declared)
      if (isLetIn(guard, name) === true) this.#memberUnderGuard(writer, { part, name }, place);
    const others: Guard = { ...guard, except: new Set([...guard.except, ...declared]) };
    const refused = formulas.someMember(others, this.#not(part.part));
    if (!this.#may(writer, refused)) return;
    const inside: Place = {
      ...place,
      path: below(place.path, '*'),
      depth: place.depth + 1,
      embed: (formula) =>
        place.embed(formulas.all([formulas.types(typeBits.object), formulas.someMember(others, formula)])),
    };
    const member = otherMemberOf(formulas, writer);
    if (guard.role !== 'names' && member !== formulas.any && part.part !== formulas.none) {
      this.#compare(member, part.part, inside);
      return;
    }
    this.#note(inside, this.#not(part.part), {
      rule: this.#memberRule(guard, part.part),
      written: describe(member),
      read: guard.role === 'names' ? describe(part) : describe(part.part),
    });
  }

  #memberRule({ role }: Guard, part: Formula): string {
    if (role === 'pattern') return this.#rule('pattern-properties-added', 'pattern-properties-removed');
    if (role === 'names') return this.#rule('property-names-narrowed', 'property-names-widened');
    return part === this.#sides.formulas.none
      ? this.#rule('additional-properties-closed', 'additional-properties-opened')
      : this.#rule('additional-properties-narrowed', 'additional-properties-widened');
  }

  /** A member that the writer names and the reader only knows as one of its others. */
  #memberUnderGuard(
    writer: Formula,
    { part, name }: { part: ObjectLiteral & { kind: 'members' }; name: string },
    place: Place,
  ): void {
    const { formulas } = this.#sides;
    const isClosed = part.part === formulas.none;
    const inside = this.#insideMember(name, place);
    const member = memberOf(formulas, writer, name);
    if (!isClosed) {
      this.#compare(member, part.part, inside);
      return;
    }
    const rule =
      part.guard.role === 'names'
        ? this.#memberRule(part.guard, part.part)
        : this.#rule('property-removed-from-closed-object', 'property-added-to-closed-object');
    if (this.#may(member))
      this.#note(inside, formulas.any, { rule, name, written: describe(member), read: 'absent' });
  }

  #item(writer: Formula, part: Formula & { kind: 'item' }, place: Place): void {
    const { formulas } = this.#sides;
    const { index } = part;
    const inside: Place = {
      ...place,
      path: below(place.path, index),
      depth: place.depth + 1,
      embed: (formula) =>
        place.embed(
          formulas.all([
            formulas.types(typeBits.array),
            formulas.limit('min-items', index + 1),
            formulas.item(index, formula, false),
          ]),
        ),
    };
    const item = itemOf(formulas, writer, index);
    const isDeclared = [...literalsOf(writer)].some(
      (literal) => literal.kind === 'item' && literal.index === index,
    );
    if (isDeclared || item !== formulas.any) {
      this.#compare(item, part.part, inside);
      return;
    }
    this.#note(inside, this.#not(part.part), {
      rule: this.#rule('tuple-item-added', 'tuple-item-removed'),
      written: 'any value',
      read: describe(part.part),
    });
  }

  #items(writer: Formula, part: Formula & { kind: 'items-from' }, place: Place): void {
    const { formulas } = this.#sides;
    const tuple = [...literalsOf(writer)].flatMap((literal) =>
      literal.kind === 'item' && literal.index >= part.from ? [literal.index] : [],
    );
    for (const index of new Set(tuple))
      this.#item(writer, { ...part, kind: 'item', index, declares: true }, place);
    const from = Math.max(part.from, ...tuple.map((index) => index + 1));
    const inside: Place = {
      ...place,
      path: below(place.path, '*'),
      depth: place.depth + 1,
      embed: (formula) =>
        place.embed(
          formulas.all([
            formulas.types(typeBits.array),
            formulas.contains({ from, part: formula, least: 1, most: Number.POSITIVE_INFINITY }),
          ]),
        ),
    };
    const item = itemOf(formulas, writer, Number.POSITIVE_INFINITY);
    if (item !== formulas.any) {
      this.#compare(item, part.part, inside);
      return;
    }
    this.#note(inside, this.#not(part.part), {
      rule: this.#rule('items-narrowed', 'items-widened'),
      written: 'any value',
      read: describe(part.part),
    });
  }

  /** Each of the writer's forms is compared with the branch that is meant for it, if there is just one. */
  #branches(writer: Formula, part: Formula & { kind: 'some' | 'one' }, place: Place): void {
    const { formulas } = this.#sides;
    if (part.parts.some((branch) => branch.kind === 'required' && !branch.holds)) {
      this.#note(place, this.#not(part), {
        rule: this.#rule('dependency-added', 'dependency-removed'),
        written: this.#written(writer, part),
        read: describe(part),
      });
      return;
    }
    if (part === formulas.none) {
      const written = describe(writer);
      this.#note(place, formulas.any, {
        rule: this.#rule('type-narrowed', 'type-widened'),
        written,
        read: 'no value',
      });
      return;
    }
    if (part.kind === 'some' && part.parts.some(({ kind }) => kind === 'not')) {
      const rule = this.#rule('condition-tightened', 'condition-loosened');
      this.#note(place, this.#not(part), {
        rule,
        written: this.#written(writer, part),
        read: describe(part),
      });
      return;
    }
    const anyBranch = formulas.some(part.parts);
    if (part.kind === 'one' && !this.#may(writer, this.#not(anyBranch))) {
      this.#note(place, this.#not(part), {
        rule: 'one-of-overlap',
        written: this.#written(writer, part),
        read: describe(part),
      });
      return;
    }
    const union = conjunctsOf(writer).find(({ kind }) => kind === 'some' || kind === 'one');
    const forms = union !== undefined && 'parts' in union ? union.parts : [writer];
    for (const form of forms) {
      const values = formulas.all([writer, form]);
      if (!this.#may(values, this.#not(part))) continue;
      const inside: Place = {
        ...place,
        depth: place.depth + 1,
        embed: (formula) => place.embed(formulas.all([form, formula])),
      };
      const before = this.#found.length;
      const meant = part.parts.filter((branch) => this.#may(values, branch));
      const [only] = meant;
      if (meant.length === 1 && only !== undefined) this.#compare(values, only, inside);
      if (this.#found.length === before)
        this.#note(inside, this.#not(part), {
          rule: this.#rule('union-branch-removed', 'union-branch-added'),
          written: describe(form),
          read: describe(part),
        });
    }
  }

  #literal(writer: Formula, part: Formula, place: Place): void {
    const isThere = [...literalsOf(writer)].some(({ kind }) => kind === part.kind);
    const base = { written: isThere ? this.#written(writer, part) : 'nothing', read: describe(part) };
    if (part.kind === 'required') {
      const { name } = part;
      const rule = part.holds
        ? this.#rule('required-added', 'required-removed')
        : this.#rule('property-forbidden', 'property-allowed');
      const inside: Place = { ...place, path: below(place.path, name) };
      this.#note(inside, this.#not(part), { rule, name });
      return;
    }
    const rule = literalRule(part, { isThere, tightening: this.#sides.tightening });
    const shown = isInteger(part) ? { written: 'number', read: 'integer' } : base;
    this.#note(place, this.#not(part), { ...shown, rule });
  }
}
