import type { Formula, Guard } from './formula.ts';
import { typeNames } from './masks.ts';
import { rationalText } from './rational.ts';

const textMax = 100;

const cut = (text: string): string => (text.length > textMax ? `${text.slice(0, textMax - 1)}…` : text);

/** A few words for a formula, for people. */
export const describe = (formula: Formula, depth = 0): string => cut(words(formula, depth));

const shownMax = 6;

const listed = (texts: readonly string[], word: string, count: number = texts.length): string => {
  const shown = texts.slice(0, shownMax);
  return shown.join(word) + (count > shown.length ? `${word}${count - shown.length} more` : '');
};

const words = (formula: Formula, depth: number): string => {
  if (depth > 2) return '…';
  switch (formula.kind) {
    case 'all':
      return formula.parts.length === 0 ? 'any value' : allWords(formula.parts, depth);
    case 'some':
      return formula.parts.length === 0 ? 'no value' : branchWords(formula.parts, depth);
    case 'one':
      return `exactly one of: ${branchWords(formula.parts, depth)}`;
    case 'not':
      return `not (${describe(formula.part, depth + 1)})`;
    case 'reference':
      return 'the same again';
    case 'opaque':
      return formula.reason;
    case 'types':
      return typeNames(formula.mask).join(' or ');
    case 'values': {
      const values = `${formula.values.size === 1 ? '' : 'one of '}${listed([...formula.values.keys()], ', ')}`;
      return formula.holds ? values : `not ${values}`;
    }
    default:
      return literalWords(formula, depth);
  }
};

const branchWords = (parts: readonly Formula[], depth: number): string => {
  const texts = parts.slice(0, shownMax).map((part) => describe(part, depth + 1));
  return listed(texts, ' or ', parts.length);
};

/** `integer` says it shorter than a number that is a multiple of 1. */
const allWords = (parts: readonly Formula[], depth: number): string => {
  const integer = parts.find(isInteger);
  const types = parts.find(({ kind }) => kind === 'types');
  const rest = parts.filter((part) => part !== types && (part !== integer || types === undefined));
  const head = types === undefined ? [] : [typesText(types, integer !== undefined)];
  const texts = [...head, ...rest.slice(0, shownMax).map((part) => words(part, depth))];
  return listed(texts, ', ', head.length + rest.length);
};

export const isInteger = (formula: Formula): boolean =>
  formula.kind === 'multiple-of' &&
  formula.holds &&
  formula.step.numerator === 1n &&
  formula.step.denominator === 1n;

const typesText = (types: Formula, integer: boolean): string => {
  const names = types.kind === 'types' ? typeNames(types.mask) : [];
  return names.map((name) => (integer && name === 'number' ? 'integer' : name)).join(' or ');
};

const literalWords = (
  literal: Exclude<
    Formula,
    { kind: 'all' | 'some' | 'one' | 'not' | 'reference' | 'opaque' | 'types' | 'values' }
  >,
  depth: number,
): string => {
  switch (literal.kind) {
    case 'at-least':
      return `${literal.exclusive ? 'above' : 'at least'} ${literal.limit}`;
    case 'at-most':
      return `${literal.exclusive ? 'below' : 'at most'} ${literal.limit}`;
    case 'multiple-of':
      return `${literal.holds ? '' : 'not '}a multiple of ${rationalText(literal.step)}`;
    case 'matches':
      return `${literal.holds ? 'pattern' : 'not pattern'} ${literal.pattern.source}`;
    case 'format':
      return `${literal.holds ? 'format' : 'not format'} ${literal.name}`;
    case 'min-length':
    case 'max-length':
      return `${literal.kind.startsWith('min') ? 'at least' : 'at most'} ${literal.limit} characters`;
    case 'min-items':
    case 'max-items':
      return `${literal.kind.startsWith('min') ? 'at least' : 'at most'} ${literal.limit} items`;
    case 'min-properties':
    case 'max-properties':
      return `${literal.kind.startsWith('min') ? 'at least' : 'at most'} ${literal.limit} members`;
    case 'required':
      return `${literal.name} ${literal.holds ? 'required' : 'absent'}`;
    case 'property':
      return `${literal.name}: ${describe(literal.part, depth + 1)}`;
    case 'members':
      return `${guardWords(literal.guard)}: ${describe(literal.part, depth + 1)}`;
    case 'some-member':
      return `some of ${guardWords(literal.guard)}: ${describe(literal.part, depth + 1)}`;
    case 'item':
      return `item ${literal.index}: ${describe(literal.part, depth + 1)}`;
    case 'items-from':
      return `items${literal.from === 0 ? '' : ` from ${literal.from} on`}: ${describe(literal.part, depth + 1)}`;
    case 'contains':
      return `contains ${literal.least} to ${literal.most}: ${describe(literal.part, depth + 1)}`;
    case 'unique':
      return literal.holds ? 'items all different' : 'items repeated';
    default:
      return 'declared';
  }
};

const guardWords = ({ role, inside, outside }: Guard): string => {
  if (role === 'pattern') return `members of ${inside.map((names) => describe(names, 2)).join(' and ')}`;
  if (role === 'names') return `names other than ${outside.map((names) => describe(names, 2)).join(' and ')}`;
  return 'other members';
};
