import { describe, expect, test } from 'vitest';
import { verdict } from '../../../test/contracts/json-schema-verdict.ts';
import { checkJsonSchema, compareJsonSchema } from './compare-json-schema.ts';

describe('what is no schema is refused, with the place', () => {
  test.each<[unknown, string, string]>([
    [null, '#', 'expected a schema'],
    ['text', '#', 'expected a schema'],
    [{ properties: { a: { type: 'strin' } } }, '#/properties/a/type', '"strin" is not a type'],
    [{ minimum: '3' }, '#/minimum', 'expected a number'],
    [{ required: 'a' }, '#/required', 'expected an array of names'],
    [{ properties: { a: 3 } }, '#/properties/a', 'expected a schema'],
    [{ anyOf: [] }, '#/anyOf', 'expected an array'],
    [{ $ref: 3 }, '#/$ref', 'expected a text'],
    [{ $ref: '#/$defs/none' }, '#/$ref', 'names no schema'],
    [{ $ref: 'https://example.org/other.json' }, '#/$ref', 'never fetched'],
    [{ $ref: '#' }, '#', 'refers to itself'],
    [
      { $defs: { a: { allOf: [{ $ref: '#/$defs/b' }] }, b: { $ref: '#/$defs/a' } }, $ref: '#/$defs/a' },
      '#/$defs/a',
      'refers to itself',
    ],
  ])('%j', (schema, path, reason) => {
    expect(() => checkJsonSchema(schema)).toThrow(
      expect.objectContaining({
        code: 'SCHEMA_INVALID',
        details: expect.objectContaining({ path, reason: expect.stringContaining(reason) }),
      }),
    );
  });

  test('the side is named', () => {
    const broken = (old: unknown, after: unknown): unknown =>
      verdict(old, after, { oldSide: 'old (version 3)' });
    expect(() => broken({ type: 1 }, {})).toThrow(/old \(version 3\)/);
    expect(() => broken({}, { type: 1 })).toThrow(/The new json-schema/);
  });
});

describe('hostile schemas', () => {
  const doubling = (keyword: string, type: string): object => ({
    $ref: '#/$defs/d0',
    $defs: Object.fromEntries([
      ...Array.from({ length: 60 }, (_, index) => [
        `d${index}`,
        {
          [keyword]: [{ $ref: `#/$defs/d${index + 1}` }, { $ref: `#/$defs/d${index + 1}`, minLength: index }],
        },
      ]),
      ['d60', { type }],
    ]),
  });

  test.each(['allOf', 'anyOf', 'oneOf'])('%s that doubles at every step ends', (keyword) => {
    expect(verdict(doubling(keyword, 'string'), doubling(keyword, 'string'))).toBe('ok');
    expect(typeof verdict(doubling(keyword, 'string'), doubling(keyword, 'integer'))).toBe('string');
    expect(typeof verdict({ type: 'string' }, doubling(keyword, 'string'))).toBe('string');
  });

  test('10,000 levels are refused, 3,000 definitions in a row are not', () => {
    let deep: object = {};
    for (let level = 0; level < 10_000; level += 1) deep = { properties: { a: deep } };
    expect(() => checkJsonSchema(deep)).toThrow(/nested deeper/);
    const chain = Object.fromEntries(
      Array.from({ length: 3000 }, (_, index) => [
        `d${index}`,
        { properties: { a: { $ref: `#/$defs/d${(index + 1) % 3000}` } } },
      ]),
    );
    expect(
      verdict({ $defs: chain, $ref: '#/$defs/d0' }, { $defs: { ...chain }, $ref: '#/$defs/d0', title: 'x' }),
    ).toMatch(/^ok$|not-proved/);
  });

  test('enums of 20,000 values, in both directions', () => {
    const values = Array.from({ length: 20_000 }, (_, index) => `value ${index}`);
    expect(verdict({ enum: values }, { enum: [...values, 'another'] })).toBe('ok');
    expect(verdict({ enum: [...values, 'another'] }, { enum: values })).toBe('enum-value-removed');
  });

  test('members named as those of every object', () => {
    const schema = (type: string): unknown =>
      JSON.parse(
        `{"type":"object","properties":{"__proto__":{"type":"${type}"},"constructor":{"type":"${type}"}},"required":["__proto__","toString"]}`,
      );
    expect(verdict(schema('integer'), schema('integer'))).toBe('ok');
    expect(verdict(schema('number'), schema('integer'))).toBe(
      'type-narrowed /__proto__, type-narrowed /constructor',
    );
    const { changes } = compareJsonSchema({
      old: schema('number'),
      new: schema('integer'),
      direction: 'backward',
      policy: 'strict',
    });
    // Ajv overlooks a property of that name, so only the other break is shown.
    expect(changes.map(({ witness }) => JSON.stringify(witness))).toEqual([
      undefined,
      '{"__proto__":1,"toString":"a","constructor":0.5}',
    ]);
  });

  test('patterns that take for ever, and patterns that are none', () => {
    const slow = { type: 'string', pattern: '^(a+)+$' };
    expect(verdict({ enum: [`${'a'.repeat(60)}!`] }, slow)).toBe('not-proved');
    expect(verdict(slow, { ...slow, title: 'x' })).toBe('ok');
    expect(verdict({ type: 'string', pattern: '(' }, { type: 'string', pattern: '(', minLength: 0 })).toBe(
      'ok',
    );
    expect(verdict({ type: 'string' }, { type: 'string', pattern: '(' })).toBe('not-proved');
    // Escapes that the mode `u` forbids: `\u{2}` then means "uu", and not a character.
    expect(verdict({ type: 'string', pattern: '^\\-\\u{2}$' }, { type: 'integer' })).toBe('not-proved');
  });

  test('what cannot be decided says why', () => {
    const meta = { $ref: 'https://json-schema.org/draft/2020-12/schema' };
    const { compatible, changes } = compareJsonSchema({
      old: {},
      new: meta,
      direction: 'backward',
      policy: 'strict',
    });
    expect(compatible).toBe(false);
    expect(changes).toMatchObject([
      { rule: 'not-proved', severity: 'breaking', message: expect.stringContaining('meta-schema') },
    ]);
    expect(verdict(meta, { ...meta, title: 'the same' })).toBe('ok');
  });
});
