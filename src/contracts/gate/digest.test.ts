import { expect, test } from 'vitest';
import { contractDigest, digestOf, lockSchema } from './digest.ts';
import type { ContractFacts } from './lock.ts';

const facts: ContractFacts = {
  kind: 'domain',
  key: ['orderId'],
  owner: 'orders',
  ordering: 'key',
  retention: 'standard',
  compatibility: 'backward',
  policy: 'strict',
  highImpact: false,
  sensitivity: new Map(),
  producers: [],
  deprecated: null,
  replies: [],
  schemas: [lockSchema('json-schema', { type: 'object' }, { type: 'object' })],
};

const others: { readonly [Fact in keyof ContractFacts]: ContractFacts[Fact] } = {
  kind: 'integration',
  key: ['orderId', 'line'],
  owner: 'payments',
  ordering: 'global',
  retention: 'forever',
  compatibility: 'full',
  policy: 'lenient',
  highImpact: true,
  sensitivity: new Map([['email', 'personal']]),
  producers: ['shop'],
  deprecated: { since: '2026-01-01', until: '2026-12-31', replacement: null },
  replies: ['a.b.done.v1'],
  schemas: [lockSchema('json-schema', { type: 'object' }, {})],
};

test.each(Object.keys(others) as (keyof ContractFacts)[])('a digest covers %s', (fact) => {
  expect(contractDigest({ ...facts, [fact]: others[fact] })).not.toBe(contractDigest(facts));
});

test('the order of members does not count, and that of items does', () => {
  expect(digestOf({ a: 1, b: [1, 2] })).toBe(digestOf({ b: [1, 2], a: 1 }));
  expect(digestOf({ b: [2, 1] })).not.toBe(digestOf({ b: [1, 2] }));
});
