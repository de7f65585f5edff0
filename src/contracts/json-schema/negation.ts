import { type Formula, type Literal, type Not, typeBits } from './formula.ts';
import type { Formulas } from './formulas.ts';

/** A negation pushed one level inwards: what remains to be negated stands inside of the parts. */
export const expandNot = (formulas: Formulas, { part, lenient }: Not): Formula => {
  switch (part.kind) {
    case 'all':
      return formulas.some(part.parts.map((inner) => formulas.not(inner, lenient)));
    case 'some':
      return formulas.all(part.parts.map((inner) => formulas.not(inner, lenient)));
    case 'one': {
      const noneHolds = formulas.all(part.parts.map((inner) => formulas.not(inner, lenient)));
      // Leniently, a value that fits two branches is not refused.
      return lenient ? noneHolds : formulas.some([noneHolds, twoOf(formulas, part.parts)]);
    }
    case 'not':
      return part.part;
    case 'reference':
      return formulas.not(part.target(), lenient);
    case 'opaque':
      // Another formula than the part, which would contradict what is being expanded.
      return formulas.opaque(`not ${part.id}`, part.reason);
    default:
      return negatedLiteral(formulas, part, lenient);
  }
};

const twoOf = (formulas: Formulas, [first, ...others]: readonly Formula[]): Formula =>
  first === undefined
    ? formulas.none
    : formulas.some([formulas.all([first, formulas.some(others)]), twoOf(formulas, others)]);

const negatedLiteral = (formulas: Formulas, literal: Literal, lenient: boolean): Formula => {
  switch (literal.kind) {
    case 'types':
      return formulas.not(literal);
    case 'values':
      return formulas.values(literal.values, !literal.holds);
    case 'at-least':
      return ofType(formulas, 'number', formulas.bound('at-most', literal.limit, !literal.exclusive));
    case 'at-most':
      return ofType(formulas, 'number', formulas.bound('at-least', literal.limit, !literal.exclusive));
    case 'multiple-of':
      return ofType(formulas, 'number', formulas.multipleOf(literal.step, !literal.holds));
    case 'min-length':
      return ofType(formulas, 'string', formulas.limit('max-length', literal.limit - 1));
    case 'max-length':
      return ofType(formulas, 'string', formulas.limit('min-length', literal.limit + 1));
    case 'matches':
      return ofType(formulas, 'string', formulas.matches(literal.pattern.source, !literal.holds));
    case 'format':
      return ofType(formulas, 'string', formulas.format(literal.name, !literal.holds));
    case 'min-items':
    case 'max-items':
    case 'item':
    case 'items-from':
    case 'contains':
    case 'unique':
      return ofType(formulas, 'array', negatedArrayLiteral(formulas, literal, lenient));
    case 'min-properties':
      return ofType(formulas, 'object', formulas.limit('max-properties', literal.limit - 1));
    case 'max-properties':
      return ofType(formulas, 'object', formulas.limit('min-properties', literal.limit + 1));
    case 'required':
      return ofType(formulas, 'object', formulas.required(literal.name, !literal.holds));
    case 'property':
    case 'members':
    case 'some-member':
      return ofType(formulas, 'object', negatedMembers(formulas, literal, lenient));
    default:
      // What lenience asks about the other side is never negated.
      return formulas.any;
  }
};

const ofType = (
  formulas: Formulas,
  type: 'number' | 'string' | 'array' | 'object',
  literal: Formula,
): Formula => formulas.all([formulas.types(typeBits[type]), literal]);

const endless = Number.POSITIVE_INFINITY;

const negatedArrayLiteral = (
  formulas: Formulas,
  literal: Literal & { kind: 'min-items' | 'max-items' | 'item' | 'items-from' | 'contains' | 'unique' },
  lenient: boolean,
): Formula => {
  switch (literal.kind) {
    case 'min-items':
      return formulas.limit('max-items', literal.limit - 1);
    case 'max-items':
      return formulas.limit('min-items', literal.limit + 1);
    case 'item':
      return formulas.all([
        formulas.limit('min-items', literal.index + 1),
        formulas.item(literal.index, formulas.not(literal.part, lenient), false),
        ...(lenient ? [formulas.declaredItem(literal.index)] : []),
      ]);
    case 'items-from': {
      const { from, part } = literal;
      return formulas.contains({ from, part: formulas.not(part, lenient), least: 1, most: endless });
    }
    case 'contains': {
      const { from, part, least, most } = literal;
      return formulas.some([
        ...(least === 0 ? [] : [formulas.contains({ from, part, least: 0, most: least - 1 })]),
        ...(most === endless ? [] : [formulas.contains({ from, part, least: most + 1, most: endless })]),
      ]);
    }
    default:
      return formulas.unique(!literal.holds);
  }
};

const negatedMembers = (
  formulas: Formulas,
  literal: Literal & { kind: 'property' | 'members' | 'some-member' },
  lenient: boolean,
): Formula => {
  const part = formulas.not(literal.part, lenient);
  if (literal.kind === 'property')
    return formulas.all([
      formulas.required(literal.name),
      formulas.property(literal.name, part, false),
      ...(lenient ? [formulas.declaredProperty(literal.name)] : []),
    ]);
  const { guard } = literal;
  if (literal.kind === 'some-member') return formulas.members(guard, part);
  const isRest = guard.role === 'additional' || guard.role === 'unevaluated';
  // Leniently, a closed object refuses nobody, and other members than those it names are taken to be absent.
  if (lenient && isRest && literal.part === formulas.none) return formulas.none;
  return formulas.someMember(guard, part, lenient && isRest);
};
