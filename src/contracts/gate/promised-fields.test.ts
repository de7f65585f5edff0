import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Json } from '../../foundation/index.ts';
import { lockSchema } from './digest.ts';
import type { LockedSchema } from './lock.ts';
import { promiseOf } from './promised-fields.ts';

const promised = (schema: Json, path: string): Promise<string> =>
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
  ])('%s is %s there', async (path, answer) => {
    expect(await promised(order, path)).toBe(answer);
  });

  test('references, recursion and joined parts are followed', async () => {
    const node: z.ZodType = z.object({
      name: z.string(),
      get next() {
        return node.optional();
      },
    });
    expect(await promised(zod(node), 'next.next.name')).toBe('sometimes');
    expect(await promised(zod(node), 'next.next.nam')).toBe('never');
    const joined = { allOf: [{ properties: { a: {} }, required: ['a'] }, { properties: { b: {} } }] };
    expect(await Promise.all(['a', 'b', 'c'].map((path) => promised(joined, path)))).toEqual([
      'always',
      'sometimes',
      'never',
    ]);
  });

  test('branches that multiply end', async () => {
    const levels = Array.from({ length: 60 }, (_, level): [string, Json] => {
      const next = { $ref: `#/$defs/l${level + 1}` };
      return [`l${level}`, { anyOf: [next, next], allOf: [next, next] }];
    });
    const since = performance.now();
    expect(await promised({ $ref: '#/$defs/l0', $defs: Object.fromEntries(levels) }, 'a')).toBe('unknown');
    expect(performance.now() - since).toBeLessThan(2_000);
  });

  test('what cannot be told is unknown: anything, other documents, endless references', async () => {
    expect(await promised(true, 'a')).toBe('unknown');
    expect(await promised({ type: 'object', patternProperties: { '^a': {} } }, 'a')).toBe('unknown');
    expect(await promised({ $ref: 'https://example.org/other.json' }, 'a')).toBe('unknown');
    expect(await promised({ $ref: '#' }, 'a')).toBe('unknown');
    expect(await promised({ properties: { a: false } }, 'a.b')).toBe('never');
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
  ])('%s is %s there', async (path, answer) => {
    expect(await promiseOf(lockSchema('avro', schema, schema), path)).toBe(answer);
  });
});

describe('of a Protobuf message', () => {
  const schemaOf = (text: string, message: string): LockedSchema => {
    const files = {
      'order.proto': text,
      'factline-payload.proto': `syntax = "proto3"; import "order.proto"; message FactlinePayload { .${message} payload = 1; }`,
    };
    return lockSchema('protobuf', files, files);
  };
  const order = schemaOf(
    `syntax = "proto2"; package shop;
     import "google/protobuf/timestamp.proto";
     import "google/protobuf/struct.proto";
     message Order {
       required string order_id = 1;
       optional int64 total = 2;
       required Customer customer = 3;
       optional Customer payer = 4;
       repeated Line lines = 5;
       map<string, Line> by_product = 6;
       optional google.protobuf.Timestamp placed_at = 7;
       optional google.protobuf.Struct more = 8;
       oneof payment { string card = 9; Cash cash = 10; }
       optional Order replaces = 11;
       message Customer { required string email = 1; optional string phone = 2; }
       message Line { required string product = 1; }
       message Cash { required int32 pence = 1; }
     }`,
    'shop.Order',
  );

  test.each([
    ['orderId', 'always'],
    ['order_id', 'always'],
    ['orderId.part', 'never'],
    ['total', 'sometimes'],
    ['customer.email', 'always'],
    ['customer.phone', 'sometimes'],
    ['customer.name', 'never'],
    ['payer.email', 'sometimes'],
    ['lines.product', 'sometimes'],
    ['lines.0.product', 'sometimes'],
    ['lines.price', 'never'],
    ['byProduct.tea.product', 'sometimes'],
    ['byProduct.tea.price', 'never'],
    ['placedAt', 'sometimes'],
    ['placedAt.seconds', 'never'],
    ['more.anything', 'unknown'],
    ['cash.pence', 'sometimes'],
    ['replaces.replaces.orderId', 'sometimes'],
    ['constructor', 'never'],
  ])('%s is %s there', async (path, answer) => {
    expect(await promiseOf(order, path)).toBe(answer);
  });

  test('of proto3 nothing is always there: defaults are left out', async () => {
    const paid = schemaOf(
      'syntax = "proto3"; message Paid { int32 pence = 1; optional int32 vat = 2; }',
      'Paid',
    );
    expect([await promiseOf(paid, 'pence'), await promiseOf(paid, 'vat')]).toEqual([
      'sometimes',
      'sometimes',
    ]);
  });

  test.each([
    ['is malformed', { 'order.proto': 'message {' }],
    ['names no payload', { 'order.proto': 'syntax = "proto3"; message A { int32 a = 1; }' }],
    ['is no set of files', 'message A {}'],
  ])('of one that %s nothing is claimed', async (_what, files) => {
    expect(await promiseOf(lockSchema('protobuf', files, files), 'a')).toBe('unknown');
  });
});
