import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalJson, toPosition } from './json.ts';

const shuffled = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(shuffled);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, member]) => [name, shuffled(member)]),
  );
};

describe('canonicalJson', () => {
  test('does not depend on the order of members', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(canonicalJson(shuffled(value))).toBe(canonicalJson(value));
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  test('keeps a member called __proto__', () => {
    expect(canonicalJson(JSON.parse('{"b":1,"__proto__":2}'))).toBe('{"__proto__":2,"b":1}');
  });

  test('keeps the order of arrays', () => {
    expect(canonicalJson([2, 1])).not.toBe(canonicalJson([1, 2]));
  });
});

describe('toPosition', () => {
  test.each([
    ['0', 0],
    ['9007199254740991', 9_007_199_254_740_991],
    [12n, 12],
    [7, 7],
  ])('reads %s', (value, position) => {
    expect(toPosition(value)).toBe(position);
  });

  test.each(['', '-1', '1.5', '0x10', ' 1', '9007199254740992', 9_007_199_254_740_992n, 1.5, Number.NaN, -1])(
    'refuses %s instead of rounding it',
    (value) => {
      expect(() => toPosition(value)).toThrowError(/log position/);
    },
  );
});
