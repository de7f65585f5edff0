import { lengthOf } from '../accepts.ts';
import { formatSamples, hasFormat } from '../formats.ts';
import type { Literal } from '../formula.ts';
import { limits } from '../limits.ts';
import type { Pattern } from '../pattern.ts';
import { excludes } from './excluded.ts';
import { empty, type Found, unknown, valueFound } from './found.ts';

interface Texts {
  readonly least: number;
  readonly most: number;
  readonly matching: readonly Pattern[];
  readonly avoiding: readonly Pattern[];
  readonly formats: readonly string[];
  readonly otherFormats: readonly string[];
}

/** A text that fits all the literals. */
export const findString = (literals: readonly Literal[]): Found => {
  const texts = textsOf(literals);
  if (isEmpty(texts)) return empty;
  if (texts.least > limits.textLength) return unknown('the texts are very long');
  let inDoubt = false;
  const fits = (text: string): boolean => {
    const verdict = matches(texts, text);
    if (verdict === undefined) inDoubt = true;
    return verdict === true && !excludes(literals, text);
  };
  const listed = texts.matching.map((pattern) => pattern.samples());
  const complete =
    listed.find((samples) => samples.complete) ?? (texts.most === 0 ? { texts: [''] } : undefined);
  if (complete !== undefined) {
    const text = complete.texts.find(fits);
    if (text !== undefined) return valueFound(text);
    return inDoubt ? unknown('a pattern could not be decided') : empty;
  }
  const excluded = literals.reduce(
    (count, literal) => count + (literal.kind === 'values' ? literal.values.size : 0),
    0,
  );
  for (const text of candidates(texts, excluded)) if (fits(text)) return valueFound(text);
  return unknown(reasonFor(texts));
};

const reasonFor = ({ matching, avoiding }: Texts): string => {
  const patterns = [...matching, ...avoiding].map(({ source }) => source.slice(0, 60));
  return patterns.length === 0
    ? 'no such text was found'
    : `no text was found for the patterns ${patterns.join(' and ')}`;
};

const textsOf = (literals: readonly Literal[]): Texts => {
  let [least, most] = [0, Number.POSITIVE_INFINITY];
  for (const literal of literals) {
    if (literal.kind === 'min-length') least = Math.max(least, literal.limit);
    if (literal.kind === 'max-length') most = Math.min(most, literal.limit);
  }
  const patterns = literals.flatMap((literal) => (literal.kind === 'matches' ? [literal] : []));
  const formats = literals.flatMap((literal) => (literal.kind === 'format' ? [literal] : []));
  const matching = patterns.filter(({ holds }) => holds).map(({ pattern }) => pattern);
  return {
    least: Math.max(least, ...matching.map((pattern) => pattern.least)),
    most: Math.min(most, ...matching.map((pattern) => pattern.most)),
    matching,
    avoiding: patterns.filter(({ holds }) => !holds).map(({ pattern }) => pattern),
    formats: formats.filter(({ holds }) => holds).map(({ name }) => name),
    otherFormats: formats.filter(({ holds }) => !holds).map(({ name }) => name),
  };
};

const isEmpty = ({ least, most, matching, avoiding, formats, otherFormats }: Texts): boolean =>
  least > most ||
  avoiding.some((pattern) => pattern.universal || matching.includes(pattern)) ||
  otherFormats.some((name) => formats.includes(name));

const matches = (texts: Texts, text: string): boolean | undefined => {
  const length = lengthOf(text);
  if (length < texts.least || length > texts.most) return false;
  if (
    !texts.formats.every((name) => hasFormat(name, text)) ||
    texts.otherFormats.some((name) => hasFormat(name, text))
  )
    return false;
  const verdicts = [
    ...texts.matching.map((pattern) => pattern.test(text)),
    ...texts.avoiding.map((pattern) => negated(pattern.test(text))),
  ];
  if (verdicts.includes(false)) return false;
  return verdicts.includes(undefined) ? undefined : true;
};

const negated = (verdict: boolean | undefined): boolean | undefined =>
  verdict === undefined ? undefined : !verdict;

const assortment = [
  'a',
  '',
  '0',
  'A',
  ' ',
  'a b',
  '1',
  '-',
  '!',
  'é',
  '\n',
  'a\n',
  'abc',
  'ABC-123',
  '12.5',
  'x-a',
  '😀',
];

/** Texts that may fit, likely ones first. */
function* candidates(texts: Texts, excluded: number): Generator<string> {
  for (const pattern of texts.matching) yield* stretched(pattern.samples().texts, texts);
  for (const name of texts.formats) yield* formatSamples(name);
  // Next to a text that an avoided pattern matches there is often one that it does not match.
  if (texts.matching.length === 0) yield* stretched(assortment, texts);
  for (const pattern of texts.avoiding)
    for (const text of pattern.samples().texts.slice(0, 8))
      yield* [`${text}!`, `!${text}`, text.slice(1), text.toUpperCase()];
  for (let count = 0; count <= excluded + 2; count += 1) yield counted(count, texts.least);
}

/** The texts, and longer and shorter forms of them when the lengths ask for it. */
function* stretched(samples: readonly string[], { least, most }: Texts): Generator<string> {
  for (const text of samples) {
    const characters = [...text];
    const last = characters.at(-1) ?? 'a';
    if (characters.length < least) yield text + last.repeat(least - characters.length);
    else if (characters.length > most) yield characters.slice(0, most).join('');
    else yield text;
    if (least > 0 && characters.length > 0) yield text + last.repeat(Math.max(0, least - characters.length));
  }
  for (const text of samples.slice(0, 6)) yield text + (text.at(-1) ?? 'a').repeat(8);
}

const counted = (count: number, least: number): string => {
  const text = count
    .toString(26)
    .replace(/[0-9a-p]/g, (digit) => String.fromCharCode(97 + Number.parseInt(digit, 26)));
  return text.padStart(least, 'a');
};
