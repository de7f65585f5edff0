import { describe, expect, test } from 'vitest';
import { verdict } from '../../../test/contracts/json-schema-verdict.ts';

const megabytes = (schema: object): number => JSON.stringify(schema).length / 1_000_000;

const fields = (count: number, make: (index: number) => object): object => ({
  type: 'object',
  properties: Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`field${index}`, make(index)] as const),
  ),
});

/** 72,000 described fields in 900 groups; the last one is of that type. */
const described = (last: string): object =>
  fields(900, (group) =>
    fields(80, (index) => ({
      description:
        'What the field is good for, in so many words that the whole of it comes to ten megabytes.',
      type: group === 899 && index === 79 ? last : 'string',
    })),
  );

/** Processor time: how busy the machine is says nothing about the comparer. */
const withinSeconds = (seconds: number, work: () => void): void => {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1e6).toBeLessThan(seconds);
};

describe('a schema of ten megabytes', { timeout: 240_000 }, () => {
  test('that is valid gets its verdict in bounded time, down to the one field that differs', () => {
    const old = described('string');
    expect(megabytes(old)).toBeGreaterThan(9.5);
    withinSeconds(60, () => {
      expect(verdict(old, described('string'))).toBe('ok');
      expect(verdict(old, described('integer'))).toBe('type-narrowed /field899/field79');
    });
  });

  test('with more subschemas than the comparer takes on is refused, and says so', () => {
    const over = fields(250_000, () => ({ type: 'string', minLength: 1 }));
    expect(megabytes(over)).toBeGreaterThan(10);
    withinSeconds(60, () => {
      expect(() => verdict(over, over)).toThrow(/it has more than 100000 subschemas/);
    });
  });
});
