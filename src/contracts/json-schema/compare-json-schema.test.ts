import { describe, expect, test } from 'vitest';
import { type Verdict, verdict, withA } from '../../../test/contracts/json-schema-verdict.ts';
import { compareJsonSchema } from './compare-json-schema.ts';

const closed = { additionalProperties: false };
const tuple = (...prefixItems: unknown[]): object => ({ type: 'array', prefixItems });

interface Row {
  readonly change: string;
  readonly old: unknown;
  readonly new: unknown;
  readonly strict: Verdict;
  /** Left out: the same as strict. */
  readonly lenient?: Verdict;
  /** Old consumers of new data: the same question with the sides swapped. */
  readonly forward: Verdict;
}

/** Each row of the table of rules; strict and lenient ask backward. */
const rows: Row[] = [
  {
    change: 'type list grows',
    old: { type: 'string' },
    new: { type: ['string', 'null'] },
    strict: 'ok',
    forward: 'type-widened',
  },
  {
    change: 'integer to number',
    old: { type: 'integer' },
    new: { type: 'number' },
    strict: 'ok',
    forward: 'type-widened',
  },
  {
    change: 'type list shrinks',
    old: { type: ['string', 'null'] },
    new: { type: 'string' },
    strict: 'type-narrowed',
    forward: 'ok',
  },
  {
    change: 'number to integer',
    old: { type: 'number' },
    new: { type: 'integer' },
    strict: 'type-narrowed',
    forward: 'ok',
  },
  { change: 'any to typed', old: {}, new: { type: 'string' }, strict: 'type-added', forward: 'ok' },
  {
    change: 'anything to true',
    old: withA({ type: 'string' }),
    new: true,
    strict: 'ok',
    forward: 'type-removed, property-removed-from-open-object /a',
  },
  {
    change: 'anything to false',
    old: { type: 'string' },
    new: false,
    strict: 'type-narrowed',
    forward: 'ok',
  },
  {
    change: 'optional property added, old object closed',
    old: withA({ type: 'string' }, closed),
    new: {
      ...withA({ type: 'string' }),
      properties: { a: { type: 'string' }, b: { type: 'integer' } },
      ...closed,
    },
    strict: 'ok',
    forward: 'property-added-to-closed-object /b',
  },
  {
    change: 'optional property added, old object open, new one typed',
    old: withA({ type: 'string' }),
    new: { type: 'object', properties: { a: { type: 'string' }, b: { type: 'integer' } } },
    strict: 'property-added-to-open-object /b',
    lenient: 'ok',
    forward: 'ok',
  },
  {
    change: 'a property that was said to be anything is typed',
    old: withA({}),
    new: withA({ type: 'string' }),
    strict: 'type-added /a',
    forward: 'ok',
  },
  {
    change: 'property {} added to an open object',
    old: { type: 'object' },
    new: withA({}),
    strict: 'ok',
    forward: 'ok',
  },
  {
    change: 'property added that additionalProperties covered',
    old: { type: 'object', additionalProperties: { type: 'integer' } },
    new: withA({ type: 'number' }, { additionalProperties: { type: 'integer' } }),
    strict: 'ok',
    forward: 'type-widened /a',
  },
  {
    change: 'property added that patternProperties covered',
    old: { type: 'object', patternProperties: { '^a': { type: 'string' } } },
    new: withA({ type: 'string' }, { patternProperties: { '^a': { type: 'string' } } }),
    strict: 'ok',
    forward: 'ok',
  },
  {
    change: 'property removed, old object open',
    old: withA({ type: 'string' }),
    new: { type: 'object' },
    strict: 'ok',
    forward: 'property-removed-from-open-object /a',
  },
  {
    change: 'property removed, new object closed',
    old: withA({ type: 'string' }, closed),
    new: { type: 'object', properties: {}, ...closed },
    strict: 'property-removed-from-closed-object /a',
    lenient: 'ok',
    forward: 'ok',
  },
  {
    change: 'property with the schema false removed',
    old: withA(false),
    new: { type: 'object' },
    strict: 'ok',
    forward: 'property-allowed /a',
  },
  {
    change: 'name added to required',
    old: withA({ type: 'string' }),
    new: withA({ type: 'string' }, { required: ['a'] }),
    strict: 'required-added /a',
    forward: 'ok',
  },
  {
    change: 'name added to required, with a default',
    old: withA({ type: 'string' }),
    new: withA({ type: 'string', default: '' }, { required: ['a'] }),
    strict: 'required-added /a',
    forward: 'ok',
  },
  {
    change: 'name added to required that properties lacks',
    old: { type: 'object' },
    new: { type: 'object', required: ['a'] },
    strict: 'required-added /a',
    forward: 'ok',
  },
  {
    change: 'name removed from required',
    old: withA({ type: 'string' }, { required: ['a'] }),
    new: withA({ type: 'string' }),
    strict: 'ok',
    forward: 'required-removed /a',
  },
  {
    change: 'additionalProperties false to anything',
    old: withA({ type: 'string' }, closed),
    new: withA({ type: 'string' }),
    strict: 'ok',
    forward: 'additional-properties-opened /*',
  },
  {
    change: 'additionalProperties to a wider schema',
    old: { additionalProperties: { type: 'integer' } },
    new: { additionalProperties: { type: 'number' } },
    strict: 'ok',
    forward: 'type-widened /*',
  },
  {
    change: 'additionalProperties to false',
    old: withA({ type: 'string' }),
    new: withA({ type: 'string' }, closed),
    strict: 'additional-properties-closed /*',
    lenient: 'ok',
    forward: 'ok',
  },
  {
    change: 'additionalProperties from open to a schema',
    old: withA({ type: 'string' }),
    new: withA({ type: 'string' }, { additionalProperties: { type: 'string' } }),
    strict: 'additional-properties-narrowed /*',
    lenient: 'ok',
    forward: 'ok',
  },
  {
    change: 'the schema of a map narrowed',
    old: { additionalProperties: { type: 'number' } },
    new: { additionalProperties: { type: 'integer' } },
    strict: 'type-narrowed /*',
    forward: 'ok',
  },
  {
    change: 'patternProperties added',
    old: { type: 'object' },
    new: { type: 'object', patternProperties: { '^x-': { type: 'string' } } },
    strict: 'pattern-properties-added /*',
    forward: 'ok',
  },
  {
    change: 'propertyNames added',
    old: { type: 'object' },
    new: { type: 'object', propertyNames: { maxLength: 3 } },
    strict: 'property-names-narrowed /*',
    forward: 'ok',
  },
  {
    change: 'dependentRequired added',
    old: withA({ type: 'string' }),
    new: withA({ type: 'string' }, { dependentRequired: { a: ['b'] } }),
    strict: 'dependency-added',
    forward: 'ok',
  },
  {
    change: 'dependentSchemas added',
    old: withA({ type: 'string' }),
    new: withA({ type: 'string' }, { dependentSchemas: { a: { required: ['b'] } } }),
    strict: 'dependency-added',
    forward: 'ok',
  },
  {
    change: 'minProperties added',
    old: { type: 'object' },
    new: { type: 'object', minProperties: 1 },
    strict: 'min-properties-added',
    forward: 'ok',
  },
  {
    change: 'maxProperties tightened',
    old: { type: 'object', maxProperties: 3 },
    new: { type: 'object', maxProperties: 2 },
    strict: 'max-properties-lowered',
    forward: 'ok',
  },
  {
    change: 'enum gains a value',
    old: { enum: ['a'] },
    new: { enum: ['a', 'b'] },
    strict: 'ok',
    forward: 'enum-value-added',
  },
  {
    change: 'enum loses a value',
    old: { enum: ['a', 'b', 'c'] },
    new: { enum: ['a', 'b'] },
    strict: 'enum-value-removed',
    forward: 'ok',
  },
  {
    change: 'enum removed',
    old: { type: 'string', enum: ['a'] },
    new: { type: 'string' },
    strict: 'ok',
    forward: 'enum-removed',
  },
  {
    change: 'enum added',
    old: { type: 'string' },
    new: { type: 'string', enum: ['a'] },
    strict: 'enum-added',
    forward: 'ok',
  },
  {
    change: 'const to an enum that holds it',
    old: { const: 'a' },
    new: { enum: ['a', 'b'] },
    strict: 'ok',
    forward: 'enum-value-added',
  },
  {
    change: 'another const',
    old: { const: 'a' },
    new: { const: 'b' },
    strict: 'const-changed',
    forward: 'const-changed',
  },
  {
    change: 'minimum raised',
    old: { type: 'number', minimum: 1 },
    new: { type: 'number', minimum: 2 },
    strict: 'minimum-raised',
    forward: 'ok',
  },
  {
    change: 'inclusive to exclusive',
    old: { type: 'number', maximum: 2 },
    new: { type: 'number', exclusiveMaximum: 2 },
    strict: 'maximum-lowered',
    forward: 'ok',
  },
  {
    change: 'minimum from inclusive to exclusive',
    old: { type: 'number', minimum: 2 },
    new: { type: 'number', exclusiveMinimum: 2 },
    strict: 'minimum-raised',
    forward: 'ok',
  },
  {
    change: 'oneOf branch added whose tag is optional',
    old: withA({ const: 1 }, { required: ['b'] }),
    new: {
      oneOf: [withA({ const: 1 }), { type: 'object', properties: { a: { const: 2 }, b: { const: 'x' } } }],
    },
    strict: 'one-of-overlap',
    lenient: 'ok',
    forward: 'required-removed /b, enum-value-added /a',
  },
  {
    change: 'minLength added',
    old: { type: 'string' },
    new: { type: 'string', minLength: 1 },
    strict: 'min-length-added',
    forward: 'ok',
  },
  {
    change: 'maxLength removed',
    old: { type: 'string', maxLength: 3 },
    new: { type: 'string' },
    strict: 'ok',
    forward: 'max-length-removed',
  },
  {
    change: 'minItems raised',
    old: { type: 'array', minItems: 1 },
    new: { type: 'array', minItems: 2 },
    strict: 'min-items-raised',
    forward: 'ok',
  },
  {
    change: 'maxContains tightened',
    old: { type: 'array', contains: { type: 'null' }, maxContains: 3 },
    new: { type: 'array', contains: { type: 'null' }, maxContains: 2 },
    strict: 'contains-changed',
    forward: 'ok',
  },
  {
    change: 'multipleOf by a divisor',
    old: { type: 'number', multipleOf: 6 },
    new: { type: 'number', multipleOf: 3 },
    strict: 'ok',
    forward: 'multiple-of-changed',
  },
  {
    change: 'multipleOf by a decimal divisor',
    old: { type: 'number', multipleOf: 3.3 },
    new: { type: 'number', multipleOf: 1.1 },
    strict: 'ok',
    forward: 'multiple-of-changed',
  },
  {
    change: 'multipleOf by no divisor',
    old: { type: 'number', multipleOf: 3 },
    new: { type: 'number', multipleOf: 2 },
    strict: 'multiple-of-changed',
    forward: 'multiple-of-changed',
  },
  {
    change: 'multipleOf added',
    old: { type: 'number' },
    new: { type: 'number', multipleOf: 2 },
    strict: 'multiple-of-added',
    forward: 'ok',
  },
  {
    change: 'pattern added',
    old: { type: 'string' },
    new: { type: 'string', pattern: '^a' },
    strict: 'pattern-added',
    forward: 'ok',
  },
  {
    change: 'pattern changed',
    old: { type: 'string', pattern: '^a' },
    new: { type: 'string', pattern: '^b' },
    strict: 'pattern-changed',
    forward: 'pattern-changed',
  },
  {
    change: 'uniqueItems added',
    old: { type: 'array' },
    new: { type: 'array', uniqueItems: true },
    strict: 'unique-items-added',
    forward: 'ok',
  },
  {
    change: 'format added, not asserted',
    old: { type: 'string' },
    new: { type: 'string', format: 'date' },
    strict: 'ok',
    forward: 'ok',
  },
  {
    change: 'tuple entry added, old closed',
    old: { ...tuple({ type: 'string' }), items: false },
    new: { ...tuple({ type: 'string' }, { type: 'integer' }), items: false },
    strict: 'ok',
    forward: 'max-items-raised',
  },
  {
    change: 'tuple entry added, old open',
    old: tuple({ type: 'string' }),
    new: tuple({ type: 'string' }, { type: 'integer' }),
    strict: 'tuple-item-added /1',
    lenient: 'ok',
    forward: 'ok',
  },
  {
    change: 'tuple entry added that items covered',
    old: { ...tuple({ type: 'string' }), items: { type: 'integer' } },
    new: { ...tuple({ type: 'string' }, { type: 'number' }), items: { type: 'integer' } },
    strict: 'ok',
    forward: 'type-widened /1',
  },
  {
    change: 'tuple entry removed, old open',
    old: tuple({ type: 'string' }, { type: 'integer' }),
    new: tuple({ type: 'string' }),
    strict: 'ok',
    forward: 'tuple-item-removed /1',
  },
  {
    change: 'tuple entry removed, closed',
    old: { ...tuple({}, {}), items: false },
    new: { ...tuple({}), items: false },
    strict: 'max-items-lowered',
    forward: 'ok',
  },
  {
    change: 'items narrower',
    old: { type: 'array', items: { type: 'number' } },
    new: { type: 'array', items: { type: 'integer' } },
    strict: 'type-narrowed /*',
    forward: 'ok',
  },
  {
    change: 'items added',
    old: { type: 'array' },
    new: { type: 'array', items: { type: 'integer' } },
    strict: 'items-narrowed /*',
    forward: 'ok',
  },
  {
    change: 'contains added',
    old: { type: 'array' },
    new: { type: 'array', contains: { type: 'null' } },
    strict: 'contains-added',
    forward: 'ok',
  },
  {
    change: 'anyOf branch added',
    old: { anyOf: [{ type: 'string', maxLength: 3 }, { type: 'null' }] },
    new: { anyOf: [{ type: 'string', maxLength: 3 }, { type: 'null' }, { type: 'integer', minimum: 0 }] },
    strict: 'ok',
    forward: 'union-branch-added',
  },
  {
    change: 'anyOf branch removed',
    old: { anyOf: [{ type: 'string', maxLength: 3 }, { type: 'integer', minimum: 0 }, { type: 'null' }] },
    new: { anyOf: [{ type: 'string', maxLength: 3 }, { type: 'null' }] },
    strict: 'union-branch-removed',
    forward: 'ok',
  },
  {
    change: 'anyOf branch removed that another covers',
    old: { anyOf: [{ type: 'integer' }, { type: 'number' }] },
    new: { anyOf: [{ type: 'number' }] },
    strict: 'ok',
    forward: 'ok',
  },
  {
    change: 'oneOf branch added, apart from the others',
    old: { oneOf: [{ type: 'string' }] },
    new: { oneOf: [{ type: 'string' }, { type: 'integer' }] },
    strict: 'ok',
    forward: 'type-widened',
  },
  {
    change: 'oneOf branch added that overlaps',
    old: { oneOf: [{ type: 'string', maxLength: 5 }] },
    new: {
      oneOf: [
        { type: 'string', maxLength: 5 },
        { type: 'string', minLength: 5 },
      ],
    },
    strict: 'one-of-overlap',
    lenient: 'ok',
    forward: 'max-length-raised',
  },
  {
    change: 'allOf part removed',
    old: { type: 'string', allOf: [{ maxLength: 3 }, { minLength: 1 }] },
    new: { type: 'string', allOf: [{ maxLength: 3 }] },
    strict: 'ok',
    forward: 'min-length-removed',
  },
  {
    change: 'allOf part added',
    old: { type: 'string', allOf: [{ maxLength: 3 }] },
    new: { type: 'string', allOf: [{ maxLength: 3 }, { minLength: 1 }] },
    strict: 'min-length-added',
    forward: 'ok',
  },
  {
    change: 'not narrowed',
    old: { not: { type: 'string' } },
    new: { not: { type: 'string', minLength: 1 } },
    strict: 'ok',
    forward: 'type-removed',
  },
  {
    change: 'if/then added',
    old: withA({ type: 'string' }),
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema.
    new: withA({ type: 'string' }, { if: { required: ['a'] }, then: { required: ['b'] } }),
    strict: 'condition-tightened',
    forward: 'ok',
  },
  {
    change: 'unevaluatedProperties: false closes',
    old: withA({ type: 'string' }),
    new: { allOf: [withA({ type: 'string' })], unevaluatedProperties: false },
    strict: 'additional-properties-closed /*',
    lenient: 'ok',
    forward: 'ok',
  },
  {
    change: '$defs renamed',
    old: { $defs: { a: { type: 'string' } }, properties: { x: { $ref: '#/$defs/a' } } },
    new: { $defs: { b: { type: 'string' } }, properties: { x: { $ref: '#/$defs/b' } } },
    strict: 'ok',
    forward: 'ok',
  },
  {
    change: '$ref written out',
    old: { $defs: { a: { type: 'string' } }, properties: { x: { $ref: '#/$defs/a' } } },
    new: { properties: { x: { type: 'string' } } },
    strict: 'ok',
    forward: 'ok',
  },
  {
    change: 'titles and the like',
    old: { title: 'a', type: 'string' },
    new: {
      description: 'b',
      type: 'string',
      examples: ['x'],
      deprecated: true,
      readOnly: true,
      default: 'c',
    },
    strict: 'ok',
    forward: 'ok',
  },
];

describe('each rule of the table', () => {
  test.each(rows)('$change', ({ old, new: after, strict, lenient = strict, forward }) => {
    expect({
      strict: verdict(old, after),
      lenient: verdict(old, after, { policy: 'lenient' }),
      forward: verdict(old, after, { direction: 'forward' }),
    }).toEqual({ strict, lenient, forward });
  });

  test('every break of one keyword has a witness', () => {
    const breaks = rows
      .flatMap(({ old, new: after }) => [
        ...compareJsonSchema({ old, new: after, direction: 'backward', policy: 'strict' }).changes,
        ...compareJsonSchema({ old, new: after, direction: 'forward', policy: 'strict' }).changes,
      ])
      .filter(({ severity }) => severity === 'breaking');
    expect(breaks.length).toBeGreaterThan(60);
    expect(
      breaks.filter((change) => !('witness' in change)).map(({ rule, path }) => `${rule} ${path}`),
    ).toEqual([]);
  });
});

describe('what a change says', () => {
  const order = withA({ type: 'string' }, { required: ['a'] });

  test('who is broken, what stood there, what to do, and a whole document', () => {
    const { changes } = compareJsonSchema({
      old: { type: 'object', properties: { order: order, total: { type: 'number' } }, required: ['order'] },
      new: { type: 'object', properties: { order: order, total: { type: 'integer' } }, required: ['order'] },
      direction: 'backward',
      policy: 'strict',
    });
    expect(changes).toEqual([
      {
        rule: 'type-narrowed',
        path: '/total',
        severity: 'breaking',
        message: 'A type is no longer allowed (number → integer)',
        old: 'number',
        new: 'integer',
        breaks: 'readers of old data',
        remedy: expect.stringContaining('beside this one'),
        witness: { order: { a: 'a' }, total: 0.5 },
      },
    ]);
  });

  test('all breaks at different places, and what was loosened as well', () => {
    const { changes } = compareJsonSchema({
      old: {
        type: 'object',
        properties: {
          a: { type: 'string' },
          b: { enum: [1, 2] },
          c: { type: 'array', items: { type: 'string' } },
        },
      },
      new: {
        type: 'object',
        properties: {
          a: { type: 'integer' },
          b: { enum: [2, 3] },
          c: { type: 'array', items: { type: 'string', maxLength: 3 } },
        },
      },
      direction: 'backward',
      policy: 'strict',
    });
    expect(changes.map(({ severity, rule, path }) => `${severity} ${rule} ${path}`)).toEqual(
      [
        'breaking type-narrowed /a',
        'breaking enum-value-removed /b',
        'breaking max-length-added /c/*',
        'info type-narrowed /a',
        'info enum-value-added /b',
      ]
        .filter((line) => line !== 'info type-narrowed /a')
        .concat([])
        .toSpliced(3, 0, 'info type-widened /a'),
    );
  });

  test('forward is told from the new side: old consumers will see unknown values', () => {
    const { changes } = compareJsonSchema({
      old: { enum: ['a'] },
      new: { enum: ['a', 'b'] },
      direction: 'forward',
      policy: 'strict',
    });
    expect(changes).toMatchObject([
      {
        rule: 'enum-value-added',
        severity: 'breaking',
        breaks: 'readers of new data',
        old: '"a"',
        new: 'one of "a", "b"',
        witness: 'b',
      },
    ]);
    expect(changes[0]?.message).toContain('unknown values');
  });

  test('leniently, what is overlooked is still told', () => {
    const { compatible, changes } = compareJsonSchema({
      old: { type: 'object' },
      new: withA({ type: 'string' }),
      direction: 'backward',
      policy: 'lenient',
    });
    expect(compatible).toBe(true);
    expect(changes).toMatchObject([{ rule: 'property-added-to-open-object', severity: 'info', path: '/a' }]);
  });

  test('a format breaks only where it is asserted, and is a warning elsewhere', () => {
    const [old, after] = [{ type: 'string' }, { type: 'string', format: 'uuid' }];
    expect(verdict(old, after, { assertFormats: true })).toBe('format-added');
    expect(verdict(old, after, { assertFormats: true, policy: 'lenient' })).toBe('ok');
    const { changes } = compareJsonSchema({ old, new: after, direction: 'backward', policy: 'strict' });
    expect(changes).toMatchObject([{ rule: 'format-added', severity: 'warning', new: '"uuid"' }]);
  });

  test('a changed default is information, a changed encoding a warning', () => {
    const { compatible, changes } = compareJsonSchema({
      old: withA({ type: 'string', default: 'x', contentEncoding: 'base64' }),
      new: withA({ type: 'string', default: 'y' }),
      direction: 'forward',
      policy: 'strict',
    });
    expect(compatible).toBe(true);
    expect(changes.map(({ severity, rule, path }) => `${severity} ${rule} ${path}`)).toEqual([
      'warning content-changed /a',
      'info default-changed /a',
    ]);
  });

  test('objects that are compared with each other have a witness like all others', () => {
    const items = { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] };
    const { changes } = compareJsonSchema({
      old: { type: 'array', items, minItems: 2, maxItems: 2, uniqueItems: true },
      new: { type: 'array', items, minItems: 3, uniqueItems: true },
      direction: 'backward',
      policy: 'strict',
    });
    expect(changes[0]).toMatchObject({
      rule: 'min-items-raised',
      witness: [{ a: 0 }, { a: 0, other: expect.anything() }],
    });
  });

  test('names that a schema gives its parts cost no witness, and neither do definitions that nothing leads to', () => {
    const a = { $id: '#/properties/a', type: 'string' };
    const $defs = { unused: { $ref: '#/$defs/gone' } };
    const { changes } = compareJsonSchema({
      old: { $id: 'https://example.org/a', ...withA(a), $defs },
      new: { $id: 'https://example.org/a', ...withA({ ...a, maxLength: 3 }), $defs },
      direction: 'backward',
      policy: 'strict',
    });
    expect(changes).toMatchObject([{ rule: 'max-length-added', witness: { a: expect.any(String) } }]);
  });

  test('what cannot be decided about arrays says nothing about other values', () => {
    const undecided = { contains: { type: 'null' }, unevaluatedItems: { type: 'string' } };
    const [old, after] = [
      { ...undecided, enum: ['a', 1] },
      { $ref: '#/$defs/a', $defs: { a: { ...undecided, type: ['string', 'number'] } } },
    ];
    expect(verdict(old, after)).toBe('ok');
    expect(verdict({ ...old, enum: [[null]] }, after)).not.toBe('ok');
  });
});
