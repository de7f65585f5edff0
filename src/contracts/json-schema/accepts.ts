import { canonicalJson, type Json } from '../../foundation/index.ts';
import { hasFormat } from './formats.ts';
import { type Formula, type Guard, type Literal, typeBits, typeOf } from './formula.ts';
import { limits } from './limits.ts';
import { isMultipleOf } from './rational.ts';

/**
 * Whether a formula accepts a value: the judge of the search, before Ajv is asked. Undefined when that can't be said, because
 * something on the way is opaque, a pattern could take for ever, or it takes too many steps. `overlooking`: also where the policy
 * `lenient` might overlook a refusal, which only the search can tell; otherwise every refusal counts. `known` spares work.
 */
export const accepts = (
  value: Json,
  formula: Formula,
  { overlooking = false, known }: { overlooking?: boolean; known?: Verdicts } = {},
): boolean | undefined => {
  const run: Run = { left: limits.checks, inDoubt: false, overlooking, known };
  const verdict = check({ value }, formula, run);
  return run.inDoubt ? undefined : verdict;
};

type OfFormula = Map<Formula, boolean>;

/**
 * What formulas are known to say about arrays and objects, which are never changed once they are made. Values that are built are
 * made of others that were found before, so that of the next document only what is new in it has to be looked at.
 */
export class Verdicts {
  readonly #strict = new Map<Json, OfFormula>();
  readonly #overlooking = new Map<Json, OfFormula>();

  of(value: Json, overlooking: boolean): OfFormula {
    const verdicts = overlooking ? this.#overlooking : this.#strict;
    let ofValue = verdicts.get(value);
    if (ofValue === undefined) {
      ofValue = new Map();
      verdicts.set(value, ofValue);
    }
    return ofValue;
  }
}

/** Once in doubt, what a run answers counts no more. */
interface Run {
  left: number;
  inDoubt: boolean;
  readonly overlooking: boolean;
  readonly known: Verdicts | undefined;
}

/** A value with what was said about it: branchings may share their parts many times over. */
interface Subject {
  readonly value: Json;
  verdicts?: OfFormula;
}

const verdictsOf = (subject: Subject, { known, overlooking }: Run): OfFormula => {
  const { value } = subject;
  subject.verdicts ??=
    known === undefined || typeof value !== 'object' || value === null
      ? new Map()
      : known.of(value, overlooking);
  return subject.verdicts;
};

const check = (subject: Subject, formula: Formula, run: Run): boolean => {
  run.left -= 1;
  if (run.left < 0 || run.inDoubt) return doubt(run);
  switch (formula.kind) {
    case 'all':
    case 'some':
    case 'one':
    case 'reference': {
      const verdicts = verdictsOf(subject, run);
      const known = verdicts.get(formula);
      if (known !== undefined) return known;
      const verdict = checkParts(subject, formula, run);
      if (!run.inDoubt) verdicts.set(formula, verdict);
      return verdict;
    }
    case 'not':
      if (check(subject, formula.part, run)) return false;
      return formula.lenient && run.overlooking ? doubt(run) : true;
    case 'opaque':
      return doubt(run);
    default:
      return checkLiteral(subject.value, formula, run);
  }
};

const checkParts = (
  subject: Subject,
  formula: Formula & { kind: 'all' | 'some' | 'one' | 'reference' },
  run: Run,
): boolean => {
  if (formula.kind === 'reference') return check(subject, formula.target(), run);
  if (formula.kind === 'all') return formula.parts.every((part) => check(subject, part, run));
  if (formula.kind === 'some') return formula.parts.some((part) => check(subject, part, run));
  let holding = 0;
  for (const part of formula.parts) if (check(subject, part, run)) holding += 1;
  return holding === 1;
};

const doubt = (run: Run): boolean => {
  run.inDoubt = true;
  return false;
};

const checkLiteral = (value: Json, literal: Literal, run: Run): boolean => {
  if (literal.kind === 'types') return (typeBits[typeOf(value)] & literal.mask) !== 0;
  if (literal.kind === 'values') return literal.values.has(canonicalJson(value)) === literal.holds;
  if (typeof value === 'number') return checkNumber(value, literal);
  if (typeof value === 'string') return checkString(value, literal, run);
  if (Array.isArray(value)) return checkArray(value, literal, run);
  if (typeof value === 'object' && value !== null)
    return checkObject(value as Readonly<Record<string, Json>>, literal, run);
  return true;
};

const checkNumber = (value: number, literal: Literal): boolean => {
  switch (literal.kind) {
    case 'at-least':
      return literal.exclusive ? value > literal.limit : value >= literal.limit;
    case 'at-most':
      return literal.exclusive ? value < literal.limit : value <= literal.limit;
    case 'multiple-of':
      return isMultipleOf(value, literal.step) === literal.holds;
    default:
      return true;
  }
};

/** In code points, as JSON Schema counts. */
export const lengthOf = (text: string): number => {
  let length = 0;
  for (const _ of text) length += 1;
  return length;
};

const checkString = (value: string, literal: Literal, run: Run): boolean => {
  switch (literal.kind) {
    case 'min-length':
      return value.length >= literal.limit && lengthOf(value) >= literal.limit;
    case 'max-length':
      return value.length <= literal.limit || lengthOf(value) <= literal.limit;
    case 'matches': {
      const matched = literal.pattern.test(value);
      return matched === undefined ? doubt(run) : matched === literal.holds;
    }
    case 'format':
      return hasFormat(literal.name, value) === literal.holds;
    default:
      return true;
  }
};

const checkArray = (value: readonly Json[], literal: Literal, run: Run): boolean => {
  switch (literal.kind) {
    case 'min-items':
      return value.length >= literal.limit;
    case 'max-items':
      return value.length <= literal.limit;
    case 'item': {
      const item = value[literal.index];
      return item === undefined || check({ value: item }, literal.part, run);
    }
    case 'items-from':
      return value.every((item, index) => index < literal.from || check({ value: item }, literal.part, run));
    case 'contains': {
      let holding = 0;
      for (const item of value.slice(literal.from))
        if (check({ value: item }, literal.part, run)) holding += 1;
      return holding >= literal.least && holding <= literal.most;
    }
    case 'unique':
      return (new Set(value.map(canonicalJson)).size === value.length) === literal.holds;
    default:
      return true;
  }
};

const checkObject = (value: Readonly<Record<string, Json>>, literal: Literal, run: Run): boolean => {
  switch (literal.kind) {
    case 'min-properties':
      return Object.keys(value).length >= literal.limit;
    case 'max-properties':
      return Object.keys(value).length <= literal.limit;
    case 'required':
      return Object.hasOwn(value, literal.name) === literal.holds;
    case 'property': {
      const member = Object.hasOwn(value, literal.name) ? value[literal.name] : undefined;
      return member === undefined || check({ value: member }, literal.part, run);
    }
    case 'members':
      return Object.entries(value).every(
        ([name, member]) => !letsIn(literal.guard, name, run) || check({ value: member }, literal.part, run),
      );
    case 'some-member':
      return Object.entries(value).some(
        ([name, member]) => letsIn(literal.guard, name, run) && check({ value: member }, literal.part, run),
      );
    default:
      return true;
  }
};

const letsIn = ({ except, inside, outside }: Guard, name: string, run: Run): boolean =>
  !except.has(name) &&
  inside.every((names) => check({ value: name }, names, run)) &&
  outside.every((names) => !check({ value: name }, names, run));

/** Whether a guard is about members of this name; undefined when that can't be said. */
export const isLetIn = (guard: Guard, name: string): boolean | undefined => {
  const run: Run = { left: limits.checks, inDoubt: false, overlooking: false, known: undefined };
  const verdict = letsIn(guard, name, run);
  return run.inDoubt ? undefined : verdict;
};
