import { expect, test } from 'vitest';
import { payloadFields, wordsOf } from './payload-fields.ts';

test.each([
  ['unitPrice', 'unit price'],
  ['unit_price', 'unit price'],
  ['unit-price', 'unit price'],
  ['IPAddress', 'ip address'],
  ['customerID', 'customer id'],
  ['line2Text', 'line2 text'],
  ['größeCm', 'größe cm'],
])('%s is the words %s', (name, words) => {
  expect(wordsOf(name).join(' ')).toBe(words);
});

const pathsOf = (schema: unknown): string[] => payloadFields(schema).map(({ path }) => path);

test('fields are found through lists, branches, references and further members', () => {
  const schema = {
    $defs: { line: { type: 'object', properties: { price: { type: 'integer' } } } },
    properties: {
      lines: { type: 'array', items: { $ref: '#/$defs/line' } },
      payment: { anyOf: [{ properties: { card: {} } }, { type: 'null' }] },
      labels: { additionalProperties: { properties: { text: {} } } },
      pair: { prefixItems: [{ properties: { first: {} } }] },
    },
    allOf: [{ properties: { extra: {} } }],
  };
  expect(pathsOf(schema).toSorted()).toEqual([
    'extra',
    'labels',
    'labels.text',
    'lines',
    'lines.price',
    'pair',
    'pair.first',
    'payment',
    'payment.card',
  ]);
});

test('a field knows its types, also those of branches and references', () => {
  const schema = {
    $defs: { money: { type: ['integer', 'string'] } },
    properties: { pence: { anyOf: [{ $ref: '#/$defs/money' }, { type: 'null' }] } },
  };
  expect([...(payloadFields(schema)[0]?.types ?? [])].toSorted()).toEqual(['integer', 'null', 'string']);
});

test('recursion, branches that multiply and references to nowhere end', () => {
  const levels = Array.from({ length: 60 }, (_, level): [string, unknown] => {
    const next = { $ref: `#/$defs/l${level + 1}` };
    return [`l${level}`, { anyOf: [next, next, next], properties: { a: next } }];
  });
  const since = performance.now();
  expect(pathsOf({ $ref: '#/$defs/l0', $defs: Object.fromEntries(levels) }).length).toBeGreaterThan(1);
  expect(pathsOf({ properties: { self: { $ref: '#' }, gone: { $ref: '#/$defs/gone' } } })).toContain('gone');
  expect(performance.now() - since).toBeLessThan(5_000);
});
