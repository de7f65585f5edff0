import { describe, expect, test } from 'vitest';
import { compare } from '../compare/compare.ts';
import { contractSchemas, defineEvent } from '../index.ts';
import { protobufSchema } from './protobuf.ts';

const proto = `syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
import "money.proto";
message OrderPlaced {
  string order_id = 1;
  int64 total = 2;
  Size size = 3;
  repeated Line lines = 4;
  map<string, Line> by_product = 5;
  google.protobuf.Timestamp placed_at = 6;
  oneof payment { string card = 7; bool cash = 8; }
  Money money = 9;
  message Line { string product = 1; uint32 quantity = 2; }
  enum Size { SMALL = 0; LARGE = 1; }
}`;
const money = 'syntax = "proto3"; package shop; message Money { int32 pence = 1; }';
const imports = { 'money.proto': money };
const schema = protobufSchema<{ orderId: string }>(proto, 'shop.OrderPlaced', { imports });
const validate = (payload: unknown) =>
  schema['~standard'].validate(payload) as { value?: unknown; issues?: { message: string }[] };

describe('a Protobuf message as the schema of a contract', () => {
  test('takes its canonical JSON, and drops what the message lacks', () => {
    const order = {
      orderId: 'A1',
      total: '4200',
      size: 'LARGE',
      lines: [{ product: 'tea', quantity: 2 }],
      byProduct: { tea: { quantity: 2 } },
      placedAt: '2010-12-01T08:26:00Z',
      cash: true,
      money: { pence: 5 },
    };
    expect(validate(order).value).toEqual(order);
    const more = {
      ...order,
      more: 1,
      lines: [{ product: 'tea', quantity: 2, more: 1 }],
      byProduct: { tea: { quantity: 2, more: 1 } },
    };
    expect(validate(more).value).toEqual(order);
  });

  test('takes the names of the file too', () => {
    expect(validate({ order_id: 'A1' }).value).toEqual({ order_id: 'A1' });
  });

  test.each([
    { orderId: 5 },
    { total: 'many' },
    { total: 0.5 },
    { size: 'HUGE' },
    { lines: {} },
    { lines: [{ quantity: -1 }] },
    { byProduct: [] },
    { placedAt: 'yesterday' },
    { card: 'x', cash: true },
    { money: 'much' },
    [],
    'text',
  ])('refuses %j', (payload) => {
    expect(validate(payload).issues).toHaveLength(1);
  });

  test('refuses what lacks a required field, at any depth', () => {
    const required = protobufSchema(
      `syntax = "proto2"; message A { required string id = 1; optional B b = 2; repeated B many = 3; map<string, B> by = 4; }
       message B { required bool is_there = 1; optional A a = 2; }`,
      'A',
    );
    const faults = (payload: unknown) =>
      ((required['~standard'].validate(payload) as { issues?: { path: unknown[] }[] }).issues ?? []).map(
        ({ path }) => path.join('.'),
      );
    expect(
      faults({ id: 'a', b: { is_there: false }, many: [{ isThere: true, a: { id: 'b' } }], by: {} }),
    ).toEqual([]);
    expect(faults({ id: null, b: {}, many: [{ isThere: true }, { a: {} }], by: { x: {} } })).toEqual([
      'id',
      'b.isThere',
      'many.1.isThere',
      'many.1.a.id',
      'by.x.isThere',
    ]);
  });

  test('is described by its files, and one that names the payload', () => {
    const Placed = defineEvent({ type: 'shop.order.placed.v1', key: 'orderId', schema });
    const [encoding] = contractSchemas(Placed).encodings;
    expect(encoding).toMatchObject({ format: 'protobuf', output: { 'schema.proto': proto, ...imports } });
    expect(encoding?.input).toBe(encoding?.output);
    const Paid = defineEvent({
      type: 'shop.order.paid.v1',
      key: 'pence',
      schema: protobufSchema<{ pence: number }>(money, 'shop.Money'),
    });
    expect(Paid({ pence: 5 }).data).toEqual({ pence: 5 });
  });

  test('that becomes another message of the same file is a change that comparing sees', async () => {
    const two = `${money} message Price { int32 pence = 1; }`;
    const files = (message: string) => {
      const Made = defineEvent({
        type: 'shop.thing.made.v1',
        key: 'pence',
        schema: protobufSchema<{ pence: number }>(two, message),
      });
      return contractSchemas(Made).encodings[0]?.output ?? null;
    };
    const compared = (to: string) =>
      compare({ format: 'protobuf', mode: 'backward', old: files('shop.Money'), new: files(to) });
    expect(await compared('shop.Money')).toEqual({ compatible: true, changes: [] });
    expect((await compared('shop.Price')).compatible).toBe(false);
  });

  test.each([
    ['is malformed', 'message {', 'x'],
    ['has no such message', money, 'shop.Coin'],
    ['imports what is not there', proto, 'shop.OrderPlaced'],
  ])('that %s is refused', (_what, text, message) => {
    expect(() => protobufSchema(text, message)).toThrowError(
      expect.objectContaining({ code: 'SCHEMA_INVALID' }),
    );
  });
});
