import { describe, expect, test } from 'vitest';
import { verdict } from '../../../test/contracts/json-schema-verdict.ts';

describe('schemas that say the same in other words', () => {
  const tagged = (tag: string, more: object = {}): object => ({
    type: 'object',
    properties: { tag: { const: tag }, ...more },
    required: ['tag'],
  });
  const list = (name: string, value: unknown): object => ({
    $ref: `#/$defs/${name}`,
    $defs: { [name]: { type: 'object', properties: { value, next: { $ref: `#/$defs/${name}` } } } },
  });

  test.each<[string, unknown, unknown]>([
    [
      'a list of types and anyOf',
      { type: ['string', 'null'] },
      { anyOf: [{ type: 'null' }, { type: 'string' }] },
    ],
    [
      'parts of allOf in another order',
      { allOf: [{ minimum: 1 }, { maximum: 3 }] },
      { allOf: [{ maximum: 3 }, { minimum: 1 }] },
    ],
    [
      'parts of allOf and keywords side by side',
      { allOf: [{ minimum: 1 }, { maximum: 3 }] },
      { minimum: 1, maximum: 3 },
    ],
    ['a single branch', { oneOf: [{ type: 'string' }] }, { type: 'string' }],
    ['booleans listed', { type: 'boolean' }, { enum: [true, false] }],
    ['integers listed', { type: 'integer', minimum: 1, exclusiveMaximum: 4 }, { enum: [1, 2, 3] }],
    ['consts and an enum', { oneOf: [{ const: 'a' }, { const: 'b' }] }, { type: 'string', enum: ['b', 'a'] }],
    [
      'a union of tags and one enum of tags',
      { oneOf: [tagged('a'), tagged('b')] },
      { type: 'object', properties: { tag: { enum: ['a', 'b'] } }, required: ['tag'] },
    ],
    [
      'a closed object in two ways',
      { type: 'object', properties: { a: {} }, additionalProperties: false },
      { type: 'object', properties: { a: {} }, unevaluatedProperties: false },
    ],
    ['nothing at all', { type: 'string', minLength: 3, maxLength: 2 }, false],
    ['no integers between', { type: 'integer', exclusiveMinimum: 1, exclusiveMaximum: 2 }, false],
    [
      'values that never end',
      { type: 'object', required: ['next'], properties: { next: { $ref: '#' } } },
      false,
    ],
    ['recursion under another name', list('node', { type: 'string' }), list('entry', { type: 'string' })],
    [
      'recursion written out once',
      list('node', { type: 'string' }),
      {
        ...list('node', { type: 'string' }),
        $ref: undefined,
        type: 'object',
        properties: { value: { type: 'string' }, next: { $ref: '#/$defs/node' } },
      },
    ],
    [
      'draft-06 and 2020-12',
      {
        $schema: 'http://json-schema.org/draft-06/schema#',
        exclusiveMinimum: 1,
        items: [{ type: 'string' }],
        definitions: { a: { const: 1 } },
        properties: { a: { $ref: '#/definitions/a', type: 'string' } },
      },
      { exclusiveMinimum: 1, prefixItems: [{ type: 'string' }], properties: { a: { const: 1 } } },
    ],
    [
      'draft-04 and 2020-12',
      { $schema: 'http://json-schema.org/draft-04/schema#', minimum: 1, exclusiveMinimum: true },
      { exclusiveMinimum: 1 },
    ],
    [
      'tuples of draft-07 and 2020-12',
      {
        $schema: 'http://json-schema.org/draft-07/schema#',
        items: [{ type: 'string' }],
        additionalItems: false,
      },
      { prefixItems: [{ type: 'string' }], items: false },
    ],
    [
      'dependencies of draft-07',
      {
        $schema: 'http://json-schema.org/draft-07/schema#',
        dependencies: { a: ['b'], c: { required: ['d'] } },
      },
      { dependentRequired: { a: ['b'] }, dependentSchemas: { c: { required: ['d'] } } },
    ],
    [
      'siblings of $ref in draft-07',
      {
        $schema: 'http://json-schema.org/draft-07/schema#',
        definitions: { a: { type: 'string' } },
        $ref: '#/definitions/a',
        minLength: 3,
      },
      { type: 'string' },
    ],
    [
      'if/then/else and anyOf',
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema.
      { if: { type: 'string' }, then: { minLength: 1 }, else: { type: 'null' } },
      { anyOf: [{ type: 'string', minLength: 1 }, { type: 'null' }] },
    ],
    [
      'anchors, identifiers and pointers',
      {
        $id: 'https://example.org/a',
        $defs: { x: { $anchor: 'here', type: 'string' }, y: { $id: 'b', type: 'null' } },
        anyOf: [{ $ref: '#here' }, { $ref: 'b' }],
      },
      { type: ['string', 'null'] },
    ],
    [
      'a dynamic reference',
      { $dynamicAnchor: 'node', type: 'object', properties: { next: { $dynamicRef: '#node' } } },
      { type: 'object', properties: { next: { $ref: '#' } } },
    ],
  ])('%s', (_, one, other) => {
    expect([verdict(one, other), verdict(other, one)]).toEqual(['ok', 'ok']);
  });

  test('a break at the bottom of a recursive schema is not hidden by the way there', () => {
    expect(verdict(list('node', { type: 'number' }), list('node', { type: 'integer' }))).toContain(
      'type-narrowed /value',
    );
  });

  test('what was concluded from an assumption that turns out wrong is concluded anew', () => {
    // Looking into `first`, `pair` seems to have no values, since it needs an `either`; but `either` can also be null.
    const object = (members: Record<string, unknown>): object => ({
      type: 'object',
      required: Object.keys(members),
      properties: members,
    });
    const either = { $ref: '#/$defs/either' };
    const pair = { $ref: '#/$defs/pair' };
    const $defs = {
      either: {
        anyOf: [
          object({ pair }),
          object({ both: object({ first: either, second: pair }) }),
          { type: 'null' },
        ],
      },
      pair: object({ either }),
    };
    const old = { $defs, ...either, type: 'object', required: ['both'], properties: { pair: false } };
    expect(verdict(old, false)).toBe('type-narrowed');
  });

  test('the branch of a tagged union that changed is found', () => {
    const union = (...branches: unknown[]): object => ({ oneOf: branches });
    const old = union(
      tagged('paid', { amount: { type: 'number' } }),
      tagged('refunded', { reason: { type: 'string' } }),
    );
    const after = union(
      tagged('paid', { amount: { type: 'integer' } }),
      tagged('refunded', { reason: { type: 'string' } }),
    );
    expect(verdict(old, after)).toBe('type-narrowed /amount');
    expect(verdict(old, union(tagged('paid', { amount: { type: 'number' } })))).not.toBe('ok');
    expect(verdict(union(tagged('paid')), union(tagged('paid'), tagged('refunded')))).toBe('ok');
  });

  test('objects are told apart by a tag only when they must have it and share no value of it', () => {
    const kinds = (values: string[], required = ['kind']): object => ({
      type: 'object',
      properties: { kind: { enum: values } },
      required,
    });
    const old = { oneOf: [kinds(['a', 'b']), kinds(['c'])] };
    expect(verdict(old, { oneOf: [kinds(['a', 'b']), kinds(['c']), kinds(['d'])] })).toBe('ok');
    expect(verdict(old, { anyOf: [kinds(['a', 'b']), kinds(['c'])] })).toBe('ok');
    expect(verdict(old, { oneOf: [kinds(['a', 'b']), kinds(['c']), kinds(['b', 'd'])] })).not.toBe('ok');
    expect(verdict(old, { oneOf: [kinds(['a', 'b']), kinds(['c']), kinds(['d'], [])] })).toBe('ok');
    const optional = { oneOf: [kinds(['a', 'b'], []), kinds(['c'], [])] };
    expect(verdict({ anyOf: [kinds(['a', 'b'], []), kinds(['c'], [])] }, optional)).not.toBe('ok');
  });
});
