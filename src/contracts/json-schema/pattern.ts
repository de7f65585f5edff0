import { RecentlyUsed } from '../recently-used.ts';
import { isAnchored, isRisky, lengthsOf, parseExpression, type ReadExpression } from './expression.ts';
import { textsOf, wordsOf } from './expression-texts.ts';
import { limits } from './limits.ts';

/** A `pattern` of a schema. */
export interface Pattern {
  readonly source: string;
  /** Undefined when that can't be said: the expression is none of ECMAScript, or could take for ever on this text. */
  readonly test: (text: string) => boolean | undefined;
  /** Matches every text: `.*`, `^`, nothing. */
  readonly universal: boolean;
  /** Code points of the texts that match. */
  readonly least: number;
  readonly most: number;
  /** Texts that match, most of them at least. `complete`: there are no others. */
  readonly samples: () => { readonly texts: readonly string[]; readonly complete: boolean };
}

const universal = /^\^?(?:\.\*)?\$?$/;

/** `^.*$` is not universal: the dot does not match a line end. */
const isUniversal = (source: string): boolean =>
  universal.test(source) && source !== '^.*$' && source !== '^$';

/** Many schemas escape characters that the mode `u` forbids to escape; without it they mean the same. */
const compile = (source: string): { test: RegExp; unicode: boolean } | undefined => {
  for (const flags of ['u', '']) {
    try {
      return { test: new RegExp(source, flags), unicode: flags === 'u' };
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
  return undefined;
};

/** The same few expressions come up in schema after schema. */
const known = new RecentlyUsed<Pattern>(500);

export const patternOf = (source: string): Pattern => {
  const pattern = known.get(source) ?? newPattern(source);
  known.keep(source, pattern);
  return pattern;
};

const newPattern = (source: string): Pattern => {
  const compiled = compile(source);
  const read = compiled === undefined ? undefined : parseExpression(source);
  const risky = read === undefined || isRisky(read.expression);
  // Without the mode `u`, lengths are counted otherwise and `\u{61}` is something else: nothing may be concluded.
  const lengths = read !== undefined && compiled?.unicode === true ? lengthsOf(read.expression) : undefined;
  const anchored = read !== undefined && compiled?.unicode === true && isAnchored(read.expression);
  const test = (text: string): boolean | undefined =>
    compiled === undefined || (risky && text.length > limits.riskyTextLength)
      ? undefined
      : compiled.test.test(text);
  let samples: ReturnType<Pattern['samples']> | undefined;
  return {
    source,
    test,
    universal: isUniversal(source),
    least: lengths?.least ?? 0,
    most: anchored && lengths !== undefined ? lengths.most : Number.POSITIVE_INFINITY,
    samples: () => {
      samples ??= read === undefined ? { texts: [], complete: false } : samplesOf(read, anchored, test);
      return samples;
    },
  };
};

const samplesOf = (
  { expression, vague }: ReadExpression,
  anchored: boolean,
  test: Pattern['test'],
): ReturnType<Pattern['samples']> => {
  const words = anchored && !vague ? wordsOf(expression) : undefined;
  if (words !== undefined)
    return {
      texts: words.filter((text) => test(text) === true),
      complete: words.every((text) => test(text) !== undefined),
    };
  return { texts: textsOf(expression, anchored).filter((text) => test(text) === true), complete: false };
};
