import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts';
import { defineEvent } from '../../contracts/index.ts';
import { systemRandomness, uuidv7 } from '../../foundation/index.ts';
import { createDatabase, type Database, fromPg } from '../../postgres/index.ts';
import { publishInForeignTransaction } from './foreign.ts';
import { type PublishingOptions, publishingTransaction } from './publishing-transaction.ts';

const OrderPlaced = defineEvent({
  type: 'shop.order.placed.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), pence: z.int() }),
});

let testDatabase: TestDatabase;
let database: Database;
let options: PublishingOptions;

beforeAll(async () => {
  testDatabase = await createTestDatabase({ migrated: true });
  database = createDatabase({ url: testDatabase.url, applicationName: 'test' });
  options = { database, source: 'shop', nextId: () => uuidv7(Date.now(), systemRandomness) };
});
afterAll(async () => {
  await database.stop();
  await testDatabase.drop();
});
beforeEach(async () => {
  await database.operations.query('truncate factline.events, factline.event_ids');
});

const keys = async (): Promise<string[]> =>
  (
    await database.operations.query<{ key: string }>('select key from factline.events order by position')
  ).rows.map(({ key }) => key);
const order = (orderId: string, pence = 1, dedupeKey?: string) =>
  OrderPlaced({ orderId, pence }, dedupeKey === undefined ? {} : { dedupeKey });

describe('publishing in a transaction', () => {
  it('writes the events if and only if the transaction commits', async () => {
    await publishingTransaction(options, async (tx) => tx.publish(order('a'), order('b')));
    const failing = publishingTransaction(options, async (tx) => {
      tx.publish(order('c'));
      throw new RangeError('no');
    });
    await expect(failing).rejects.toThrow(RangeError);
    expect(await keys()).toEqual(['orderId=a', 'orderId=b']);
  });

  it('answers the positions in the order of publishing', async () => {
    const { positions } = await publishingTransaction(options, async (tx) => {
      for (let index = 0; index < 50; index += 1) tx.publish(order(`o${index}`));
    });
    expect(positions).toHaveLength(50);
    expect(await keys()).toEqual(Array.from({ length: 50 }, (_, index) => `orderId=o${index}`));
  });

  it('keeps exactly the events of savepoints that were not rolled back, however they nest', async () => {
    type Step = { publish: string } | { fails: boolean; inside: Step[] };
    const { steps } = fc.letrec<{ steps: Step[]; step: Step }>((tie) => ({
      step: fc.oneof(
        { depthSize: 'small' },
        fc.record({ publish: fc.stringMatching(/^[a-z]{1,4}$/) }),
        fc.record({ fails: fc.boolean(), inside: tie('steps') }),
      ),
      steps: fc.array(tie('step'), { maxLength: 4 }),
    }));
    const expected = (all: readonly Step[]): string[] =>
      all.flatMap((step) =>
        'publish' in step ? [`orderId=${step.publish}`] : step.fails ? [] : expected(step.inside),
      );
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        await database.operations.query('truncate factline.events');
        await publishingTransaction(options, async function perform(tx): Promise<void> {
          const walk = async (scope: typeof tx, list: readonly Step[]): Promise<void> => {
            for (const step of list) {
              if ('publish' in step) scope.publish(order(step.publish));
              else {
                const nested = scope.savepoint(async (inner) => {
                  await walk(inner, step.inside);
                  if (step.fails) throw new RangeError('undone');
                });
                await nested.catch((error: unknown) => expect(error).toBeInstanceOf(RangeError));
              }
            }
          };
          await walk(tx, all);
        });
        expect(await keys()).toEqual(expected(all));
      }),
      { numRuns: 40 },
    );
  });

  it('refuses a tx that is kept beyond its transaction', async () => {
    let kept: { publish(draft: ReturnType<typeof order>): void } | undefined;
    await publishingTransaction(options, async (tx) => {
      kept = tx;
    });
    expect(() => kept?.publish(order('late'))).toThrow(
      expect.objectContaining({ code: 'TRANSACTION_CLOSED' }),
    );
  });
});

describe('a dedupe key', () => {
  it('writes once; a repeat answers the position of the first event', async () => {
    const first = await publishingTransaction(options, async (tx) => tx.publish(order('a', 1, 'k')));
    const again = await publishingTransaction(options, async (tx) =>
      tx.publish(order('b'), order('a', 1, 'k')),
    );
    expect(again.positions).toContain(first.positions[0]);
    expect(await keys()).toEqual(['orderId=a', 'orderId=b']);
  });

  it('with another payload throws, and nothing of that transaction is written', async () => {
    await publishingTransaction(options, async (tx) => tx.publish(order('a', 1, 'k')));
    const other = publishingTransaction(options, async (tx) => tx.publish(order('b'), order('a', 2, 'k')));
    await expect(other).rejects.toMatchObject({ code: 'DEDUPE_KEY_CONFLICT', details: { dedupeKey: 'k' } });
    expect(await keys()).toEqual(['orderId=a']);
  });

  it('holds among twenty publishers at once, and nobody waits holding a position', async () => {
    const results = await Promise.all(
      Array.from({ length: 20 }, () =>
        publishingTransaction(options, async (tx) => tx.publish(order('a', 1, 'x'), order('b', 1, 'y'))),
      ),
    );
    expect(await keys()).toEqual(['orderId=a', 'orderId=b']);
    for (const { positions } of results) expect(positions).toEqual(results[0]?.positions);
  });

  it('is free again when the first publish was rolled back', async () => {
    const failing = publishingTransaction(options, async (tx) => {
      await tx.savepoint(async (inner) => inner.publish(order('a', 1, 'k')));
      throw new RangeError('no');
    });
    await expect(failing).rejects.toThrow(RangeError);
    await publishingTransaction(options, async (tx) => tx.publish(order('a', 2, 'k')));
    expect(await keys()).toEqual(['orderId=a']);
  });

  it('counts twice in one publish as once', async () => {
    const { positions } = await publishingTransaction(options, async (tx) =>
      tx.publish(order('a', 1, 'k'), order('a', 1, 'k')),
    );
    expect(positions).toHaveLength(1);
  });
});

describe('publishing in a foreign transaction', () => {
  it.each([[undefined], ['k']])('commits and rolls back with it (dedupe key %s)', async (dedupeKey) => {
    const client = await database.operations.connect();
    for (const end of ['rollback', 'commit']) {
      await client.query('begin');
      await publishInForeignTransaction([order(end, 1, dedupeKey)], fromPg(client), options);
      await client.query(end);
    }
    client.release();
    expect(await keys()).toEqual(['orderId=commit']);
  });
});
