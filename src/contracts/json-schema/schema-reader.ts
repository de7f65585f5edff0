import { canonicalJson } from '../../foundation/index.ts';
import { refHasSiblings } from './drafts.ts';
import { type EvaluationSource, evaluationsOf, restOf } from './evaluations.ts';
import { type Formula, type Guard, typeBits } from './formula.ts';
import type { Formulas } from './formulas.ts';
import { count, type Keywords, namesIn, readLiterals, text } from './read-literals.ts';
import {
  below,
  isObject,
  isSchema,
  type Location,
  own,
  type Refuse,
  type Resources,
  type SchemaObject,
} from './resources.ts';

/** Levels of subschemas that are read inside each other; what lies deeper is read afterwards. */
const inlineDepthMax = 150;

const noNames: ReadonlySet<string> = new Set();

const groups = {
  references: ['$ref', '$dynamicRef', '$recursiveRef'],
  members: [
    'properties',
    'patternProperties',
    'additionalProperties',
    'propertyNames',
    'dependentRequired',
    'dependentSchemas',
    'dependencies',
  ],
  items: ['items', 'prefixItems', 'additionalItems', 'contains'],
  branches: ['allOf', 'anyOf', 'oneOf', 'not', 'if', 'then', 'else'],
};

/** Which keywords are read together; groups that are not there are not looked for. Those without subschemas are in none of these. */
const groupOf: ReadonlyMap<string, string> = new Map(
  Object.entries(groups).flatMap(([group, keywords]) => keywords.map((keyword) => [keyword, group] as const)),
);

/** A schema object that is being read, with the resources that were entered on the way when dynamic references depend on them. */
interface Place {
  readonly schema: SchemaObject;
  readonly location: Location;
  readonly entered: readonly string[];
}

interface ReaderOptions {
  readonly formulas: Formulas;
  readonly resources: Resources;
  readonly refuse: Refuse;
  readonly assertFormats: boolean;
  /** Tells the references of one schema from those of the other. */
  readonly name: string;
  /** What was read of another version, where this one has the same. */
  readonly known?: (schema: SchemaObject) => Formula | undefined;
}

/**
 * Brings a schema of any draft into the internal form. References are followed and disappear, so that definitions may be renamed,
 * moved or written out; only where a schema leads back into itself a reference remains.
 */
export class SchemaReader {
  readonly #options: ReaderOptions;
  /** By the schema, and the resources that were entered if that matters. */
  readonly #read = new Map<unknown, Formula | 'open'>();
  readonly #deferred: Array<{ key: unknown; place: Place }> = [];
  readonly #references = new Map<Formula, string>();
  #depth = 0;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  /** @throws FactlineError SCHEMA_INVALID */
  read(): Formula {
    const formula = this.#at(this.#options.resources.root, []);
    for (let next = this.#deferred.pop(); next !== undefined; next = this.#deferred.pop())
      if (!this.#read.has(next.key)) this.#readPlace(next.key, next.place);
    for (const [reference, pointer] of this.#references)
      if (leadsToItself(reference))
        throw this.#options.refuse(pointer, 'it refers to itself without going into a value');
    return formula;
  }

  /** What a subschema was read as, if it was, whatever resources are entered on the way to it. */
  readonly formulaOf = (schema: SchemaObject): Formula | undefined => {
    const known = this.#read.get(schema);
    return known === 'open' ? undefined : known;
  };

  #at(unplaced: Location, entered: readonly string[]): Formula {
    const { formulas, resources, refuse } = this.#options;
    const location = resources.at(unplaced);
    const { schema, pointer, base } = location;
    if (typeof schema === 'boolean') return schema ? formulas.any : formulas.none;
    if (!isObject(schema)) throw refuse(pointer, 'expected a schema: an object, true or false');
    const place = {
      schema,
      location,
      entered: resources.isDynamic && !entered.includes(base) ? [...entered, base] : entered,
    };
    const key = place.entered.length === 0 ? schema : [pointer, ...place.entered].join(' ');
    const known = this.#read.get(key) ?? (key === schema ? this.#options.known?.(schema) : undefined);
    if (known !== undefined && known !== 'open') return known;
    if (known === undefined && this.#depth < inlineDepthMax) return this.#readPlace(key, place);
    if (known === undefined) this.#deferred.push({ key, place });
    const reference = formulas.reference(
      `${this.#options.name} ${[pointer, ...place.entered].join(' ')}`,
      () => {
        const target = this.#read.get(key);
        return target === undefined || target === 'open' ? formulas.any : target;
      },
    );
    this.#references.set(reference, pointer);
    return reference;
  }

  #readPlace(key: unknown, place: Place): Formula {
    this.#read.set(key, 'open');
    this.#depth += 1;
    const formula = this.#options.formulas.all(this.#keywords(place));
    this.#depth -= 1;
    this.#read.set(key, formula);
    return formula;
  }

  #keywords(place: Place): Formula[] {
    const { formulas, resources, refuse, assertFormats } = this.#options;
    const { schema, location } = place;
    const keywords: Keywords = { schema, pointer: location.pointer, formulas, refuse, assertFormats };
    const present = new Set<string | undefined>();
    for (const keyword of Object.keys(schema)) present.add(groupOf.get(keyword));
    const parts = present.has('references') ? [...this.#targets(place, keywords)] : [];
    if (own(schema, '$ref') !== undefined && !refHasSiblings(resources.draft)) return parts;
    if (present.has(undefined)) readLiterals(keywords, parts);
    if (present.has('members')) this.#members(place, keywords, parts);
    if (present.has('items')) this.#items(place, keywords, parts);
    if (present.has('branches')) this.#branches(place, parts);
    for (const keyword of ['unevaluatedProperties', 'unevaluatedItems'] as const)
      if (own(schema, keyword) !== undefined && refHasSiblings(resources.draft))
        parts.push(this.#unevaluated(place, keyword, parts));
    return parts;
  }

  /** What `$ref` and its relatives name. */
  *#targets(place: Place, keywords: Keywords): Generator<Formula> {
    for (const keyword of ['$ref', '$dynamicRef', '$recursiveRef']) {
      const reference = text(keywords, keyword);
      if (reference === undefined) continue;
      const target = this.#resolve(place, keyword, reference);
      yield target === undefined
        ? keywords.formulas.opaque(`meta-schema ${reference}`, `it refers to the meta-schema ${reference}`)
        : this.#at(target, place.entered);
    }
  }

  #resolve({ location, entered }: Place, keyword: string, reference: string): Location | undefined {
    const { resources } = this.#options;
    const target = resources.resolve(reference, location, below(location.pointer, keyword));
    if (target === undefined || keyword === '$ref') return target;
    const anchor = keyword === '$dynamicRef' ? (reference.split('#')[1] ?? '') : '';
    if (resources.dynamicAnchor(target.base, anchor) !== target) return target;
    const outermost = entered.find((base) => resources.dynamicAnchor(base, anchor) !== undefined);
    return outermost === undefined ? target : resources.dynamicAnchor(outermost, anchor);
  }

  #sub({ location, entered }: Place, schema: unknown, ...names: Array<string | number>): Formula {
    const { formulas, resources } = this.#options;
    if (typeof schema === 'boolean') return schema ? formulas.any : formulas.none;
    const known = resources.known(schema);
    return this.#at(
      known ?? { schema, pointer: below(location.pointer, ...names), base: location.base },
      entered,
    );
  }

  /** The subschemas of a keyword that holds them by name. */
  #named(place: Place, keyword: string): Array<readonly [string, unknown]> {
    const value = own(place.schema, keyword);
    if (value === undefined) return [];
    if (!isObject(value))
      throw this.#options.refuse(below(place.location.pointer, keyword), 'expected an object of schemas');
    return Object.entries(value);
  }

  #listed(place: Place, keyword: string): Formula[] | undefined {
    const value = own(place.schema, keyword);
    if (value === undefined) return undefined;
    if (!Array.isArray(value) || value.length === 0)
      throw this.#options.refuse(below(place.location.pointer, keyword), 'expected an array of schemas');
    return value.map((schema, index) => this.#sub(place, schema, keyword, index));
  }

  #single(place: Place, keyword: string): Formula | undefined {
    const value = own(place.schema, keyword);
    return value === undefined ? undefined : this.#sub(place, value, keyword);
  }

  #members(place: Place, { formulas, refuse, pointer }: Keywords, parts: Formula[]): void {
    const properties = this.#named(place, 'properties');
    for (const [name, schema] of properties)
      parts.push(formulas.property(name, this.#sub(place, schema, 'properties', name)));
    const patterns: Formula[] = [];
    for (const [source, schema] of this.#named(place, 'patternProperties')) {
      const inside = formulas.matches(source);
      patterns.push(inside);
      const guard: Guard = {
        role: 'pattern',
        except: noNames,
        inside: inside === formulas.any ? [] : [inside],
        outside: [],
      };
      parts.push(formulas.members(guard, this.#sub(place, schema, 'patternProperties', source)));
    }
    const additional = this.#single(place, 'additionalProperties');
    if (additional !== undefined && !patterns.includes(formulas.any)) {
      const except = new Set(properties.map(([name]) => name));
      parts.push(formulas.members({ role: 'additional', except, inside: [], outside: patterns }, additional));
    }
    const names = this.#single(place, 'propertyNames');
    if (
      names !== undefined &&
      !(names.kind === 'types' && (names.mask & typeBits.string) !== 0) &&
      names !== formulas.any
    )
      parts.push(
        formulas.members({ role: 'names', except: noNames, inside: [], outside: [names] }, formulas.none),
      );
    for (const keyword of ['dependentRequired', 'dependentSchemas', 'dependencies'])
      for (const [name, needed] of this.#named(place, keyword)) {
        const isSchemaWanted =
          keyword === 'dependentSchemas' || (keyword === 'dependencies' && isSchema(needed));
        const then = isSchemaWanted
          ? this.#sub(place, needed, keyword, name)
          : formulas.all(
              namesIn(needed, below(pointer, keyword, name), refuse).map((other) => formulas.required(other)),
            );
        parts.push(formulas.some([formulas.required(name, false), then]));
      }
  }

  #items(place: Place, keywords: Keywords, parts: Formula[]): void {
    const { formulas } = keywords;
    // `items` with an array is a tuple up to 2019-09; in 2020-12, where it is none, it is still meant as one.
    const isOldTuple = Array.isArray(own(place.schema, 'items'));
    const tuple = isOldTuple ? this.#tuple(place, 'items') : this.#tuple(place, 'prefixItems');
    for (const [index, item] of tuple.entries()) parts.push(formulas.item(index, item));
    const rest = this.#single(place, isOldTuple ? 'additionalItems' : 'items');
    if (rest !== undefined) parts.push(formulas.itemsFrom(tuple.length, rest));
    const part = this.#single(place, 'contains');
    if (part === undefined) return;
    const counted = refHasSiblings(this.#options.resources.draft);
    const least = (counted ? count(keywords, 'minContains') : undefined) ?? 1;
    const most = (counted ? count(keywords, 'maxContains') : undefined) ?? Number.POSITIVE_INFINITY;
    parts.push(formulas.contains({ from: 0, part, least, most }));
  }

  /** Empty tuples are read too: `items: []`. */
  #tuple(place: Place, keyword: string): Formula[] {
    const value = own(place.schema, keyword);
    return Array.isArray(value) && value.length === 0 ? [] : (this.#listed(place, keyword) ?? []);
  }

  #branches(place: Place, parts: Formula[]): void {
    const { formulas } = this.#options;
    const allOf = own(place.schema, 'allOf');
    if (!Array.isArray(allOf) || allOf.length > 0)
      parts.push(formulas.all(this.#listed(place, 'allOf') ?? []));
    const anyOf = this.#listed(place, 'anyOf');
    if (anyOf !== undefined) parts.push(formulas.some(anyOf));
    const oneOf = this.#listed(place, 'oneOf');
    if (oneOf !== undefined) parts.push(formulas.one(oneOf));
    const not = this.#single(place, 'not');
    if (not !== undefined) parts.push(formulas.not(not));
    const condition = this.#single(place, 'if');
    const [then, otherwise] = [this.#single(place, 'then'), this.#single(place, 'else')];
    if (condition === undefined) return;
    if (then !== undefined) parts.push(formulas.some([formulas.not(condition), then]));
    if (otherwise !== undefined) parts.push(formulas.some([condition, otherwise]));
  }

  #unevaluated(
    place: Place,
    keyword: 'unevaluatedProperties' | 'unevaluatedItems',
    parts: readonly Formula[],
  ): Formula {
    const { formulas, resources } = this.#options;
    const part = this.#single(place, keyword) ?? formulas.any;
    if (part === formulas.any) return formulas.any;
    const source: EvaluationSource<Place> = {
      formulas,
      draft: resources.draft,
      sub: (at, schema, names) => {
        const location = resources.at({
          schema,
          pointer: below(at.location.pointer, ...names),
          base: at.location.base,
        });
        return {
          place: isObject(schema) ? { ...at, schema, location } : undefined,
          formula: this.#at(location, at.entered),
        };
      },
      targets: (at) =>
        ['$ref', '$dynamicRef', '$recursiveRef'].flatMap((name) => {
          const reference = own(at.schema, name);
          const location = typeof reference === 'string' ? this.#resolve(at, name, reference) : undefined;
          return location !== undefined && isObject(location.schema)
            ? [{ ...at, schema: location.schema, location }]
            : [];
        }),
    };
    const cases = evaluationsOf(place, keyword, source);
    if (cases === undefined) {
      // Made first, and therefore looked at first: of other values nothing is in doubt.
      const subject = keyword === 'unevaluatedItems' ? typeBits.array : typeBits.object;
      const otherTypes = formulas.not(formulas.types(subject));
      const undecided = formulas.opaque(
        `${keyword} ${part.id} ${parts.map(({ id }) => id).join()} ${canonicalJson(place.schema)}`,
        `${keyword} depends on which branches match`,
      );
      return formulas.some([otherTypes, undecided]);
    }
    return formulas.some(
      cases.map((evaluated) =>
        formulas.all([...evaluated.conditions, restOf(formulas, evaluated, { keyword, part })]),
      ),
    );
  }
}

/** Whether a schema comes back to itself for the same value: validating against it never ends. */
const leadsToItself = (reference: Formula): boolean => {
  const seen = new Set<Formula>();
  const next = [reference];
  for (let formula = next.pop(); formula !== undefined; formula = next.pop()) {
    const inside =
      formula.kind === 'reference'
        ? [formula.target()]
        : formula.kind === 'not'
          ? [formula.part]
          : 'parts' in formula
            ? formula.parts
            : [];
    for (const inner of inside) {
      if (inner === reference) return true;
      if (!seen.has(inner)) {
        seen.add(inner);
        next.push(inner);
      }
    }
  }
  return false;
};
