import Ajv from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Json } from '../../foundation/index.ts';
import { exampleValues } from './example-values.ts';
import { sampleOfPattern } from './pattern-sample.ts';

const fitting = (schema: Json): readonly Json[] => {
  const ajv = new Ajv.default({ strict: false });
  formats.default(ajv);
  const validate = ajv.compile(schema as object);
  return exampleValues(schema).filter((value) => validate(value));
};

const zod = (schema: z.ZodType): Json => z.toJSONSchema(schema, { io: 'output' }) as unknown as Json;

describe('examples', () => {
  const node: z.ZodType = z.object({
    name: z.string(),
    get next() {
      return node.optional();
    },
  });
  test.each<[string, Json]>([
    [
      'an order',
      zod(
        z.object({ orderId: z.string(), lines: z.array(z.object({ quantity: z.int().positive() })).min(2) }),
      ),
    ],
    [
      'formats',
      zod(
        z.object({
          a: z.uuid(),
          b: z.email(),
          c: z.iso.datetime(),
          d: z.iso.date(),
          e: z.url(),
          f: z.ipv4(),
        }),
      ),
    ],
    [
      'bounds',
      zod(
        z.object({
          a: z.number().gt(100).lt(101),
          b: z.int().min(-5).max(-3),
          c: z.string().min(20).max(22),
        }),
      ),
    ],
    ['steps', { type: 'integer', minimum: 100, multipleOf: 7 }],
    ['exclusive bounds', { type: 'integer', exclusiveMinimum: 41, exclusiveMaximum: 43 }],
    [
      'unions',
      zod(z.union([z.object({ kind: z.literal('a') }), z.object({ kind: z.literal('b'), n: z.int() })])),
    ],
    ['nullable', zod(z.object({ a: z.string().nullable() }))],
    ['records', zod(z.object({ a: z.record(z.string(), z.int()) }))],
    ['tuples', zod(z.tuple([z.string(), z.int()]))],
    ['recursion', zod(node)],
    [
      'patterns',
      zod(z.object({ a: z.string().regex(/^[A-Z]{2}-\d{3,5}$/), b: z.string().regex(/^(GBP|EUR)$/) })),
    ],
    [
      'allOf',
      {
        allOf: [
          { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] },
          { properties: { b: { type: 'integer' } }, required: ['b'] },
        ],
      },
    ],
    [
      'references',
      {
        $defs: { money: { type: 'integer', minimum: 1 } },
        type: 'object',
        properties: { m: { $ref: '#/$defs/money' } },
        required: ['m'],
      },
    ],
    ['a const', { const: { a: 1 } }],
    ['given examples', { type: 'string', examples: ['first', 'second'] }],
    ['a list of types', { type: ['integer', 'null'] }],
    ['true', true],
  ])('fit %s', (_, schema) => {
    expect(fitting(schema).length).toBeGreaterThan(0);
  });

  test('of a closed object with optional fields have one with and one without them', () => {
    const values = fitting(zod(z.object({ a: z.string(), b: z.string().optional() })));
    expect(values).toEqual([{ a: 'a', b: 'b' }, { a: 'a' }]);
  });

  test('take every branch and every allowed value once', () => {
    const values = fitting(
      zod(
        z.object({ reason: z.enum(['cancelled', 'declined', 'lost']), by: z.union([z.int(), z.string()]) }),
      ),
    );
    expect(new Set(values.map((value) => (value as { reason: string }).reason))).toEqual(
      new Set(['cancelled', 'declined', 'lost']),
    );
    expect(new Set(values.map((value) => typeof (value as { by: unknown }).by))).toEqual(
      new Set(['number', 'string']),
    );
  });

  test('of a field called __proto__ hold it as a field', () => {
    const schema = JSON.parse(
      '{"type":"object","properties":{"__proto__":{"type":"integer"}},"required":["__proto__"]}',
    ) as Json;
    expect(JSON.stringify(exampleValues(schema)[0])).toBe('{"__proto__":42}');
  });

  test('end for schemas that multiply', () => {
    const levels = Array.from({ length: 40 }, (_, level): [string, Json] => {
      const next = { $ref: `#/$defs/l${level + 1}` };
      return [
        `l${level}`,
        { allOf: [next, next], properties: { a: next, b: next, c: next }, required: ['a'] },
      ];
    });
    const schema = { $ref: '#/$defs/l0', $defs: Object.fromEntries(levels) };
    // Two to the fortieth ways: it ends at all.
    expect(exampleValues(schema).length).toBeGreaterThan(0);
  }, 60_000);

  test('end for what refers to itself without end', () => {
    expect(exampleValues({ $ref: '#' })).toEqual([null]);
    expect(exampleValues({ allOf: [{ $ref: '#' }] })).toHaveLength(1);
  });
});

describe('samples of patterns', () => {
  test.each([
    '^[A-Z]{2}-\\d+$',
    '^a|b$',
    '^(?:x|y)+z?$',
    '[^a-z]',
    '^\\w+@\\w+\\.com$',
    '^$',
    '^\\d{4}-\\d{2}$',
    '^(?<name>a)b$',
    '^.{3}$',
    '^[\\w.-]{8,}$',
    '^\\/x$',
  ])('%s', (pattern) => {
    expect(sampleOfPattern(pattern)).toMatch(new RegExp(pattern, 'u'));
  });

  test.each(['(', '[', 'a{2', '^(?=b)a$', '\\p{L}', '(a)\\1', '(((((a{1000}){1000}){1000})))'])(
    '%s is given up',
    (pattern) => {
      expect(sampleOfPattern(pattern)).toBeNull();
    },
  );

  test('are as long as asked for where the pattern allows it', () => {
    expect(sampleOfPattern('^[a-z]+$', 12)).toHaveLength(12);
    expect(sampleOfPattern('^[a-z]{3}$', 12)).toBeNull();
  });
});
