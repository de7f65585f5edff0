import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { compilePredicate, type Predicate } from './predicate.ts';

let client: pg.Client;
beforeAll(async () => {
  client = new pg.Client({ connectionString: inject('databaseUrl') });
  await client.connect();
});
afterAll(() => client.end());

const matches = async (data: unknown, predicate: Predicate): Promise<boolean> => {
  const { path, variables } = compilePredicate(predicate);
  const { rows } = await client.query(
    'select coalesce(jsonb_path_match($1::jsonb, $2::jsonpath, $3::jsonb, true), false) as matches',
    [JSON.stringify(data), path, JSON.stringify(variables)],
  );
  return rows[0].matches;
};

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A list stands for its items, at every step. */
const unwrapped = (value: unknown): unknown[] => (Array.isArray(value) ? value : [value]);

const valuesAt = (data: unknown, field: string): unknown[] =>
  field
    .split('.')
    .reduce<unknown[]>(
      (at, name) =>
        at
          .flatMap(unwrapped)
          .flatMap((each) => (isObject(each) && Object.hasOwn(each, name) ? [each[name]] : [])),
      [data],
    );

const compare = (a: unknown, b: unknown): number | null => {
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b));
  if (typeof a === 'number' && typeof b === 'number') return a < b ? -1 : a > b ? 1 : 0;
  if (typeof a === 'boolean' && typeof b === 'boolean') return Number(a) - Number(b);
  return a === null && b === null ? 0 : null;
};

/** What the predicate means, said without a database. */
const holds = (data: unknown, predicate: Predicate): boolean => {
  if ('all' in predicate) return predicate.all.every((part) => holds(data, part));
  if ('any' in predicate) return predicate.any.some((part) => holds(data, part));
  if ('not' in predicate) return !holds(data, predicate.not);
  const values = valuesAt(data, predicate.field);
  if (predicate.is === 'present') return values.length > 0;
  // A comparison opens a list in a list once more.
  const items = values.flatMap(unwrapped).flatMap(unwrapped);
  if (predicate.is === 'in')
    return items.some((item) => predicate.values.some((value) => compare(item, value) === 0));
  const { is, value } = predicate;
  return items.some((item) => {
    if (is === 'starts-with') return typeof item === 'string' && item.startsWith(String(value));
    const order = compare(item, value);
    if (order === null) return false;
    return {
      equal: order === 0,
      less: order < 0,
      'at-most': order <= 0,
      greater: order > 0,
      'at-least': order >= 0,
    }[is];
  });
};

/** Few names and values, so that they meet; some of them as an attacker would choose them. */
const name = fc.constantFrom(
  'a',
  'b',
  'A',
  '"',
  '\\',
  "'",
  '$',
  '@ ? (1 == 1)',
  '*',
  'ä',
  '🦊',
  ' ',
  '__proto__',
);
const scalar = fc.oneof(
  fc.constantFrom(
    0,
    1,
    -1,
    1.5,
    1e21,
    1e-7,
    'a',
    'ab',
    '',
    '1',
    '🦊',
    '�',
    '"',
    '\\',
    "'; drop table x; --",
    true,
    false,
    null,
  ),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);
const data = fc.letrec((tie) => ({
  value: fc.oneof({ depthSize: 'small' }, scalar, fc.array(tie('value'), { maxLength: 3 }), tie('object')),
  object: fc.dictionary(name, tie('value'), { maxKeys: 4 }),
}));
const field = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('.'));
const predicate: fc.Arbitrary<Predicate> = fc.letrec<{ part: Predicate }>((tie) => ({
  part: fc.oneof(
    { maxDepth: 4 },
    fc.record({
      field,
      is: fc.constantFrom('equal', 'less', 'at-most', 'greater', 'at-least'),
      value: scalar,
    }),
    fc.record({ field, is: fc.constant('starts-with'), value: fc.constantFrom('a', '', '"') }),
    fc.record({ field, is: fc.constant('in'), values: fc.array(scalar, { minLength: 1, maxLength: 3 }) }),
    fc.record({ field, is: fc.constant('present') }),
    fc.record({ not: tie('part') }),
    fc.record({ all: fc.array(tie('part'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ any: fc.array(tie('part'), { minLength: 1, maxLength: 3 }) }),
  ) as fc.Arbitrary<Predicate>,
})).part;

describe('a predicate in PostgreSQL', () => {
  it('means what it says, whatever names and values are in it', async () => {
    await fc.assert(
      fc.asyncProperty(data.object, predicate, async (payload, part) => {
        const stored = JSON.parse(JSON.stringify(payload));
        expect(await matches(stored, part)).toBe(holds(stored, part));
      }),
      { numRuns: 1_500 },
    );
  }, 60_000);
});
