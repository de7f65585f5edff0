import { inspect } from 'node:util';
import { type } from 'arktype';
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { FactlineError } from '../foundation/index.ts';
import { defineEvent, isEventContract, type PayloadSchema } from './index.ts';

const OrderPlaced = defineEvent({
  type: 'shop.order.placed.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), pence: z.int() }),
});

/** The error that a call throws. */
const errorOf = (call: () => unknown): FactlineError => {
  try {
    call();
  } catch (error) {
    if (FactlineError.is(error)) return error;
    throw error;
  }
  return expect.unreachable('it did not throw');
};

/** A contract over a schema that accepts everything, for what only the run time can refuse. */
const Anything = defineEvent({
  type: 'test.thing.happened.v1',
  key: 'id',
  schema: z.looseObject({ id: z.union([z.string(), z.number()]), value: z.unknown() }),
});
const thing = (value: unknown) => () => Anything({ id: 'x', value });

const schemaOf = (validate: PayloadSchema['~standard']['validate']) =>
  ({ '~standard': { version: 1, vendor: 'test', validate } }) as PayloadSchema as z.ZodType<
    { id: string },
    { id: string }
  >;

describe('a contract', () => {
  test('called makes a frozen draft with key, hash and the payload as it will be read', () => {
    const draft = OrderPlaced({ orderId: 'A1', pence: 4200 });
    expect(draft).toMatchObject({
      contract: OrderPlaced,
      type: 'shop.order.placed.v1',
      data: { orderId: 'A1', pence: 4200 },
      dataText: '{"orderId":"A1","pence":4200}',
      key: 'orderId=A1',
      subject: 'A1',
    });
    expect(Object.isFrozen(draft) && Object.isFrozen(draft.data)).toBe(true);
    expect('time' in draft || 'dedupeKey' in draft).toBe(false);
  });

  test('does not see what the caller does to the object afterwards', () => {
    const Noted = defineEvent({
      type: 'test.note.taken.v1',
      key: 'id',
      schema: type({ id: 'string', lines: 'string[]' }),
    });
    const payload = { id: 'x', lines: ['a'] };
    const draft = Noted(payload);
    payload.lines.push('b');
    expect(draft.data.lines).toEqual(['a']);
    expect(Object.isFrozen(payload)).toBe(false);
  });

  test('carries time and dedupeKey when they are given', () => {
    const draft = OrderPlaced(
      { orderId: 'A1', pence: 1 },
      { time: new Date('2010-12-01T08:26:00Z'), dedupeKey: 'invoice-536365' },
    );
    expect(draft).toMatchObject({ time: '2010-12-01T08:26:00.000Z', dedupeKey: 'invoice-536365' });
  });

  test.each([
    ['time', { time: new Date(Number.NaN) }],
    ['time', { time: '2010-12-01' }],
    ['time', { time: new Date(8.64e15) }],
    ['dedupeKey', { dedupeKey: '' }],
    ['dedupeKey', { dedupeKey: 'x'.repeat(513) }],
    ['dedupeKey', { dedupeKey: 'a\u0000' }],
    ['dedupeKey', { dedupeKey: 5 }],
  ])('refuses a wrong %s', (option, options) => {
    const error = errorOf(() => OrderPlaced({ orderId: 'A1', pence: 1 }, options as never));
    expect(error).toMatchObject({
      code: 'EVENT_OPTION_INVALID',
      details: { option, type: 'shop.order.placed.v1' },
    });
  });

  test('narrows events by type', () => {
    expect(OrderPlaced.is({ type: 'shop.order.placed.v1' })).toBe(true);
    expect(OrderPlaced.is({ type: 'shop.order.placed.v2' })).toBe(false);
  });

  test('shows itself in JSON and on the console, which a bare function would not', () => {
    const Full = defineEvent({
      type: 'shop.order.paid.v2',
      key: ['tenantId', 'orderId'],
      schema: z.object({ tenantId: z.string(), orderId: z.string() }),
      kind: 'integration',
      owner: 'payments',
      summary: 'An order was paid.',
      sla: { handledWithin: '30s' },
      retention: 'forever',
      ordering: 'global',
      highImpact: true,
      compatibility: 'full-transitive',
      deprecated: { since: '2026-01-01', until: '2026-06-30', replacement: 'shop.order.paid.v3' },
      sensitivity: { orderId: 'personal' },
      editable: [],
      producers: ['shop'],
    });
    expect(JSON.parse(JSON.stringify({ Full }))).toEqual({
      Full: {
        type: 'shop.order.paid.v2',
        key: ['tenantId', 'orderId'],
        kind: 'integration',
        retention: 'forever',
        ordering: 'global',
        owner: 'payments',
        summary: 'An order was paid.',
        sla: { handledWithin: '30s' },
        highImpact: true,
        compatibility: 'full-transitive',
        deprecated: { since: '2026-01-01', until: '2026-06-30', replacement: 'shop.order.paid.v3' },
        sensitivity: { orderId: 'personal' },
        producers: ['shop'],
      },
    });
    expect(JSON.stringify(OrderPlaced)).toBe(
      '{"type":"shop.order.placed.v1","key":["orderId"],"kind":"domain","retention":"standard","ordering":"key","compatibility":"backward"}',
    );
    expect(inspect({ OrderPlaced })).toBe(
      '{ OrderPlaced: EventContract shop.order.placed.v1 (key orderId) }',
    );
    expect(inspect(OrderPlaced({ orderId: 'A1', pence: 1 }))).toContain('orderId=A1');
  });

  test('has every term, also those that were not declared', () => {
    expect({ ...OrderPlaced }).toMatchObject({
      highImpact: false,
      compatibility: 'backward',
      sensitivity: {},
      editable: [],
      producers: [],
      encodings: [],
    });
    expect([OrderPlaced.owner, OrderPlaced.deprecated]).toEqual([undefined, undefined]);
  });

  test('does not change when the objects it was declared with do', () => {
    const producers: [string, ...string[]] = ['shop'];
    const deprecated = { since: '2026-01-01', until: '2026-06-30' };
    const Old = defineEvent({
      type: 'shop.order.placed.v1',
      key: 'id',
      schema: z.object({ id: z.string() }),
      producers,
      deprecated,
    });
    producers.push('other');
    deprecated.until = '2030-01-01';
    expect([Old.producers, Old.deprecated?.until]).toEqual([['shop'], '2026-06-30']);
  });

  test('is recognised as one, and nothing else is', () => {
    expect(isEventContract(OrderPlaced)).toBe(true);
    for (const other of [() => 1, {}, null, 'shop.order.placed.v1', z.string()])
      expect(isEventContract(other)).toBe(false);
  });
});

describe('a declaration', () => {
  const valid = { type: 'shop.order.placed.v1', key: 'orderId', schema: OrderPlaced.schema };
  const window = { since: '2026-01-01', until: '2026-12-01' };

  test.each([
    ['type', 'OrderPlaced'],
    ['type', 'shop.order.v1'],
    ['type', 'Shop.Order.Placed.v1'],
    ['type', 'shop.order.placed.v0'],
    ['type', 'shop.order.placed.v1.5'],
    ['type', "shop.order.placed';drop table events.v1"],
    ['type', `shop.${'x'.repeat(200)}.placed.v1`],
    ['type', 5],
    ['key', ''],
    ['key', []],
    ['key', ['a', 'a']],
    ['key', 'a=b'],
    ['key', 'a,b'],
    ['key', undefined],
    ['key', () => 'x'],
    ['schema', undefined],
    ['schema', { parse: () => 1 }],
    ['kind', 'event'],
    ['retention', '30d'],
    ['ordering', true],
    ['owner', ''],
    ['sla.handledWithin', { sla: { handledWithin: 'soon' } }],
    ['sla.handledWithin', { sla: {} }],
    ['sla.handledWithin', { sla: null }],
    ['retentoin', 'forever'],
    ['highImpact', 'yes'],
    ['compatibility', 'wire'],
    ['deprecated', '2026-12-01'],
    ['deprecated.since', { deprecated: { since: '2026-02-30', until: '2026-12-01' } }],
    ['deprecated.since', { deprecated: { since: new Date(), until: '2026-12-01' } }],
    ['deprecated.until', { deprecated: { since: '2026-01-01' } }],
    ['deprecated.until', { deprecated: { since: '2026-12-01', until: '2026-11-30' } }],
    ['deprecated.replacement', { deprecated: { ...window, replacement: 'placed' } }],
    ['deprecated.replacement', { deprecated: { ...window, replacement: 'shop.order.placed.v1' } }],
    ['deprecated.because', { deprecated: { ...window, because: 'old' } }],
    ['sensitivity', ['orderId']],
    ['sensitivity.orderId', { sensitivity: { orderId: 'private' } }],
    ['sensitivity.customer..email', { sensitivity: { 'customer..email': 'personal' } }],
    ['editable', 'pence'],
    ['editable', ['orderId']],
    ['editable', ['pence', 'pence']],
    ['editable', ['customer..note']],
    ['producers', []],
    ['producers', ['shop', 'shop']],
    ['producers', 'shop'],
    ['encodings', [{}]],
  ])('with a wrong %s (%j) is refused', (path, value) => {
    const wrong = path.includes('.') ? (value as object) : { [path]: value };
    const error = errorOf(() => defineEvent({ ...valid, ...wrong } as never));
    expect(error.code).toBe('CONTRACT_INVALID');
    expect(error.details['issues']).toMatchObject([{ path }]);
  });

  test('reports all faults at once', () => {
    const error = errorOf(() => defineEvent({ type: 'x', key: '', schema: 1 } as never));
    expect(error.details['issues']).toMatchObject([{ path: 'type' }, { path: 'key' }, { path: 'schema' }]);
  });
});

describe('a payload', () => {
  test.each([
    ['zod', OrderPlaced],
    [
      'valibot',
      defineEvent({
        type: 'shop.order.placed.v1',
        key: 'orderId',
        schema: v.object({ orderId: v.string(), pence: v.number() }),
      }),
    ],
    [
      'arktype',
      defineEvent({
        type: 'shop.order.placed.v1',
        key: 'orderId',
        schema: type({ orderId: 'string', pence: 'number' }),
      }),
    ],
  ])('that breaks its schema (%s) is refused with path, expected and actual', (_vendor, contract) => {
    const error = errorOf(() => contract({ orderId: 'A1', pence: '4200' } as never));
    expect(error.code).toBe('PAYLOAD_INVALID');
    expect(error.details['issues']).toMatchObject([{ path: 'pence', actual: '"4200"' }]);
    expect(error.message).toMatch(/shop\.order\.placed\.v1 .*pence.*number/s);
    expect(errorOf(() => contract(null as never)).code).toBe('PAYLOAD_INVALID');
  });

  test('must fit every encoding of the contract', () => {
    const Narrow = defineEvent({
      type: 'test.thing.made.v1',
      key: 'id',
      schema: z.object({ id: z.string(), n: z.number() }),
      encodings: [z.object({ n: z.int() })],
    });
    expect(Narrow({ id: 'x', n: 1 }).data).toEqual({ id: 'x', n: 1 });
    expect(errorOf(() => Narrow({ id: 'x', n: 1.5 }))).toMatchObject({
      code: 'PAYLOAD_INVALID',
      details: { issues: [{ path: 'n' }] },
    });
  });

  test('reports every issue, with paths into arrays and odd names', () => {
    const Lines = defineEvent({
      type: 'test.lines.made.v1',
      key: 'id',
      schema: z.object({ id: z.string(), lines: z.array(z.object({ 'unit price': z.int() })) }),
    });
    const error = errorOf(() =>
      Lines({ id: 1, lines: [{ 'unit price': 1 }, { 'unit price': 'x' }] } as never),
    );
    const paths = (error.details['issues'] as { path: string }[]).map((issue) => issue.path);
    expect(paths).toEqual(['id', 'lines[1]["unit price"]']);
  });

  test.each([
    ['Date', new Date(0), 'value'],
    ['bigint', 1n, 'value'],
    ['NaN', Number.NaN, 'value'],
    ['Infinity', [1, Number.POSITIVE_INFINITY], 'value[1]'],
    ['function', { run: () => 1 }, 'value.run'],
    ['symbol', Symbol('x'), 'value'],
    ['undefined in an array', [1, undefined], 'value[1]'],
    ['a hole in an array', new Array(1), 'value[0]'],
    ['Map', { map: new Map() }, 'value.map'],
    ['Uint8Array', new Uint8Array(2), 'value'],
    ['an object with toJSON', { toJSON: () => 1 }, 'value.toJSON'],
    ['a boxed number', Object(1), 'value'],
    ['U+0000', { deep: ['a\u0000b'] }, 'value.deep[0]'],
    ['a lone surrogate', 'x\ud800', 'value'],
    ['U+0000 in a name', { 'a\u0000': 1 }, 'value["a\\u0000"]'],
  ])('with %s cannot be stored and is refused with the path', (_what, value, path) => {
    const error = errorOf(thing(value));
    expect(error.code).toBe('PAYLOAD_NOT_JSON');
    expect(error.details['issues']).toMatchObject([{ path }]);
  });

  test('that is circular or endlessly deep is refused, quickly', () => {
    const circular: Record<string, unknown> = {};
    Object.assign(circular, { a: circular, b: circular });
    let deep: unknown = 1;
    for (let i = 0; i < 5_000; i++) deep = [deep];
    expect(errorOf(thing(circular)).code).toBe('PAYLOAD_NOT_JSON');
    expect(errorOf(thing(deep)).code).toBe('PAYLOAD_NOT_JSON');
  });

  test('with text that only looks dangerous is kept: backslashes, controls, emoji, quotes, __proto__', () => {
    const value = {
      a: '\\u0000',
      b: '\u0001\n\u2028',
      c: '👩‍👩‍👧 🇩🇪',
      d: `'"; drop table events; --`,
      e: JSON.parse('{"__proto__":1}'),
    };
    const draft = Anything({ id: 'x', value });
    expect(JSON.parse(draft.dataText)).toEqual({ id: 'x', value });
  });

  test('leaves absent and undefined members out, as JSON and the types have it', () => {
    const Optional = defineEvent({
      type: 'test.note.taken.v1',
      key: 'id',
      schema: z.object({ id: z.string(), note: z.string().optional() }),
    });
    expect(Optional({ id: 'x', note: undefined }).dataText).toBe('{"id":"x"}');
  });

  test('of 1 MB is fine, beyond 16 MiB it is refused with its size', () => {
    const large = 'ä'.repeat(500_000);
    expect(Anything({ id: 'x', value: large }).data.value).toBe(large);
    const error = errorOf(thing('ä'.repeat(8 * 1024 * 1024)));
    expect(error).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', details: { limit: 16_777_216 } });
  });

  test('is written without the members that its schema does not declare, and with its defaults', () => {
    const Defaulted = defineEvent({
      type: 'test.note.taken.v1',
      key: 'id',
      schema: z.object({ id: z.string(), language: z.string().default('en') }),
    });
    expect(Defaulted({ id: 'x', secret: 1 } as never).dataText).toBe('{"id":"x","language":"en"}');
  });

  test.each([
    ['trim', z.string().trim(), ' A1 '],
    ['toLowerCase', z.string().toLowerCase(), 'A1'],
    ['a coercion', z.coerce.number() as unknown as z.ZodString, '12'],
    [
      'a deeper transform',
      z.array(z.object({ n: z.number().transform((n) => n + 1) })) as unknown as z.ZodString,
      [{ n: 1 }],
    ],
    [
      'a dropped element',
      z.array(z.number()).transform((all) => all.slice(1)) as unknown as z.ZodString,
      [1, 2],
    ],
  ])('that the schema changes (%s) is refused: a reader would change it again', (_what, schema, value) => {
    const Changing = defineEvent({
      type: 'test.thing.changed.v1',
      key: 'id',
      schema: z.object({ id: z.string(), value: schema }),
    });
    const error = errorOf(() => Changing({ id: 'x', value: value as string }));
    expect(error).toMatchObject({ code: 'PAYLOAD_INVALID' });
    expect(error.message).toContain('transforms are not allowed');
  });

  test('whose schema is asynchronous is refused with a code of its own, without an unhandled rejection', () => {
    const asynchronous = z.object({ id: z.string().refine(async () => true) });
    const Async = defineEvent({ type: 'test.thing.happened.v1', key: 'id', schema: asynchronous });
    expect(errorOf(() => Async({ id: 'x' })).code).toBe('SCHEMA_ASYNC');
    const Rejecting = defineEvent({
      type: 'test.thing.happened.v1',
      key: 'id',
      schema: schemaOf(() => Promise.reject(new RangeError('later'))),
    });
    expect(errorOf(() => Rejecting({ id: 'x' })).code).toBe('SCHEMA_ASYNC');
  });

  test('whose schema throws is refused with what it threw as the cause', () => {
    const thrown = new RangeError('bug in the schema');
    const schema = schemaOf(() => {
      throw thrown;
    });
    const Throwing = defineEvent({ type: 'test.thing.happened.v1', key: 'id', schema });
    expect(errorOf(() => Throwing({ id: 'x' }))).toMatchObject({ code: 'SCHEMA_THREW', cause: thrown });
  });
});

describe('a key', () => {
  const Composite = defineEvent({
    type: 'test.thing.happened.v1',
    key: ['tenantId', 'number'],
    schema: z.object({ tenantId: z.string(), number: z.number() }),
  });

  test('of one field is field=value; the value alone is the subject', () => {
    expect(Anything({ id: 'ü=,"\'; drop', value: 1 })).toMatchObject({
      key: `id=ü=,"'; drop`,
      subject: `ü=,"'; drop`,
    });
    expect(Anything({ id: 17, value: 1 })).toMatchObject({ key: 'id=17', subject: '17' });
  });

  test('of several fields is a canonical JSON array, so that no two different keys look alike', () => {
    expect(Composite({ tenantId: 'a', number: 5 })).toMatchObject({
      key: 'tenantId,number=["a",5]',
      subject: '["a",5]',
    });
    const key = (tenantId: string) => Composite({ tenantId, number: 1 }).key;
    expect(new Set([key('a"'), key('a\\"'), key('a",1,"')]).size).toBe(3);
  });

  test.each([
    ['empty', ''],
    ['10 kB', 'x'.repeat(10_240)],
    ['one byte too long', 'x'.repeat(1_022)],
    ['too long in bytes only', 'ä'.repeat(520)],
    ['U+0000', 'a\u0000'],
    ['a lone surrogate', '\udfff'],
  ])('that is not usable (%s) is refused with the field', (_what, id) => {
    const error = errorOf(() => Anything({ id, value: 1 }));
    expect(error).toMatchObject({
      code: 'KEY_INVALID',
      details: { path: 'id', type: 'test.thing.happened.v1' },
    });
    expect(errorOf(() => Composite({ tenantId: '', number: 1 }))).toMatchObject({
      details: { path: 'tenantId' },
    });
  });

  test('of exactly 1,024 bytes is accepted, emoji too', () => {
    expect(Buffer.byteLength(Anything({ id: 'x'.repeat(1_021), value: 1 }).key)).toBe(1_024);
    expect(Anything({ id: '🦄', value: 1 }).key).toBe('id=🦄');
  });

  test('is refused when a schema without types lets the field be absent', () => {
    expect(errorOf(() => Anything({ value: 1 } as never)).code).toBe('PAYLOAD_INVALID');
    const Loose = defineEvent({
      type: 'test.thing.happened.v1',
      key: 'id',
      schema: schemaOf((value) => ({ value }) as never),
    });
    expect(errorOf(() => Loose({} as never))).toMatchObject({ code: 'KEY_INVALID', details: { path: 'id' } });
    expect(errorOf(() => Loose('text' as never)).code).toBe('KEY_INVALID');
  });
});
