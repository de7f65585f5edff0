import { type Paint, type Style, textWidth, truncate } from './style.ts';

export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string;
  readonly align?: 'left' | 'right';
  /** Colours a cell after it was measured and cut. */
  readonly paint?: (row: Row, style: Style) => Paint;
  /** Columns are left out from the highest number on when the width does not do. Default 0: never. */
  readonly dropOrder?: number;
  /** May be cut to this width when the table is too wide. Default: never cut. */
  readonly widthMin?: number;
}

export interface TableOptions {
  readonly width: number;
  readonly style: Style;
}

const gap = '  ';

interface Laid<Row> {
  readonly column: Column<Row>;
  readonly width: number;
}

/** Rows as lines that fit the width: first elastic columns shrink, then columns are left out. */
export const renderTable = <Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  options: TableOptions,
): string[] => {
  const laid = layOut(rows, columns, options.width);
  const { style } = options;
  const title = laid.map(({ column, width }) =>
    style.dim(pad(truncate(column.title, width), width, column.align)),
  );
  const lines = rows.map((row) =>
    laid.map(({ column, width }) => {
      const text = truncate(column.value(row), width);
      const paint = column.paint?.(row, style) ?? ((same: string) => same);
      return padPainted(paint(text), { width: width - textWidth(text), align: column.align });
    }),
  );
  return [title, ...lines].map((cells) => cells.join(gap).trimEnd());
};

const layOut = <Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  available: number,
): Laid<Row>[] => {
  const natural = columns.map((column) => ({
    column,
    width: Math.max(textWidth(column.title), ...rows.map((row) => textWidth(column.value(row)))),
  }));
  let kept = natural;
  for (;;) {
    const shrunk = shrink(kept, available);
    if (totalWidth(shrunk) <= available) return shrunk;
    const last = Math.max(...kept.map(({ column }) => column.dropOrder ?? 0));
    if (last === 0) return shrunk;
    kept = kept.filter(({ column }) => (column.dropOrder ?? 0) !== last);
  }
};

const totalWidth = (laid: readonly { readonly width: number }[]): number =>
  laid.reduce((sum, { width }) => sum + width, 0) + gap.length * Math.max(0, laid.length - 1);

/** Takes what is missing from the widest elastic column first. */
const shrink = <Row>(laid: readonly Laid<Row>[], available: number): Laid<Row>[] => {
  const widths = laid.map(({ width }) => width);
  let missing = totalWidth(laid) - available;
  while (missing > 0) {
    let widest = -1;
    for (const [index, { column }] of laid.entries()) {
      const width = widths[index] ?? 0;
      if (column.widthMin === undefined || width <= Math.max(column.widthMin, column.title.length)) continue;
      if (widest === -1 || width > (widths[widest] ?? 0)) widest = index;
    }
    if (widest === -1) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
    missing -= 1;
  }
  return laid.map(({ column }, index) => ({ column, width: widths[index] ?? 0 }));
};

const pad = (text: string, width: number, align: 'left' | 'right' = 'left'): string =>
  padPainted(text, { width: width - textWidth(text), align });

const padPainted = (
  text: string,
  { width, align = 'left' }: { readonly width: number; readonly align?: 'left' | 'right' | undefined },
): string => {
  const space = ' '.repeat(Math.max(0, width));
  return align === 'right' ? `${space}${text}` : `${text}${space}`;
};
