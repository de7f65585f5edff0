import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { contractSchemas, defineEvent } from '../index.ts';
import { jsonSchema } from './json-schema.ts';

interface Order {
  orderId: string;
  lines: { price: number }[];
}
const schema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  properties: {
    orderId: { type: 'string', format: 'uuid' },
    lines: { type: 'array', prefixItems: [{ required: ['price'] }], items: { type: 'object' } },
    language: { type: 'string', default: 'en' },
  },
  required: ['orderId'],
};
const OrderPlaced = defineEvent({
  type: 'shop.order.placed.v1',
  key: 'orderId',
  schema: jsonSchema<Order>(schema),
});
const refusal = (payload: unknown): unknown => {
  try {
    return OrderPlaced(payload as Order).data;
  } catch (error) {
    return error;
  }
};

describe('a JSON Schema as the schema of a contract', () => {
  test('checks payloads and keeps them as they are', () => {
    const order = { orderId: 'not-a-uuid', lines: [{ price: 1 }], more: true };
    expect(OrderPlaced(order).data).toEqual(order);
  });

  test('names every fault with its path', () => {
    expect(refusal({ lines: [{}] })).toMatchObject({
      code: 'PAYLOAD_INVALID',
      details: { issues: [{ path: 'orderId' }, { path: 'lines[0].price' }] },
    });
    expect(refusal(Object.create({ orderId: 'inherited' }))).toMatchObject({ code: 'PAYLOAD_INVALID' });
  });

  test('is its own description, in what is written as in what is accepted', () => {
    expect(contractSchemas(OrderPlaced).encodings).toEqual([
      { format: 'json-schema', output: schema, input: schema },
    ]);
  });

  test('does not change with the object it was made from', () => {
    const changing = { type: 'object', properties: { id: { type: 'string' } } };
    const Made = defineEvent({
      type: 'test.thing.made.v1',
      key: 'id',
      schema: jsonSchema<{ id: string }>(changing),
    });
    changing.properties.id.type = 'integer';
    expect(contractSchemas(Made).encodings[0]?.output).toMatchObject({
      properties: { id: { type: 'string' } },
    });
  });

  test('may be draft-07, which reads `items` in its own way', () => {
    const tuple = jsonSchema<unknown>({
      $schema: 'http://json-schema.org/draft-07/schema#',
      type: 'array',
      items: [{ type: 'string' }],
      additionalItems: false,
    });
    const valid = (value: unknown) => !('issues' in (tuple['~standard'].validate(value) as object));
    expect([valid(['a']), valid([1]), valid(['a', 'b'])]).toEqual([true, false, false]);
  });

  test('may stand in a file', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'factline-'));
    const url = pathToFileURL(path.join(folder, 'order.json'));
    expect(() => jsonSchema(url)).toThrowError(expect.objectContaining({ code: 'SCHEMA_INVALID' }));
    writeFileSync(url, '{"type":');
    expect(() => jsonSchema(url)).toThrowError(expect.objectContaining({ code: 'SCHEMA_INVALID' }));
    writeFileSync(url, Buffer.from([0x22, 0xff, 0xfe, 0x22]));
    expect(() => jsonSchema(url)).toThrowError(/not valid/);
    writeFileSync(url, `\u{feff}${JSON.stringify(schema)}`);
    expect('issues' in (jsonSchema<Order>(url)['~standard'].validate({}) as object)).toBe(true);
    rmSync(folder, { recursive: true });
  });

  test.each([
    ['no object', true],
    ['of another draft', { $schema: 'http://json-schema.org/draft-04/schema#' }],
    ['with a keyword of the wrong kind', { type: 'text' }],
    ['with a reference to elsewhere, which is not fetched', { $ref: 'https://127.0.0.1:1/schema.json' }],
  ])('is refused when it is %s', (_what, wrong) => {
    expect(() => jsonSchema(wrong as object)).toThrowError(
      expect.objectContaining({
        code: 'SCHEMA_INVALID',
        details: expect.objectContaining({ format: 'json-schema' }),
      }),
    );
  });
});
