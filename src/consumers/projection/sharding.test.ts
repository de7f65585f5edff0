import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineEvent } from '../../contracts/index.ts';
import { defineProjection } from './definition.ts';
import { isShardable, shardsFor } from './sharding.ts';
import { defineSqlProjection } from './sql-definition.ts';

const schema = z.object({ id: z.string(), tenant: z.string() });
const Made = defineEvent({ type: 'test.thing.made.v1', key: 'id', schema });
const Moved = defineEvent({ type: 'test.thing.moved.v1', key: ['tenant', 'id'], schema });

const shared = { columns: { id: 'text', tenant: 'text', n: 'int4' } } as const;
const evolve = () => ({ tenant: 't', n: 1 });

const byKey = defineProjection({ name: 'a', on: Made, primaryKey: 'id', ...shared, evolve });
const byOther = defineProjection({
  name: 'b',
  on: Made,
  primaryKey: 'tenant',
  ...shared,
  evolve: () => ({ id: 'i', n: 1 }),
});
const byMixed = defineProjection({ name: 'c', on: [Made, Moved], primaryKey: 'id', ...shared, evolve });
const byBoth = defineProjection({
  name: 'd',
  on: Moved,
  primaryKey: ['tenant', 'id'],
  ...shared,
  evolve: () => ({ n: 1 }),
});
const byRows = defineProjection({
  name: 'e',
  on: Made,
  primaryKey: 'id',
  ...shared,
  rows: ({ data }) => data,
  evolve,
});
const bySql = defineSqlProjection({
  name: 'f',
  on: Made,
  create: async () => undefined,
  apply: async () => undefined,
});

test('only where each row belongs to one key of events its rows are filled side by side', () => {
  expect([byKey, byBoth].map(isShardable)).toEqual([true, true]);
  expect([byOther, byMixed, byRows, bySql].map(isShardable)).toEqual([false, false, false, false]);
});

test('a short log is filled by one lane, whatever is wished by a person counts, and one lane is all that others get', () => {
  expect(shardsFor(byKey, { head: 49_999, wanted: null })).toBe(1);
  expect(shardsFor(byKey, { head: 50_000, wanted: null })).toBe(4);
  expect(shardsFor(byKey, { head: 10, wanted: 7 })).toBe(7);
  expect(shardsFor(byRows, { head: 1_000_000, wanted: 7 })).toBe(1);
});
