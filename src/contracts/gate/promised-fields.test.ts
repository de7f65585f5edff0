import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Json } from '../../foundation/index.ts';
import { lockSchema } from './digest.ts';
import { promiseOf } from './promised-fields.ts';

const promised = (schema: Json, path: string): string =>
  promiseOf(lockSchema('json-schema', schema, schema), path);
const zod = (schema: z.ZodType): Json => z.toJSONSchema(schema, { io: 'output' }) as unknown as Json;

const order = zod(
  z.object({
    orderId: z.string(),
    note: z.string().optional(),
    customer: z.object({ email: z.string(), phone: z.string().optional() }).nullable(),
    address: z.object({ street: z.string() }).optional(),
    lines: z.array(z.object({ price: z.int() })),
    labels: z.record(z.string(), z.object({ text: z.string() })),
    payment: z.union([
      z.object({ card: z.string(), pence: z.int() }),
      z.object({ iban: z.string(), pence: z.int() }),
    ]),
    pair: z.tuple([z.object({ a: z.int() }), z.object({ a: z.int(), b: z.int() })]),
  }),
);

describe('of a JSON Schema', () => {
  test.each([
    ['orderId', 'always'],
    ['note', 'sometimes'],
    ['nothing', 'never'],
    ['orderId.part', 'never'],
    ['customer', 'always'],
    ['customer.email', 'always'],
    ['customer.phone', 'sometimes'],
    ['customer.name', 'never'],
    ['address.street', 'sometimes'],
    ['lines', 'always'],
    ['lines.price', 'always'],
    ['lines.0.price', 'always'],
    ['lines.vat', 'never'],
    ['labels.any.text', 'sometimes'],
    ['labels.any.colour', 'never'],
    ['payment.pence', 'always'],
    ['payment.card', 'sometimes'],
    ['payment.cash', 'never'],
    ['pair.a', 'always'],
    ['pair.b', 'sometimes'],
    ['constructor', 'never'],
    ['__proto__', 'never'],
  ])('%s is %s there', (path, answer) => {
    expect(promised(order, path)).toBe(answer);
  });

  test('references, recursion and joined parts are followed', () => {
    const node: z.ZodType = z.object({
      name: z.string(),
      get next() {
        return node.optional();
      },
    });
    expect(promised(zod(node), 'next.next.name')).toBe('sometimes');
    expect(promised(zod(node), 'next.next.nam')).toBe('never');
    const joined = { allOf: [{ properties: { a: {} }, required: ['a'] }, { properties: { b: {} } }] };
    expect([promised(joined, 'a'), promised(joined, 'b'), promised(joined, 'c')]).toEqual([
      'always',
      'sometimes',
      'never',
    ]);
  });

  test('branches that multiply end', () => {
    const levels = Array.from({ length: 60 }, (_, level): [string, Json] => {
      const next = { $ref: `#/$defs/l${level + 1}` };
      return [`l${level}`, { anyOf: [next, next], allOf: [next, next] }];
    });
    const since = performance.now();
    expect(promised({ $ref: '#/$defs/l0', $defs: Object.fromEntries(levels) }, 'a')).toBe('unknown');
    expect(performance.now() - since).toBeLessThan(2_000);
  });

  test('what cannot be told is unknown: anything, other documents, endless references', () => {
    expect(promised(true, 'a')).toBe('unknown');
    expect(promised({ type: 'object', patternProperties: { '^a': {} } }, 'a')).toBe('unknown');
    expect(promised({ $ref: 'https://example.org/other.json' }, 'a')).toBe('unknown');
    expect(promised({ $ref: '#' }, 'a')).toBe('unknown');
    expect(promised({ properties: { a: false } }, 'a.b')).toBe('never');
  });
});

describe('of an Avro schema', () => {
  const schema = {
    type: 'record',
    name: 'shop.Order',
    fields: [
      { name: 'orderId', type: 'string' },
      {
        name: 'lines',
        type: {
          type: 'array',
          items: { type: 'record', name: 'Line', fields: [{ name: 'price', type: 'int' }] },
        },
      },
      { name: 'first', type: ['null', 'Line'] },
      { name: 'labels', type: { type: 'map', values: 'Line' } },
      { name: 'next', type: ['null', 'shop.Order'] },
    ],
  };

  test.each([
    ['orderId', 'always'],
    ['lines.price', 'always'],
    ['first.price', 'always'],
    ['labels.any.price', 'always'],
    ['next.next.orderId', 'always'],
    ['next.nothing', 'never'],
    ['orderId.part', 'never'],
    ['nothing', 'never'],
  ])('%s is %s there', (path, answer) => {
    expect(promiseOf(lockSchema('avro', schema, schema), path)).toBe(answer);
  });
});

test('of Protobuf nothing is claimed', () => {
  expect(promiseOf(lockSchema('protobuf', 'message A {}', 'message A {}'), 'a')).toBe('unknown');
});
