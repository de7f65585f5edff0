import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { styleOf, textWidth } from './style.ts';
import { type Column, renderTable } from './table.ts';

interface Row {
  readonly name: string;
  readonly count: number;
  readonly note: string;
}

const columns: readonly Column<Row>[] = [
  { title: 'NAME', value: ({ name }) => name, widthMin: 6 },
  { title: 'COUNT', value: ({ count }) => String(count), align: 'right' },
  { title: 'NOTE', value: ({ note }) => note, widthMin: 8, dropOrder: 1, paint: (_row, style) => style.red },
];
const rows: readonly Row[] = [
  { name: 'orders', count: 7, note: 'a long note about something' },
  { name: 'a-rather-long-name', count: 12_345, note: 'short' },
];
const table = (width: number, colour = false): string[] =>
  renderTable(rows, columns, { width, style: styleOf(colour) });

describe('a table', () => {
  it('aligns its columns', () => {
    expect(table(100)).toEqual([
      'NAME                COUNT  NOTE',
      'orders                  7  a long note about something',
      'a-rather-long-name  12345  short',
    ]);
  });

  it('shrinks elastic columns first, then leaves columns out', () => {
    expect(table(40)).toEqual([
      'NAME             COUNT  NOTE',
      'orders               7  a long note abo…',
      'a-rather-long-…  12345  short',
    ]);
    expect(table(16)).toEqual(['NAME       COUNT', 'orders         7', 'a-rather…  12345']);
  });

  it('looks the same with colour', () => {
    const plain = table(40);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences
    expect(table(40, true).map((line) => line.replace(/\u001b\[\d+m/g, '').trimEnd())).toEqual(plain);
  });

  it('fits every width in which its fixed columns fit', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({ name: fc.string(), count: fc.nat(99_999), note: fc.string({ unit: 'grapheme' }) }),
          { minLength: 1 },
        ),
        fc.integer({ min: 13, max: 120 }),
        (data, width) => {
          for (const line of renderTable(data, columns, { width, style: styleOf(false) })) {
            expect(textWidth(line)).toBeLessThanOrEqual(width);
          }
        },
      ),
    );
  });
});
