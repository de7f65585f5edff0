import { type } from 'arktype';
import * as v from 'valibot';
import { describe, expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import {
  type DataOf,
  type Draft,
  defineEvent,
  type EventContract,
  type EventOf,
  type FactEvent,
  type Many,
  type On,
} from './index.ts';

/*
 * What must not compile stands behind @ts-expect-error: tsc fails when a line compiles after all.
 * The functions are never called.
 */
const OrderPlaced = defineEvent({
  type: 'shop.order.placed.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), pence: z.int(), note: z.string().optional() }),
});
const OrderPaid = defineEvent({
  type: 'shop.order.paid.v1',
  key: 'orderId',
  schema: v.object({ orderId: v.string() }),
});
const Shipped = defineEvent({
  type: 'shop.order.shipped.v1',
  key: 'orderId',
  schema: type({ orderId: 'string', 'weight?': 'number' }),
});

const id = z.object({ id: z.string() });
const optionalId = z.object({ id: z.string().optional() });
const person = z.object({
  id: z.string(),
  contact: z.object({ email: z.string() }).optional(),
  notes: z.array(z.object({ text: z.string() })),
});
const paid = z.object({ id: z.string(), paid: z.boolean() });
const date = z.object({ id: z.string(), at: z.date() });
const bigint = z.object({ id: z.string(), all: z.array(z.object({ n: z.bigint() })) });
const map = z.object({ id: z.string(), map: z.map(z.string(), z.string()) });
const transform = z.object({ id: z.string(), n: z.string().transform(Number) });
const coercion = z.object({ id: z.string(), n: z.coerce.number() });
const valibotTransform = v.object({ id: v.string(), n: v.pipe(v.string(), v.transform(Number)) });

/* One line each, so that the expected error is on the line below its comment. */
const declarations = (): unknown[] => [
  defineEvent({ type: 'a.b.c.v1', key: 'id', schema: id }),
  // @ts-expect-error a type without version
  defineEvent({ type: 'a.b.c', key: 'id', schema: id }),
  // @ts-expect-error a type with too few parts
  defineEvent({ type: 'c.v1', key: 'id', schema: id }),
  // @ts-expect-error a key that the payload lacks
  defineEvent({ type: 'a.b.c.v1', key: 'customerId', schema: id }),
  // @ts-expect-error a key that may be absent
  defineEvent({ type: 'a.b.c.v1', key: 'id', schema: optionalId }),
  // @ts-expect-error a key that is neither string nor number
  defineEvent({ type: 'a.b.c.v1', key: 'paid', schema: paid }),
  // @ts-expect-error a composite key with a wrong field
  defineEvent({ type: 'a.b.c.v1', key: ['id', 'x'], schema: id }),
  // @ts-expect-error an empty composite key
  defineEvent({ type: 'a.b.c.v1', key: [], schema: id }),
  // @ts-expect-error a function as key
  defineEvent({ type: 'a.b.c.v1', key: () => 'id', schema: id }),
  // @ts-expect-error a Date in the payload
  defineEvent({ type: 'a.b.c.v1', key: 'id', schema: date }),
  // @ts-expect-error a bigint, deep inside
  defineEvent({ type: 'a.b.c.v1', key: 'id', schema: bigint }),
  // @ts-expect-error a Map
  defineEvent({ type: 'a.b.c.v1', key: 'id', schema: map }),
  // @ts-expect-error a transform
  defineEvent({ type: 'a.b.c.v1', key: 'id', schema: transform }),
  // @ts-expect-error a coercion
  defineEvent({ type: 'a.b.c.v1', key: 'id', schema: coercion }),
  // @ts-expect-error valibot's transform
  defineEvent({ type: 'a.b.c.v1', key: 'id', schema: valibotTransform }),
  // @ts-expect-error no schema
  defineEvent({ type: 'a.b.c.v1', key: 'id' }),
  // @ts-expect-error an unknown option
  defineEvent({ type: 'a.b.c.v1', key: 'id', schema: id, retentoin: 'forever' }),
  defineEvent({ type: 'a.b.c.v1', key: 'id', schema: person, sensitivity: { 'contact.email': 'personal' } }),
  defineEvent({
    type: 'a.b.c.v1',
    key: 'id',
    schema: person,
    sensitivity: { 'notes.text': 'secret', id: 'personal' },
  }),
  // @ts-expect-error the sensitivity of a field that the payload lacks
  defineEvent({ type: 'a.b.c.v1', key: 'id', schema: person, sensitivity: { 'contact.phone': 'personal' } }),
  // @ts-expect-error an unknown sensitivity
  defineEvent({ type: 'a.b.c.v1', key: 'id', schema: person, sensitivity: { id: 'private' } }),
  defineEvent({ type: 'a.b.c.v1', key: 'id', schema: person, editable: ['contact.email', 'notes.text'] }),
  // @ts-expect-error an editable field that the payload lacks
  defineEvent({ type: 'a.b.c.v1', key: 'id', schema: person, editable: ['contact.phone'] }),
  // @ts-expect-error an unknown compatibility mode
  defineEvent({ type: 'a.b.c.v1', key: 'id', schema: id, compatibility: 'backwards' }),
  // @ts-expect-error a deprecation without its end
  defineEvent({ type: 'a.b.c.v1', key: 'id', schema: id, deprecated: { since: '2026-01-01' } }),
  // @ts-expect-error nobody may publish it
  defineEvent({ type: 'a.b.c.v1', key: 'id', schema: id, producers: [] }),
  // @ts-expect-error a duration without unit
  defineEvent({ type: 'a.b.c.v1', key: 'id', schema: id, sla: { handledWithin: '30' } }),
];

const calls = (): unknown[] => [
  OrderPlaced({ orderId: 'A1', pence: 1 }),
  // @ts-expect-error a wrong member
  OrderPlaced({ orderId: 'A1', pence: '1' }),
  // @ts-expect-error a missing member
  OrderPlaced({ orderId: 'A1' }),
  // @ts-expect-error an excess member
  OrderPlaced({ orderId: 'A1', pence: 1, extra: true }),
  // @ts-expect-error time as text
  OrderPlaced({ orderId: 'A1', pence: 1 }, { time: '2010-12-01' }),
];

const change = (draft: Draft): void => {
  // @ts-expect-error a draft is not changed
  draft.key = 'x';
};

type Event = On<readonly [typeof OrderPlaced, typeof OrderPaid, typeof Shipped]>;

const exhaustive = (event: Event): number => {
  switch (event.type) {
    case OrderPlaced.type:
      return event.data.pence;
    case OrderPaid.type:
      // @ts-expect-error the payment has no amount
      return event.data.pence;
    case Shipped.type:
      return event.data.weight ?? 0;
    default:
      return event satisfies never;
  }
};

const narrowed = (event: Event): number | string => {
  if (OrderPlaced.is(event)) return event.data.pence;
  // @ts-expect-error not narrowed to the shipment yet
  if (event.data.weight) return '';
  return event.data.orderId;
};

interface OrderLines {
  orderId: string;
  lines: { product: string; nested?: OrderLines }[];
}

describe('the types of contracts', () => {
  test('refuse what must not compile (checked by tsc)', () => {
    expectTypeOf(declarations).returns.toBeArray();
    expectTypeOf(calls).returns.toBeArray();
    expectTypeOf(change).returns.toBeVoid();
    expectTypeOf(exhaustive).returns.toBeNumber();
    expectTypeOf(narrowed).parameter(0).toEqualTypeOf<Event>();
  });

  test('infer payload, event and draft', () => {
    expectTypeOf<DataOf<typeof OrderPaid>>().toEqualTypeOf<{ orderId: string }>();
    expectTypeOf<EventOf<typeof OrderPaid>>().toEqualTypeOf<
      FactEvent<'shop.order.paid.v1', { orderId: string }>
    >();
    expectTypeOf(OrderPaid({ orderId: 'x' })).toEqualTypeOf<
      Draft<'shop.order.paid.v1', { orderId: string }>
    >();
    expectTypeOf<Event['type']>().toEqualTypeOf<
      'shop.order.placed.v1' | 'shop.order.paid.v1' | 'shop.order.shipped.v1'
    >();
  });

  test('let every contract and draft stand where any is wanted', () => {
    expectTypeOf<typeof OrderPlaced>().toExtend<EventContract>();
    expectTypeOf<[typeof OrderPlaced, typeof Shipped]>().toExtend<Many<EventContract>>();
    expectTypeOf<{ OrderPlaced: typeof OrderPlaced; Shipped: typeof Shipped }>().toExtend<
      Many<EventContract>
    >();
    expectTypeOf<ReturnType<typeof OrderPlaced>>().toExtend<Draft>();
    expectTypeOf<On<{ OrderPlaced: typeof OrderPlaced; OrderPaid: typeof OrderPaid }>>().toEqualTypeOf<
      EventOf<typeof OrderPlaced> | EventOf<typeof OrderPaid>
    >();
    expectTypeOf<On<typeof OrderPlaced>>().toEqualTypeOf<EventOf<typeof OrderPlaced>>();
  });

  test('accept interfaces, recursion, unions, brands, defaults and unknown', () => {
    const recursive: z.ZodType<OrderLines, OrderLines> = z.object({
      orderId: z.string(),
      get lines() {
        return z.array(z.object({ product: z.string(), nested: recursive.optional() }));
      },
    }) as never;
    const union = z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('a'), id: z.string(), n: z.number() }),
      z.object({ kind: z.literal('b'), id: z.string() }),
    ]);
    const Recursive = defineEvent({ type: 'test.thing.happened.v1', key: 'orderId', schema: recursive });
    const Union = defineEvent({ type: 'test.thing.happened.v1', key: 'id', schema: union });
    const Branded = defineEvent({
      type: 'test.thing.happened.v1',
      key: 'id',
      schema: z.object({ id: z.string().brand('OrderId') }),
    });
    const Defaulted = defineEvent({
      type: 'test.thing.happened.v1',
      key: 'id',
      schema: z.object({ id: z.string(), language: z.enum(['en', 'de']).default('en') }),
    });
    const Unknown = defineEvent({
      type: 'test.thing.happened.v1',
      key: 'id',
      schema: z.object({ id: z.string(), value: z.unknown(), bag: z.record(z.string(), z.json()) }),
    });
    expectTypeOf<DataOf<typeof Recursive>>().toEqualTypeOf<OrderLines>();
    expectTypeOf<DataOf<typeof Union>['kind']>().toEqualTypeOf<'a' | 'b'>();
    expectTypeOf<DataOf<typeof Defaulted>['language']>().toEqualTypeOf<'en' | 'de'>();
    expectTypeOf<DataOf<typeof Unknown>['value']>().toBeUnknown();
    expectTypeOf(Branded.key).toEqualTypeOf<readonly string[]>();
  });
});
