export type Tone = 'bold' | 'dim' | 'green' | 'yellow' | 'red';

const CODES: Readonly<Record<Tone, number>> = { bold: 1, dim: 2, green: 32, yellow: 33, red: 31 };

/** Colour only on a terminal, and not when NO_COLOR is set. */
export function colourWanted(stream: { readonly isTTY?: boolean }): boolean {
  return stream.isTTY === true && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb';
}

/** A piece of a line; its tone does not count for its width. */
export interface Piece {
  readonly text: string;
  readonly tone?: Tone;
}

export type Line = readonly Piece[];

/** Cuts a line to the width of the terminal and paints what is left. */
export function paint(line: Line, width: number, colour: boolean): string {
  let left = width;
  let painted = '';
  for (const { text, tone } of line) {
    if (left <= 0) break;
    const characters = [...text];
    const shown = characters.length > left ? `${characters.slice(0, left - 1).join('')}…` : text;
    left -= Math.min(characters.length, left);
    painted += colour && tone !== undefined ? `\u001b[${CODES[tone]}m${shown}\u001b[0m` : shown;
  }
  return painted;
}

const BARS = '▁▂▃▄▅▆▇█';

export function sparkline(values: readonly number[]): string {
  const highest = Math.max(...values, 0);
  if (highest === 0) return BARS[0]?.repeat(values.length) ?? '';
  return values.map((value) => BARS[Math.round((value / highest) * (BARS.length - 1))]).join('');
}

export function column(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const cut = text.length > width ? `${text.slice(0, width - 1)}…` : text;
  return align === 'left' ? cut.padEnd(width) : cut.padStart(width);
}

/** `1 key`, `9 keys`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
