import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineEvent } from '../../contracts/index.ts';
import { assertSelectable } from './declared-fields.ts';
import { checkPredicate, compilePredicate, fieldsOf, parseCondition, predicateText } from './predicate.ts';

const nested = (depth: number): unknown =>
  depth === 0 ? { field: 'a', is: 'present' } : { not: nested(depth - 1) };

describe('a predicate of a manifest', () => {
  it('is taken in its whole form', () => {
    const predicate = {
      all: [
        { field: 'pence', is: 'at-least', value: 100 },
        {
          any: [
            { field: 'lines.product', is: 'in', values: ['a', null, true] },
            { not: { field: 'note', is: 'present' } },
          ],
        },
      ],
    };
    expect(checkPredicate(predicate, 'where')).toEqual(predicate);
    expect(fieldsOf(checkPredicate(predicate, 'where'))).toEqual(['pence', 'lines.product', 'note']);
  });

  it.each([
    ['nothing', null],
    ['a text', 'pence > 5'],
    ['an unknown comparison', { field: 'a', is: 'like', value: '%' }],
    ['the name that every object has', { field: 'a', is: 'constructor', value: 1 }],
    ['a further member', { field: 'a', is: 'equal', value: 1, sql: 'drop table' }],
    ['two forms at once', { not: { field: 'a', is: 'present' }, all: [] }],
    ['an empty list', { any: [] }],
    ['an empty name in the path', { field: 'a..b', is: 'equal', value: 1 }],
    ['U+0000 in the path', { field: 'a\u0000', is: 'equal', value: 1 }],
    ['a lone surrogate as value', { field: 'a', is: 'equal', value: '\ud800' }],
    ['an object as value', { field: 'a', is: 'equal', value: {} }],
    ['NaN', { field: 'a', is: 'less', value: Number.NaN }],
    ['a long text', { field: 'a', is: 'equal', value: 'x'.repeat(1_025) }],
    ['a number to begin with', { field: 'a', is: 'starts-with', value: 5 }],
    ['a long list', { field: 'a', is: 'in', values: Array.from({ length: 1_001 }, (_, n) => n) }],
    ['nine levels', nested(8)],
    ['a hundred thousand levels', nested(5_000)],
    ['65 comparisons', { all: Array.from({ length: 65 }, () => ({ field: 'a', is: 'present' })) }],
  ])('with %s is refused with its place', (_name, predicate) => {
    expect(() => checkPredicate(predicate, 'selection.where')).toThrow(/selection\.where/);
  });

  it('eight levels and 64 parts are as much as there may be', () => {
    expect(() => checkPredicate(nested(7), 'where')).not.toThrow();
    expect(() =>
      checkPredicate({ all: Array.from({ length: 63 }, () => ({ field: 'a', is: 'present' })) }, 'where'),
    ).not.toThrow();
  });

  it('is compiled so that names are quoted and values stay outside', () => {
    const field = 'a"b.c\\"] ? (1 == 1) || $.d';
    const { path, variables } = compilePredicate({ field, is: 'equal', value: '") || (1 == 1' });
    expect(path).toBe(String.raw`(exists($."a\"b"."c\\\"] ? (1 == 1) || $"."d" ? (@ == $v0)))`);
    expect(variables).toEqual({ v0: '") || (1 == 1' });
  });
});

it('a predicate is shown as people would say it', () => {
  const predicate = checkPredicate(
    {
      all: [
        { field: 'pence', is: 'at-least', value: 1000 },
        {
          any: [
            { field: 'sku', is: 'starts-with', value: 'AB' },
            { field: 'note', is: 'present' },
          ],
        },
        { not: { field: 'status', is: 'in', values: ['paid', null] } },
      ],
    },
    'where',
  );
  expect(predicateText(predicate)).toBe(
    'pence>=1000 and (sku^=AB or note is there) and not (status in ["paid",null])',
  );
});

describe('a condition as people type it', () => {
  it.each([
    ['pence>=1000', { field: 'pence', is: 'at-least', value: 1000 }],
    ['status=paid', { field: 'status', is: 'equal', value: 'paid' }],
    ['status = "1000"', { field: 'status', is: 'equal', value: '1000' }],
    ['gift=true', { field: 'gift', is: 'equal', value: true }],
    ['customer.country!=GB', { not: { field: 'customer.country', is: 'equal', value: 'GB' } }],
    ['sku^=AB-', { field: 'sku', is: 'starts-with', value: 'AB-' }],
    ['note=a=b', { field: 'note', is: 'equal', value: 'a=b' }],
    ['tags=[1]', { field: 'tags', is: 'equal', value: '[1]' }],
  ])('%s', (text, expected) => expect(parseCondition(text)).toEqual(expected));

  it.each(['pence', '>=5', ''])('%j is refused', (text) => {
    expect(() => parseCondition(text)).toThrow('--where');
  });
});

describe('a field that a predicate looks at', () => {
  const contract = defineEvent({
    type: 'shop.order.placed.v1',
    key: 'orderId',
    schema: z.object({
      orderId: z.string(),
      customer: z.object({ email: z.string(), country: z.string().optional() }),
      lines: z.array(z.object({ product: z.string() })),
      labels: z.record(z.string(), z.string()),
      payment: z.union([z.object({ card: z.string() }), z.object({ iban: z.string() })]),
    }),
    sensitivity: { 'customer.email': 'personal', 'payment.iban': 'secret' },
  });

  it.each(['orderId', 'customer.country', 'lines.product', 'labels.anything', 'payment.card', 'lines'])(
    'may be %s',
    (field) => {
      expect(() => assertSelectable(contract, field)).not.toThrow();
    },
  );

  it.each([
    ['pence', 'does not declare'],
    ['customer.name', 'does not declare'],
    ['lines.product.size', 'does not declare'],
    ['constructor', 'does not declare'],
    ['__proto__', 'does not declare'],
    ['customer.email', 'sensitive'],
    ['customer', 'sensitive'],
    ['payment.iban.country', 'sensitive'],
  ])('may not be %s', (field, why) => expect(() => assertSelectable(contract, field)).toThrow(why));
});
