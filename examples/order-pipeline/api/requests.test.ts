import { describe, expect, it } from 'vitest';
import { ApiProblem, problemName } from './problems.ts';
import { toCancellation, toOrder } from './requests.ts';

const line = { stockCode: '85123a', description: 'HEART', quantity: 6, unitPrice: '2.55' };
const order = {
  orderId: '536365',
  customerId: '17850',
  country: 'United Kingdom',
  placedAt: '2010-12-01T08:26:00Z',
  lines: [line],
};
const cancellation = {
  cancellationId: 'C536379',
  customerId: '14527',
  country: 'United Kingdom',
  requestedAt: '2010-12-01T09:41:00Z',
  lines: [{ stockCode: 'D', quantity: 1 }],
};

function problemOf(read: () => unknown): ApiProblem['details'] {
  try {
    read();
  } catch (error) {
    if (error instanceof ApiProblem) return error.details;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('an order', () => {
  it('is read in pence', () => {
    expect(toOrder(order)).toMatchObject({ orderId: '536365', lines: [{ quantity: 6, unitPence: 255 }] });
  });

  it('without a customer is a guest’s, without a description is accepted, and may be free', () => {
    const { customerId: _, ...anonymous } = order;
    const free = { stockCode: '22139', quantity: 56, unitPrice: '0' };
    expect(toOrder({ ...anonymous, lines: [free] })).toMatchObject({
      customerId: 'guest',
      lines: [{ description: null, unitPence: 0 }],
    });
  });

  it.each([
    ['negative-quantity', { quantity: -10 }],
    ['negative-quantity', { quantity: 0 }],
    ['price-finer-than-a-penny', { unitPrice: '0.001' }],
    ['negative-price', { unitPrice: '-11062.06' }],
    ['schema-violation', { unitPrice: 'free' }],
    ['schema-violation', { quantity: 1.5 }],
    ['schema-violation', { stockCode: '' }],
    ['schema-violation', { colour: 'red' }],
  ])('is refused as %s with %o', (name, change) => {
    const problem = problemOf(() => toOrder({ ...order, lines: [line, { ...line, ...change }] }));
    expect(problemName(problem.type)).toBe(name);
    expect(problem.errors?.[0]?.pointer).toMatch(/^#\/lines\/1/);
  });

  it('that adjusts the books is none', () => {
    const problem = problemOf(() => toOrder({ ...order, orderId: 'A563185' }));
    expect(problemName(problem.type)).toBe('accounting-adjustment');
  });

  it.each([
    null,
    'text',
    [],
    {},
    { ...order, lines: [] },
    { ...order, placedAt: 'now' },
    { ...order, orderId: 'x'.repeat(99) },
  ])('cannot be read from %o', (body) => {
    expect(problemOf(() => toOrder(body))).toMatchObject({
      status: 422,
      title: expect.stringContaining('shape'),
    });
  });
});

describe('a cancellation', () => {
  it('is read', () => {
    expect(toCancellation(cancellation)).toMatchObject({
      cancellationId: 'C536379',
      lines: [{ quantity: 1 }],
    });
  });

  it('without a customer can match nothing', () => {
    const { customerId: _, ...anonymous } = cancellation;
    for (const body of [anonymous, { ...cancellation, customerId: 'guest' }]) {
      expect(problemName(problemOf(() => toCancellation(body)).type)).toBe('cancellation-without-customer');
    }
  });

  it('of a negative quantity is refused', () => {
    const body = { ...cancellation, lines: [{ stockCode: 'D', quantity: -1 }] };
    expect(problemName(problemOf(() => toCancellation(body)).type)).toBe('negative-quantity');
  });
});
