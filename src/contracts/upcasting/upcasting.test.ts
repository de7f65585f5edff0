import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { FactlineError } from '../../foundation/index.ts';
import { ContractSet, defineEvent, defineUpcaster, isUpcaster, type StoredRow } from '../index.ts';

const V1 = defineEvent({
  type: 'shop.order.placed.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), pence: z.int() }),
});
const V2 = defineEvent({
  type: 'shop.order.placed.v2',
  key: 'orderId',
  schema: z.object({
    orderId: z.string(),
    total: z.object({ pence: z.int(), currency: z.string().default('GBP') }),
  }),
});
const V3 = defineEvent({
  type: 'shop.order.placed.v3',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), total: z.string() }),
});
const toV2 = defineUpcaster(V1, V2, ({ orderId, pence }) => ({ orderId, total: { pence, currency: 'GBP' } }));
const toV3 = defineUpcaster(V2, V3, ({ orderId, total }) => ({
  orderId,
  total: `${total.pence} ${total.currency}`,
}));

const row = (type: string, data: unknown): StoredRow => ({
  position: 7,
  id: 'event-1',
  type,
  source: 'shop',
  key: 'orderId=A1',
  data: JSON.stringify(data),
  meta: JSON.stringify({ subject: 'A1', correlationId: 'c', causationId: 'd', dedupeKey: 'e' }),
  time: '2010-12-01T08:26:00.000Z',
  recordedAt: '2026-01-01T00:00:00.000Z',
});
const old = row(V1.type, { orderId: 'A1', pence: 4200 });

const errorOf = (call: () => unknown): FactlineError => {
  try {
    call();
  } catch (error) {
    if (FactlineError.is(error)) return error;
    throw error;
  }
  return expect.unreachable('it did not throw');
};

describe('an old event', () => {
  test('is read as the new contract has it, with its own id, position, time and key', () => {
    expect(new ContractSet([V2], [toV2]).open(old)).toEqual({
      id: 'event-1',
      type: 'shop.order.placed.v2',
      upcastFrom: 'shop.order.placed.v1',
      source: 'shop',
      subject: 'A1',
      time: '2010-12-01T08:26:00.000Z',
      recordedAt: '2026-01-01T00:00:00.000Z',
      position: 7,
      key: 'orderId=A1',
      data: { orderId: 'A1', total: { pence: 4200, currency: 'GBP' } },
      correlationId: 'c',
      causationId: 'd',
      dedupeKey: 'e',
    });
  });

  test('goes along the whole chain, from wherever it begins', () => {
    const set = new ContractSet([V3], [toV3, toV2]);
    expect(set.open(old)).toMatchObject({ type: V3.type, upcastFrom: V1.type, data: { total: '4200 GBP' } });
    const middle = row(V2.type, { orderId: 'A1', total: { pence: 5 } });
    expect(set.open(middle)).toMatchObject({ upcastFrom: V2.type, data: { total: '5 GBP' } });
    expect(set.types).toEqual(new Set([V3.type, V2.type, V1.type]));
  });

  test('goes no further than the first version that the consumer knows', () => {
    const set = new ContractSet([V2, V3], [toV2, toV3]);
    expect(set.open(old)).toMatchObject({ type: V2.type });
    expect(set.open(row(V2.type, { orderId: 'A1', total: { pence: 5 } }))).not.toHaveProperty('upcastFrom');
  });

  test('is read as it is by who handles the old version too', () => {
    const set = new ContractSet([V1, V2], [toV2]);
    expect(set.open(old)).toMatchObject({ type: V1.type, data: { pence: 4200 } });
    expect(set.upcasters).toEqual([]);
  });

  test('of a version that no upcaster leads from stays unknown', () => {
    expect(errorOf(() => new ContractSet([V3], [toV2]).open(old)).code).toBe('EVENT_UNKNOWN_TYPE');
    expect(new ContractSet([V3], [toV2]).types).toEqual(new Set([V3.type]));
  });
});

describe('an upcaster that fails', () => {
  const failing = (upcast: (data: never) => unknown): FactlineError => {
    const upcaster = defineUpcaster(V1, V2, upcast as never);
    return errorOf(() => new ContractSet([V2], [upcaster]).open(old));
  };

  test('names itself, the event and why; the cause is what it threw', () => {
    const cause = new RangeError('no such currency');
    const error = failing(() => {
      throw cause;
    });
    expect(error).toMatchObject({
      code: 'UPCAST_FAILED',
      details: { from: V1.type, to: V2.type, eventId: 'event-1' },
      cause,
    });
    expect(error.message).toContain('no such currency');
  });

  test.each([
    ['breaks the new schema', () => ({ orderId: 'A1' }), /total/],
    ['answers nothing', () => undefined, /shop\.order\.placed\.v2/],
    ['answers with a promise', async () => Promise.reject(new RangeError('later')), /promise/],
    ['changes the key', () => ({ orderId: 'A2', total: { pence: 1 } }), /orderId=A2/],
  ])('because it %s is told so', (_what, upcast, message) => {
    const error = failing(upcast);
    expect(error.code).toBe('UPCAST_FAILED');
    expect(error.message).toMatch(message);
  });

  test('in the middle of a chain is the one that is named', () => {
    const broken = defineUpcaster(V1, V2, () => ({}) as never);
    const error = errorOf(() => new ContractSet([V3], [broken, toV3]).open(old));
    expect(error.details).toMatchObject({ from: V1.type, to: V2.type });
  });

  test('is not blamed for an event that breaks its own contract', () => {
    const wrong = row(V1.type, { orderId: 'A1', pence: 'many' });
    expect(errorOf(() => new ContractSet([V2], [toV2]).open(wrong))).toMatchObject({
      code: 'PAYLOAD_INVALID',
      details: { type: V1.type },
    });
  });
});

describe('upcasters', () => {
  const same = (from: number, to: number) => {
    const contract = (version: number) =>
      defineEvent({ type: `test.thing.made.v${version}`, key: 'id', schema: z.object({ id: z.string() }) });
    return defineUpcaster(contract(from), contract(to), (data) => data);
  };

  test('that are ambiguous or circular are refused, wherever the circle is', () => {
    for (const wrong of [
      [same(1, 2), same(1, 3)],
      [same(1, 2), same(2, 1)],
      [same(1, 2), same(2, 3), same(3, 2)],
    ]) {
      const error = errorOf(() => new ContractSet([V2], wrong));
      expect(error.code).toBe('UPCASTER_INVALID');
    }
    expect(errorOf(() => new ContractSet([], [same(1, 2), same(1, 3)])).message).toMatch(/ambiguous/);
    expect(errorOf(() => new ContractSet([], [same(1, 2), same(2, 1)])).message).toMatch(/circular/);
  });

  test('may meet in one version', () => {
    const [a, b] = [same(1, 3), same(2, 3)];
    expect(new ContractSet([b.to], [a, b]).types).toHaveLength(3);
  });

  test('between contracts of different keys, or of one type, are refused', () => {
    const ByCustomer = defineEvent({
      type: 'shop.order.placed.v4',
      key: 'customerId',
      schema: z.object({ orderId: z.string(), customerId: z.string() }),
    });
    const details = (call: () => unknown) => errorOf(call).details['issues'];
    expect(
      details(() => defineUpcaster(V1, ByCustomer, (data) => ({ ...data, customerId: 'x' }))),
    ).toMatchObject([{ path: 'to.key' }]);
    expect(details(() => defineUpcaster(V1, V1, (data) => data))).toMatchObject([{ path: 'to' }]);
    expect(details(() => defineUpcaster({} as never, 5 as never, null as never))).toMatchObject([
      { path: 'from' },
      { path: 'to' },
      { path: 'upcast' },
    ]);
  });

  test('are told apart from other exports of a module', () => {
    expect(isUpcaster(toV2)).toBe(true);
    for (const other of [V1, null, {}, () => 1, { from: V1, to: V2 }]) expect(isUpcaster(other)).toBe(false);
  });

  test('are checked by the compiler', () => {
    // @ts-expect-error a member of the new version is missing
    defineUpcaster(V1, V2, ({ orderId }) => ({ orderId }));
    // @ts-expect-error a member that the old version does not have
    defineUpcaster(V1, V2, ({ amount }) => ({ orderId: '', total: { pence: amount, currency: '' } }));
    // @ts-expect-error an upcaster has nothing to wait for
    defineUpcaster(V1, V2, async ({ orderId, pence }) => ({ orderId, total: { pence, currency: '' } }));
    expect(isUpcaster(toV3)).toBe(true);
  });
});
