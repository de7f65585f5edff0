import { describe, expect, it } from 'vitest';
import { matchCancellation, type OpenLine } from './match-cancellation.ts';

const open = (orderId: string, line: number, product: string, units: number): OpenLine => ({
  orderId,
  country: 'EIRE',
  line,
  product,
  open: units,
  unitPence: 100,
});

/** The newest order first, as the box reads them. */
const LINES = [open('B', 1, 'X', 3), open('B', 2, 'X', 2), open('A', 1, 'X', 10), open('A', 2, 'Y', 1)];

describe('a cancellation', () => {
  it('takes from the newest order first and spreads over older ones', () => {
    const { taken, rejected } = matchCancellation([{ product: 'X', quantity: 7 }], LINES);
    expect(taken.map(({ orderId, orderLine, units }) => [orderId, orderLine, units])).toEqual([
      ['B', 1, 3],
      ['B', 2, 2],
      ['A', 1, 2],
    ]);
    expect(rejected).toEqual([]);
  });

  it('takes a line whole or not at all', () => {
    const { taken, rejected } = matchCancellation(
      [
        { product: 'X', quantity: 16 },
        { product: 'Y', quantity: 1 },
        { product: 'Z', quantity: 1 },
      ],
      LINES,
    );
    expect(taken.map(({ product }) => product)).toEqual(['Y']);
    expect(rejected).toEqual([
      { line: 1, reason: 'more than is left open' },
      { line: 3, reason: 'no earlier order' },
    ]);
  });

  it('does not take the same unit twice when it names a product on two lines', () => {
    const twice = [
      { product: 'Y', quantity: 1 },
      { product: 'Y', quantity: 1 },
    ];
    const { taken, rejected } = matchCancellation(twice, LINES);
    expect(taken).toHaveLength(1);
    expect(rejected).toEqual([{ line: 2, reason: 'more than is left open' }]);
  });
});
