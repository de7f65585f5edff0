import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { contractSchemas, defineEvent } from '../index.ts';
import { avroSchema } from './avro.ts';

const record = (...fields: object[]) => ({ type: 'record', name: 'Thing', namespace: 'shop', fields });
const validate = (schema: object, payload: unknown) =>
  avroSchema<unknown>(schema)['~standard'].validate(payload) as {
    value?: unknown;
    issues?: { path: unknown; message: string }[];
  };
/** Of a record with one field. */
const field = (type: unknown, value: unknown) => {
  const { issues, value: read } = validate(record({ name: 'f', type }), { f: value });
  return issues === undefined ? (read as { f: unknown }).f : issues.map((issue) => issue.path);
};
const refused = [['f']];

describe('an Avro schema as the schema of a contract', () => {
  const schema = record(
    { name: 'orderId', type: 'string' },
    { name: 'pence', type: 'long' },
    { name: 'language', type: 'string', default: 'en' },
    { name: 'note', type: ['null', 'string'], default: null },
  );
  const OrderPlaced = defineEvent({
    type: 'shop.order.placed.v1',
    key: 'orderId',
    schema: avroSchema<{ orderId: string; pence: number; language?: string; note?: string | null }>(schema),
  });

  test('fills its defaults in and drops members that it lacks: the log holds what Avro would', () => {
    expect(OrderPlaced({ orderId: 'A1', pence: 5, more: 1 } as never).data).toEqual({
      orderId: 'A1',
      pence: 5,
      language: 'en',
      note: null,
    });
  });

  test('names faults with their path', () => {
    expect(() => OrderPlaced({ orderId: 'A1', pence: 0.5 })).toThrowError(
      expect.objectContaining({
        code: 'PAYLOAD_INVALID',
        details: expect.objectContaining({ issues: [expect.objectContaining({ path: 'pence' })] }),
      }),
    );
    expect(
      validate(record({ name: 'lines', type: { type: 'array', items: { type: 'map', values: 'int' } } }), {
        lines: [{}, { a: 1, b: 'x' }],
      }).issues,
    ).toEqual([{ path: ['lines', 1, 'b'], message: 'is not int' }]);
  });

  test('is its own description', () => {
    expect(contractSchemas(OrderPlaced).encodings).toEqual([
      { format: 'avro', output: schema, input: schema },
    ]);
  });

  test.each([
    ['int', 2 ** 31 - 1, 2 ** 31],
    ['boolean', true, 'true'],
    ['double', 0.5, '0.5'],
    ['bytes', 'ÿ\u0001', '€'],
    [{ type: 'fixed', name: 'Two', size: 2 }, 'ab', 'abc'],
    [{ type: 'enum', name: 'Size', symbols: ['S', 'L'] }, 'L', 'M'],
    [{ type: 'map', values: 'int' }, { a: 1 }, [1]],
    [{ type: 'array', items: 'int' }, [1], { 0: 1 }],
    [['null', 'string'], null, 5],
    [['null', 'string'], 'x', undefined],
  ])('%j accepts %j and refuses %j', (type, good, bad) => {
    expect(field(type, good)).toEqual(good);
    expect(field(type, bad)).toEqual(refused);
  });

  test('a union whose branches look alike wants the branch’s name, as Avro’s own JSON has it', () => {
    const card = { type: 'record', name: 'Card', fields: [{ name: 'last4', type: 'string' }] };
    const cash = { type: 'record', name: 'Cash', fields: [{ name: 'till', type: 'int' }] };
    const either = ['null', card, cash];
    expect(field(either, { 'shop.Cash': { till: 5, more: 1 } })).toEqual({ 'shop.Cash': { till: 5 } });
    expect(field(either, null)).toBeNull();
    for (const wrong of [{ till: 5 }, { 'shop.Cash': { till: 5 }, 'shop.Card': {} }, {}, 'x'])
      expect(field(either, wrong)).toEqual(refused);
    expect(field(either, { 'shop.Cash': { till: 'x' } })).toEqual([['f', 'shop.Cash', 'till']]);
    expect(field([card, 'string'], { last4: '4242' })).toEqual({ last4: '4242' });
  });

  test('may refer to itself, and has no member that an object inherits', () => {
    const tree = record(
      { name: 'id', type: 'string' },
      { name: 'children', type: { type: 'array', items: 'Thing' }, default: [] },
    );
    expect(validate(tree, { id: 'a', children: [{ id: 'b' }] }).value).toEqual({
      id: 'a',
      children: [{ id: 'b', children: [] }],
    });
    const inherited = Object.create({ f: 'x' }) as object;
    expect(validate(record({ name: 'f', type: 'string' }), inherited).issues).toHaveLength(1);
  });

  test('that is no schema is refused', () => {
    expect(() => avroSchema({ type: 'record' })).toThrowError(
      expect.objectContaining({ code: 'SCHEMA_INVALID' }),
    );
  });

  test('may stand beside the contract’s own schema', () => {
    const Both = defineEvent({
      type: 'shop.order.placed.v1',
      key: 'orderId',
      schema: z.object({ orderId: z.string(), pence: z.int() }),
      encodings: [
        avroSchema<unknown>(record({ name: 'orderId', type: 'string' }, { name: 'pence', type: 'int' })),
      ],
    });
    expect(contractSchemas(Both).encodings.map(({ format }) => format)).toEqual(['json-schema', 'avro']);
    expect(() => Both({ orderId: 'x', pence: 2 ** 40 })).toThrowError(
      expect.objectContaining({ code: 'PAYLOAD_INVALID' }),
    );
  });
});
