/**
 * A regular expression as far as it is needed to make up texts that match and to bound their lengths. What it leaves out
 * (looking around, word boundaries) only ever makes fewer texts match, so lengths and lists stay on the safe side.
 */
export type Expression =
  | { readonly kind: 'characters'; readonly ranges: readonly Range[] }
  | { readonly kind: 'sequence'; readonly parts: readonly Expression[] }
  | { readonly kind: 'choice'; readonly parts: readonly Expression[] }
  | { readonly kind: 'repeat'; readonly part: Expression; readonly least: number; readonly most: number }
  | { readonly kind: 'start' | 'end' | 'assertion' }
  /** Depends on what another part matched. */
  | { readonly kind: 'anything' };

/** First and last code point. */
export type Range = readonly [number, number];

const lastCodePoint = 0x10ffff;
const digits: readonly Range[] = [[48, 57]];
const wordCharacters: readonly Range[] = [
  [97, 122],
  [48, 57],
  [65, 90],
  [95, 95],
];
const spaces: readonly Range[] = [
  [32, 32],
  [9, 13],
  [160, 160],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];
const lineEnds: readonly Range[] = [
  [10, 10],
  [13, 13],
  [0x2028, 0x2029],
];

const without = (ranges: readonly Range[]): Range[] => {
  const kept: Range[] = [];
  let next = 0;
  for (const [first, last] of [...ranges].sort((left, right) => left[0] - right[0])) {
    if (first > next) kept.push([next, first - 1]);
    next = Math.max(next, last + 1);
  }
  if (next <= lastCodePoint) kept.push([next, lastCodePoint]);
  return kept;
};

const classes: Readonly<Record<string, readonly Range[]>> = {
  d: digits,
  w: wordCharacters,
  s: spaces,
  D: without(digits),
  W: without(wordCharacters),
  S: without(spaces),
};

const controls: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13, '0': 0 };

/** A sample of what a Unicode property holds; enough to make texts up, which are checked against the pattern anyway. */
const propertySample = (name: string): readonly Range[] => {
  if (/^(N|Nd|Number)/.test(name)) return digits;
  if (/^(Lu|Uppercase)/.test(name)) return [[65, 90]];
  if (/^(P|S|Punct)/.test(name)) return [[33, 47]];
  if (/^(Z|White)/.test(name)) return [[32, 32]];
  return [[97, 122]];
};

class Unreadable {}

class Parser {
  readonly #text: string;
  #at = 0;
  /** A sample stands for a set, or a part depends on what another part matched: no list is complete. */
  vague = false;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Expression {
    const expression = this.#choice();
    if (this.#at < this.#text.length) throw new Unreadable();
    return expression;
  }

  #peek(): string {
    return this.#text[this.#at] ?? '';
  }

  #take(expected: string): boolean {
    if (!this.#text.startsWith(expected, this.#at)) return false;
    this.#at += expected.length;
    return true;
  }

  #takeMatch(expression: RegExp): RegExpExecArray | null {
    expression.lastIndex = this.#at;
    const found = expression.exec(this.#text);
    if (found !== null) this.#at += found[0].length;
    return found;
  }

  #choice(): Expression {
    const parts = [this.#sequence()];
    while (this.#take('|')) parts.push(this.#sequence());
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : { kind: 'choice', parts };
  }

  #sequence(): Expression {
    const parts: Expression[] = [];
    while (this.#at < this.#text.length && this.#peek() !== '|' && this.#peek() !== ')')
      parts.push(this.#repeated());
    return { kind: 'sequence', parts };
  }

  #repeated(): Expression {
    const part = this.#atom();
    const counts = this.#takeMatch(/(?:([*+?])|\{(\d+)(,?)(\d*)\})\??/y);
    if (counts === null) return part;
    const [, sign, least = '', comma, most = ''] = counts;
    if (sign !== undefined)
      return {
        kind: 'repeat',
        part,
        least: sign === '+' ? 1 : 0,
        most: sign === '?' ? 1 : Number.POSITIVE_INFINITY,
      };
    const upper = most === '' ? Number.POSITIVE_INFINITY : Number(most);
    return { kind: 'repeat', part, least: Number(least), most: comma === '' ? Number(least) : upper };
  }

  #atom(): Expression {
    if (this.#take('^')) return { kind: 'start' };
    if (this.#take('$')) return { kind: 'end' };
    if (this.#take('.')) return { kind: 'characters', ranges: without(lineEnds) };
    if (this.#take('(')) return this.#group();
    if (this.#take('[')) return { kind: 'characters', ranges: this.#characterClass() };
    if (this.#take('\\')) return this.#escape();
    if (/[*+?]/.test(this.#peek())) throw new Unreadable();
    return { kind: 'characters', ranges: [this.#character()] };
  }

  #group(): Expression {
    const looking = this.#takeMatch(/\?<?[=!]/y) !== null;
    if (!looking && this.#peek() === '?' && this.#takeMatch(/\?(?::|<[\w$]+>)/y) === null)
      throw new Unreadable();
    const inner = this.#choice();
    if (!this.#take(')')) throw new Unreadable();
    return looking ? { kind: 'assertion' } : inner;
  }

  #escape(): Expression {
    if (this.#takeMatch(/[bB]/y) !== null) return { kind: 'assertion' };
    if (this.#takeMatch(/[1-9]\d*|k<[^>]*>/y) !== null) {
      this.vague = true;
      return { kind: 'anything' };
    }
    return { kind: 'characters', ranges: this.#escaped() };
  }

  /** After a backslash: a set or one character. */
  #escaped(): readonly Range[] {
    const property = this.#takeMatch(/([pP])\{(?:[\w]+=)?(\w+)\}/y);
    if (property !== null) {
      this.vague = true;
      const sample = propertySample(property[2] ?? '');
      return property[1] === 'p' ? sample : without(sample).filter(([first]) => first < 128);
    }
    const hex = this.#takeMatch(/u\{([\da-fA-F]+)\}|u([\da-fA-F]{4})|x([\da-fA-F]{2})/y);
    if (hex !== null) {
      const point = Number.parseInt(hex[1] ?? hex[2] ?? hex[3] ?? '', 16);
      return [[point, point]];
    }
    const [letter] = this.#takeMatch(/[dDwWsS]/y) ?? [];
    if (letter !== undefined) return classes[letter] ?? [];
    if (this.#peek() === 'c') throw new Unreadable();
    const [control] = this.#takeMatch(/[tnvfr0]/y) ?? [];
    const point = control === undefined ? undefined : controls[control];
    return [point === undefined ? this.#character() : [point, point]];
  }

  #character(): Range {
    const point = this.#text.codePointAt(this.#at);
    if (point === undefined) throw new Unreadable();
    this.#at += point > 0xffff ? 2 : 1;
    return [point, point];
  }

  #characterClass(): Range[] {
    const negated = this.#take('^');
    const ranges: Range[] = [];
    while (!this.#take(']')) {
      const low = this.#classMember();
      const single = low.length === 1 ? low[0] : undefined;
      if (single === undefined || this.#peek() !== '-' || this.#text[this.#at + 1] === ']') {
        ranges.push(...low);
        continue;
      }
      this.#at += 1;
      const high = this.#classMember();
      ranges.push([single[0], high[0]?.[1] ?? single[0]]);
    }
    return negated ? without(ranges) : ranges;
  }

  #classMember(): readonly Range[] {
    if (!this.#take('\\')) return [this.#character()];
    return this.#take('b') ? [[8, 8]] : this.#escaped();
  }
}

export interface ReadExpression {
  readonly expression: Expression;
  readonly vague: boolean;
}

/** Undefined for what this does not understand. */
export const parseExpression = (text: string): ReadExpression | undefined => {
  const parser = new Parser(text);
  try {
    return { expression: parser.parse(), vague: parser.vague };
  } catch (error) {
    if (error instanceof Unreadable || error instanceof RangeError) return undefined;
    throw error;
  }
};

/** How many code points the part matches. */
export const lengthsOf = (expression: Expression): { least: number; most: number } => {
  switch (expression.kind) {
    case 'characters':
      return { least: 1, most: 1 };
    case 'repeat': {
      const part = lengthsOf(expression.part);
      return {
        least: part.least * expression.least,
        most: part.most === 0 || expression.most === 0 ? 0 : part.most * expression.most,
      };
    }
    case 'sequence': {
      const parts = expression.parts.map(lengthsOf);
      return {
        least: parts.reduce((sum, part) => sum + part.least, 0),
        most: parts.reduce((sum, part) => sum + part.most, 0),
      };
    }
    case 'choice': {
      const parts = expression.parts.map(lengthsOf);
      return {
        least: Math.min(...parts.map((part) => part.least)),
        most: Math.max(...parts.map((part) => part.most)),
      };
    }
    case 'anything':
      return { least: 0, most: Number.POSITIVE_INFINITY };
    default:
      return { least: 0, most: 0 };
  }
};

/** Whether every match spans the whole text. */
export const isAnchored = (expression: Expression): boolean =>
  expression.kind === 'sequence'
    ? (expression.parts[0]?.kind === 'start' && expression.parts.at(-1)?.kind === 'end') ||
      (expression.parts.length === 1 && expression.parts[0] !== undefined && isAnchored(expression.parts[0]))
    : expression.kind === 'choice' && expression.parts.every(isAnchored);

/** Whether a repetition without end stands inside another one: such patterns can take exponential time. */
export const isRisky = (expression: Expression, repeated = false): boolean => {
  switch (expression.kind) {
    case 'repeat': {
      const endless = expression.most > 32;
      return (repeated && endless) || isRisky(expression.part, repeated || endless);
    }
    case 'sequence':
    case 'choice':
      return expression.parts.some((part) => isRisky(part, repeated));
    default:
      return false;
  }
};
