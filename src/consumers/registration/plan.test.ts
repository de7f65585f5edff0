import { expect, test } from 'vitest';
import { z } from 'zod';
import { declare } from '../../../test/faults/counting-class.ts';
import { defineEvent } from '../../contracts/index.ts';
import { FactlineError } from '../../foundation/index.ts';
import type { ConsumerDefinition } from '../definition.ts';
import { coveredGenerations, declaredGeneration, planRegistration, storedObjective } from './plan.ts';
import type { StoredConsumer, StoredGeneration } from './stored-consumer.ts';

const generation = (
  number: number,
  types: readonly string[],
  change: Partial<StoredGeneration> = {},
): StoredGeneration => ({
  generation: number,
  types,
  declaredTypes: types,
  keyVersion: 1,
  lanes: 4,
  barrier: 0,
  ...change,
});

const stored = (change: Partial<StoredConsumer> = {}): StoredConsumer => {
  const generations = change.generations ?? [generation(1, change.types ?? ['a'])];
  return {
    id: 1,
    app: 'shop',
    class: 'operational',
    name: 'mail',
    version: 1,
    build: 1,
    state: 'live',
    generation: 1,
    lanes: 4,
    ordering: 'key',
    types: ['a'],
    startPosition: 0,
    formerNames: [],
    declaration: {},
    handledWithinMs: null,
    errorBudget: null,
    ...change,
    generations,
  };
};

const mail = (change: Partial<Parameters<typeof declare>[0]> = {}): ConsumerDefinition =>
  declare({ name: 'mail', types: ['a'], ...change });

const refusal = (definition: ConsumerDefinition, rows: readonly StoredConsumer[]): string => {
  try {
    planRegistration(definition, rows, 'shop');
  } catch (error) {
    if (FactlineError.is(error)) return error.code;
  }
  return 'not refused';
};

test('a name that was never stored is inserted', () => {
  expect(planRegistration(mail(), [], 'shop')).toMatchObject({
    kind: 'insert',
    name: 'mail',
    build: 1,
    state: 'live',
  });
});

test('what is stored as declared needs nothing', () => {
  expect(planRegistration(mail(), [stored()], 'shop')).toMatchObject({ kind: 'known', updates: [] });
});

test('a name of another app, another class or another ordering is refused', () => {
  expect(refusal(mail(), [stored({ app: 'crm' })])).toBe('CONSUMER_OF_ANOTHER_APP');
  expect(refusal(mail(), [stored({ class: 'projection' })])).toBe('CONSUMER_INVALID');
  expect(refusal(mail({ ordering: 'none' }), [stored()])).toBe('CONSUMER_INVALID');
});

// Lesson: a listener was renamed and its pending work orphaned.
test('a renamed consumer keeps its row, also for old processes that still know the old name', () => {
  const renamed = planRegistration(mail({ name: 'post', formerly: ['mail'] }), [stored()], 'shop');
  expect(renamed).toMatchObject({ kind: 'known', consumers: [{ id: 1 }], updates: [{ id: 1 }] });
  const old = planRegistration(mail(), [stored({ name: 'post', formerNames: ['mail'] })], 'shop');
  expect(old).toMatchObject({ kind: 'known', consumers: [{ id: 1 }], updates: [] });
});

test('two names that both have progress of their own cannot become one', () => {
  const rows = [stored(), stored({ id: 2, name: 'post' })];
  expect(refusal(mail({ name: 'post', formerly: ['mail'] }), rows)).toBe('CONSUMER_INVALID');
});

test('a wider set of types, or another number of lanes, makes a new generation', () => {
  const wider = planRegistration(mail({ types: ['a', 'b'] }), [stored()], 'shop');
  expect(wider).toMatchObject({ kind: 'widen', types: ['a', 'b'], typesChange: true });
  const lanes = planRegistration(mail({ lanes: 8 }), [stored()], 'shop');
  expect(lanes).toMatchObject({ kind: 'widen', types: ['a'], typesChange: false });
});

test('no type is dropped by a deploy: a set that lacks one is known, or widens to both', () => {
  const both = stored({ types: ['a', 'b'] });
  expect(planRegistration(mail(), [both], 'shop')).toMatchObject({ kind: 'known' });
  expect(planRegistration(mail({ types: ['a', 'c'] }), [both], 'shop')).toMatchObject({
    kind: 'widen',
    types: ['a', 'b', 'c'],
  });
});

test('an earlier declaration is recognised as its generation, and what it has code for', () => {
  const generations = [
    generation(1, ['a']),
    generation(2, ['a', 'b']),
    generation(3, ['a', 'b'], { lanes: 8 }),
  ];
  expect(declaredGeneration(mail(), generations)).toBe(1);
  expect(declaredGeneration(mail({ types: ['b', 'a'] }), generations)).toBe(2);
  expect(declaredGeneration(mail({ types: ['b'] }), generations)).toBe(0);
  expect(coveredGenerations(mail({ types: ['a', 'b'] }), generations)).toEqual([1, 2, 3]);
  expect(coveredGenerations(mail(), generations)).toEqual([1]);
});

test('a projection is rebuilt under a raised version, and refused when it changed without one', () => {
  const orders = (change: Partial<Parameters<typeof declare>[0]> = {}): ConsumerDefinition =>
    mail({ name: 'orders', class: 'projection', ...change });
  const row = stored({ name: 'orders', class: 'projection', lanes: 1 });
  expect(planRegistration(orders(), [row], 'shop')).toMatchObject({ kind: 'known', consumers: [{ id: 1 }] });
  expect(planRegistration(orders({ version: 2 }), [row], 'shop')).toMatchObject({
    kind: 'insert',
    build: 2,
    state: 'building',
  });
  expect(refusal(orders({ types: ['a', 'b'] }), [row])).toBe('PROJECTION_CHANGED_WITHOUT_VERSION');
  expect(refusal(orders(), [{ ...row, declaration: { columns: { id: 'text' } } }])).toBe(
    'PROJECTION_CHANGED_WITHOUT_VERSION',
  );
});

test('a projection feeds each of its builds of the declared version, but not a retired one', () => {
  const rows = [
    stored({ id: 1, name: 'orders', class: 'projection', state: 'retired' }),
    stored({ id: 2, name: 'orders', class: 'projection', build: 2 }),
    stored({ id: 3, name: 'orders', class: 'projection', build: 3, state: 'building' }),
  ];
  const plan = planRegistration(mail({ name: 'orders', class: 'projection' }), rows, 'shop');
  expect(plan).toMatchObject({ kind: 'known', consumers: [{ id: 2 }, { id: 3 }] });
});

test('another service level is written down without a new generation', () => {
  const plan = planRegistration(
    mail({ slo: { handledWithin: '30s', errorBudget: 0.02 } }),
    [stored()],
    'shop',
  );
  expect(plan).toMatchObject({ kind: 'known', updates: [{ id: 1 }] });
});

test('the service level is the consumer’s own, else the tightest that its contracts promise', () => {
  const promising = (version: number, handledWithin: '30s' | '5m') =>
    defineEvent({
      type: `test.thing.made.v${version}`,
      key: 'id',
      schema: z.object({ id: z.string() }),
      sla: { handledWithin },
    });
  const contracts = [promising(1, '5m'), promising(2, '30s')];
  expect(storedObjective({ ...declare({ name: 'mail' }), contracts }).handledWithinMs).toBe(30_000);
  const own = { handledWithin: '10m' } as const;
  expect(storedObjective({ ...declare({ name: 'mail', slo: own }), contracts }).handledWithinMs).toBe(
    600_000,
  );
  expect(storedObjective(declare({ name: 'mail' })).handledWithinMs).toBeNull();
});
