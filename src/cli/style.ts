export type Paint = (text: string) => string;

/** The few colours in use; all of them do nothing where colour is not wanted. */
export interface Style {
  readonly bold: Paint;
  readonly dim: Paint;
  readonly red: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
  readonly cyan: Paint;
}

const escaped = (on: number, off: number): Paint => {
  return (text) => (text === '' ? '' : `\u001b[${on}m${text}\u001b[${off}m`);
};
const plain: Paint = (text) => text;

export const styleOf = (colour: boolean): Style => {
  const paint = (on: number, off: number): Paint => (colour ? escaped(on, off) : plain);
  return {
    bold: paint(1, 22),
    dim: paint(2, 22),
    red: paint(31, 39),
    green: paint(32, 39),
    yellow: paint(33, 39),
    cyan: paint(36, 39),
  };
};

// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what escape sequences begin with
const escapes = /\u001b\[[0-9;]*m/g;
const segments = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
/** Wide in a terminal: East Asian scripts and most pictures. */
const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;

const segmentWidth = (segment: string): number => (wide.test(segment) ? 2 : 1);

/** Columns that a text takes in a terminal; escape sequences take none. */
export const textWidth = (text: string): number => {
  const bare = text.replace(escapes, '');
  let width = 0;
  for (const { segment } of segments.segment(bare)) width += segmentWidth(segment);
  return width;
};

/** Control characters in data (keys, messages) must not steer the terminal: they are shown as escapes, line breaks as spaces. */
export const printable = (text: string): string =>
  text
    .replace(/\s*[\r\n]+\s*/g, ' ')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these are meant
    .replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, (character) => {
      return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
    });

/** The text, or as much of it as fits with an ellipsis. For text without escape sequences. */
export const truncate = (text: string, width: number): string => {
  if (textWidth(text) <= width) return text;
  if (width < 1) return '';
  let cut = '';
  let taken = 0;
  for (const { segment } of segments.segment(text)) {
    taken += segmentWidth(segment);
    if (taken > width - 1) break;
    cut += segment;
  }
  return `${cut.trimEnd()}…`;
};

/** As `truncate`, for text with escape sequences; what is cut loses its colour. */
export const truncatePainted = (text: string, width: number): string =>
  textWidth(text) <= width ? text : truncate(text.replace(escapes, ''), width);

/** What may come next: in one line where the width does, else a line each. */
export const hintLines = (
  hints: readonly string[],
  { width, style }: { readonly width: number; readonly style: Style },
): string[] => {
  const line = hints.join(' · ');
  const lines = textWidth(line) <= width ? [line] : hints.flatMap((hint) => wrap(hint, width));
  return lines.map(style.dim);
};

/** Lines of at most `width` columns, broken at spaces. */
export const wrap = (text: string, width: number): string[] => {
  const lines: string[] = [];
  for (const paragraph of text.split('\n')) {
    let line = '';
    for (const word of paragraph.split(' ')) {
      if (line !== '' && textWidth(line) + 1 + textWidth(word) > width) {
        lines.push(line);
        line = word;
      } else line = line === '' ? word : `${line} ${word}`;
    }
    lines.push(line);
  }
  return lines;
};

/** A mark, and a text behind it that goes on below. */
export const marked = (
  text: string,
  { mark, width }: { readonly mark: string; readonly width: number },
): string[] => wrap(text, width - 2).map((line, index) => `${index === 0 ? mark : ' '} ${line}`);

/** One entry of a list: what does not fit its line goes on below, further in. */
export const hanging = (text: string, width: number): string[] =>
  wrap(printable(text), Math.max(width - 6, 20)).map(
    (line, index) => `${index === 0 ? '  ' : '      '}${line}`,
  );
