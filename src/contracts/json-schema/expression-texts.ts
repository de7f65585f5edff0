import type { Expression, Range } from './expression.ts';
import { limits } from './limits.ts';

const wordsMax = 200;
const variations = 48;

const sizeOf = (ranges: readonly Range[]): number =>
  ranges.reduce((sum, [first, last]) => sum + Math.max(0, last - first + 1), 0);

const joined = (left: readonly string[], right: readonly string[]): string[] | undefined =>
  left.length * right.length > wordsMax
    ? undefined
    : left.flatMap((head) => right.map((tail) => head + tail));

/** All texts that the expression describes when it spans the whole text, or undefined when they are many. */
export const wordsOf = (expression: Expression): string[] | undefined => {
  switch (expression.kind) {
    case 'characters':
      if (sizeOf(expression.ranges) > wordsMax) return undefined;
      return expression.ranges.flatMap(([first, last]) =>
        Array.from({ length: Math.max(0, last - first + 1) }, (_, index) =>
          String.fromCodePoint(first + index),
        ),
      );
    case 'sequence':
      return sequenceWords(expression.parts);
    case 'choice': {
      const words: string[] = [];
      for (const part of expression.parts) {
        const of = wordsOf(part);
        if (of === undefined || words.length + of.length > wordsMax) return undefined;
        words.push(...of);
      }
      return words;
    }
    case 'repeat':
      return repeatWords(expression);
    case 'anything':
      return undefined;
    default:
      return [''];
  }
};

const sequenceWords = (parts: readonly Expression[]): string[] | undefined => {
  let words: string[] | undefined = [''];
  for (const part of parts) {
    const of = wordsOf(part);
    if (of === undefined || words === undefined) return undefined;
    words = joined(words, of);
  }
  return words;
};

const repeatWords = ({ part, least, most }: Expression & { kind: 'repeat' }): string[] | undefined => {
  const words = most <= wordsMax ? wordsOf(part) : undefined;
  if (words === undefined) return undefined;
  const all: string[] = [];
  let power: string[] | undefined = [''];
  for (let times = 0; times <= most; times += 1) {
    if (power === undefined || all.length + power.length > wordsMax) return undefined;
    if (times >= least) all.push(...power);
    power = joined(power, words);
  }
  return all;
};

/** Makes different decisions each time, and the same ones in every run. */
class Decisions {
  #state: number;
  readonly #bold: boolean;

  constructor(seed: number) {
    this.#state = seed * 7919 + 17;
    // The first text takes the shortest way everywhere.
    this.#bold = seed > 0;
  }

  below(bound: number): number {
    if (!this.#bold || bound <= 1) return 0;
    this.#state = (this.#state * 1103515245 + 12345) % 2147483648;
    return Math.floor((this.#state / 2147483648) * bound);
  }
}

/** Letters and digits are liked better than control characters. */
const likedOf = (ranges: readonly Range[]): readonly Range[] => {
  const liked = ranges.flatMap(([first, last]): Range[] =>
    [
      [97, 122],
      [48, 57],
      [65, 90],
      [32, 126],
    ].flatMap(([low = 0, high = 0]): Range[] =>
      Math.max(low, first) <= Math.min(high, last) ? [[Math.max(low, first), Math.min(high, last)]] : [],
    ),
  );
  return liked.length === 0 ? ranges : liked;
};

const characterOf = (ranges: readonly Range[], decisions: Decisions): string => {
  const rare = decisions.below(6) === 5;
  const [first, last] = (rare ? ranges : likedOf(ranges))[
    decisions.below((rare ? ranges : likedOf(ranges)).length)
  ] ?? [97, 97];
  return String.fromCodePoint(first + decisions.below(Math.min(last - first + 1, 400)));
};

const textOf = (expression: Expression, decisions: Decisions): string => {
  switch (expression.kind) {
    case 'characters':
      return expression.ranges.length === 0 ? '' : characterOf(expression.ranges, decisions);
    case 'sequence':
      return expression.parts.map((part) => textOf(part, decisions)).join('');
    case 'choice': {
      const part = expression.parts[decisions.below(expression.parts.length)];
      return part === undefined ? '' : textOf(part, decisions);
    }
    case 'repeat': {
      const spread = Math.min(expression.most - expression.least, 4);
      const times = expression.least + decisions.below(spread + 1);
      let text = '';
      for (let done = 0; done < times && text.length < limits.textLength; done += 1)
        text += textOf(expression.part, decisions);
      return text;
    }
    default:
      return '';
  }
};

/** Texts that probably match, short ones first. */
export const textsOf = (expression: Expression, anchored: boolean): string[] => {
  const texts = new Set<string>();
  for (let seed = 0; seed < variations; seed += 1) {
    const text = textOf(expression, new Decisions(seed));
    texts.add(text);
    if (!anchored && seed % 4 === 1)
      for (const around of [`a${text}`, `${text}a`, `0${text}0`, `${text} b`]) texts.add(around);
  }
  return [...texts];
};
