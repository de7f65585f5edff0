const repeatsMax = 64;
const lengthMax = 1_000;

interface Cursor {
  readonly source: string;
  at: number;
  /** How often what may be repeated is repeated, where the pattern allows it. */
  readonly repeats: number;
}

/**
 * A text that a regular expression matches, for the expressions that schemas use: literals, classes, groups, alternatives and
 * counts. Null for everything else.
 * @example sampleOfPattern('^[A-Z]{2}-\\d+$') // 'AA-1'
 */
export const sampleOfPattern = (pattern: string, lengthMin = 0): string | null => {
  for (const repeats of [1, 2, lengthMin]) {
    const cursor: Cursor = { source: pattern, at: 0, repeats: Math.min(repeats, lengthMax) };
    const text = alternatives(cursor);
    if (text === null || cursor.at < pattern.length) return null;
    try {
      if (text.length >= lengthMin && new RegExp(pattern, 'u').test(text)) return text;
    } catch {
      return null;
    }
  }
  return null;
};

/** Reads up to the end of the group and answers its first alternative. */
const alternatives = (cursor: Cursor): string | null => {
  let first: string | null = null;
  for (;;) {
    const text = sequence(cursor);
    if (text === null) return null;
    first ??= text;
    if (cursor.source[cursor.at] !== '|') return first;
    cursor.at += 1;
  }
};

const sequence = (cursor: Cursor): string | null => {
  let text = '';
  while (cursor.at < cursor.source.length && !'|)'.includes(cursor.source[cursor.at] ?? '')) {
    const one = atom(cursor);
    if (one === null) return null;
    text += one.repeat(count(cursor));
    if (text.length > lengthMax) return null;
  }
  return text;
};

const atom = (cursor: Cursor): string | null => {
  const character = cursor.source[cursor.at];
  cursor.at += 1;
  switch (character) {
    case '^':
    case '$':
      return '';
    case '.':
      return 'a';
    case '[':
      return characterClass(cursor);
    case '(':
      return group(cursor);
    case '\\':
      return escaped(cursor);
    case '*':
    case '+':
    case '?':
    case '{':
    case undefined:
      return null;
    default:
      return character;
  }
};

const group = (cursor: Cursor): string | null => {
  // Looking ahead or behind is not followed: the sample is tested in the end.
  const looking = /^\?(?:<?[=!])/.exec(cursor.source.slice(cursor.at));
  const named = /^\?(?::|<[^>]+>)/.exec(cursor.source.slice(cursor.at));
  cursor.at += looking?.[0].length ?? named?.[0].length ?? 0;
  const inside = alternatives(cursor);
  if (cursor.source[cursor.at] !== ')') return null;
  cursor.at += 1;
  return looking === null ? inside : '';
};

const shorthand: Readonly<Record<string, string>> = { d: '1', w: 'a', s: ' ', D: 'a', W: '-', S: 'a', b: '' };

const escaped = (cursor: Cursor): string | null => {
  const character = cursor.source[cursor.at] ?? '';
  cursor.at += 1;
  if (Object.hasOwn(shorthand, character)) return shorthand[character] ?? null;
  return /[a-zA-Z0-9]/.test(character) ? null : character;
};

/** The first printable character that the class holds. */
const characterClass = (cursor: Cursor): string | null => {
  const rest = cursor.source.slice(cursor.at);
  const end = /^\^?(?:\\.|[^\]\\])*\]/.exec(rest)?.[0];
  if (end === undefined) return null;
  cursor.at += end.length;
  try {
    const holds = new RegExp(`^[${end}$`, 'u');
    return (
      [...'aA1-_ .:/@#+'].find((character) => holds.test(character)) ??
      allPrintable.find((character) => holds.test(character)) ??
      null
    );
  } catch {
    return null;
  }
};

const allPrintable: readonly string[] = Array.from({ length: 95 }, (_, index) =>
  String.fromCharCode(32 + index),
);

/** How often the atom before is repeated. */
const count = (cursor: Cursor): number => {
  const quantifier = /^(?:[*+?]|\{(\d+)(,(\d*))?\})\??/.exec(cursor.source.slice(cursor.at));
  if (quantifier === null) return 1;
  cursor.at += quantifier[0].length;
  const [text, least, open, most] = quantifier;
  if (text.startsWith('?')) return 1;
  if (least === undefined) return cursor.repeats;
  const high = open === undefined ? Number(least) : most === '' ? lengthMax : Number(most);
  return Math.min(
    Math.max(Number(least), Math.min(cursor.repeats, high)),
    Math.max(Number(least), repeatsMax),
  );
};
