import { expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import { defineEvent } from '../../contracts/index.ts';
import { FactlineError } from '../../foundation/index.ts';
import { defineWorkflow } from './define-workflow.ts';
import type { Workflow } from './definition.ts';

const OrderPlaced = defineEvent({
  type: 'shop.order.placed.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), pence: z.int() }),
});
const ParcelScanned = defineEvent({
  type: 'parcels.parcel.scanned.v1',
  key: 'parcelId',
  schema: z.object({ parcelId: z.string(), ok: z.boolean() }),
});

test('a workflow that events start knows their type, and waits only for what it declares', () => {
  const workflow = defineWorkflow({
    name: 'fulfil-order',
    on: OrderPlaced,
    waits: [ParcelScanned],
    key: (event) => event.data.orderId,
    run: async (order, { step, waitFor, all }) => {
      expectTypeOf(order.data.pence).toEqualTypeOf<number>();
      const pair = await all([step('one', async () => 1), step('two', async () => 'two')]);
      expectTypeOf(pair).toEqualTypeOf<[number, string]>();
      const scanned = await waitFor(ParcelScanned, { key: 'P1', within: '1d', where: ({ data }) => data.ok });
      expectTypeOf(scanned?.data.ok).toEqualTypeOf<boolean | undefined>();
      // @ts-expect-error it is not in `waits`
      await waitFor(OrderPlaced, { key: 'A1' });
      // @ts-expect-error a result that is not JSON
      await step('clock', async () => new Date());
      return { fulfilled: true };
    },
  });
  expectTypeOf(workflow).toEqualTypeOf<Workflow<never, { fulfilled: boolean }>>();
  expect(workflow).toMatchObject({ class: 'workflow', name: 'fulfil-order', version: 1, lanes: 16 });
  expect([...workflow.types].sort()).toEqual([ParcelScanned.type, OrderPlaced.type].sort());
  expect([...workflow.starts]).toEqual([OrderPlaced.type]);
});

test('a workflow that the app starts has a checked input', () => {
  const workflow = defineWorkflow({
    name: 'close-month',
    input: z.object({ month: z.string() }),
    run: async ({ month }) => month,
  });
  expectTypeOf(workflow).toEqualTypeOf<Workflow<{ month: string }, string>>();
});

test('everything that is wrong with a declaration is told at once', () => {
  const declare = (): unknown =>
    defineWorkflow({
      name: 'Fulfil order',
      version: 0,
      on: OrderPlaced,
      input: z.object({}),
      concurrency: 0,
      retry: { attempts: 0, firstDelay: 'soon', tries: 1 },
      onDuplicate: 'ignore',
      steps: [],
    } as never);
  expect(declare).toThrow(FactlineError);
  try {
    declare();
  } catch (error) {
    expect((error as FactlineError).details['issues']).toMatchObject(
      [
        'name',
        'run',
        'version',
        'onDuplicate',
        'concurrency',
        'input',
        'retry.attempts',
        'retry.firstDelay',
        'retry.tries',
        'steps',
      ].map((path) => ({ path })),
    );
  }
});
