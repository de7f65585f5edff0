import { describe, expect, test } from 'vitest';
import {
  eventually,
  OrderPaid,
  OrderPlaced,
  placed,
  useTestBench,
} from '../../../test/operational/fixtures.ts';
import { FactlineError, PermanentError } from '../../foundation/index.ts';
import type { Tx } from '../../log/index.ts';
import { defineHandler } from './define-handler.ts';
import type { Handler, HandlerContext } from './handler.ts';

const bench = useTestBench();

const handlerOf = (
  handle: (event: { data: { orderId: string; n: number } }, context: HandlerContext) => Promise<void>,
  options: Partial<Parameters<typeof defineHandler>[0]> = {},
): Handler => defineHandler({ name: 'subject', on: [OrderPlaced], ...options, handle: handle as never });

const never = new Promise<never>(() => {});

describe('an attempt', () => {
  test('that throws undefined, junk or a hostile error parks its key with what can be said about it', async () => {
    const hostile = new Error('x');
    Object.defineProperty(hostile, 'message', {
      get: () => {
        throw new Error('hostile getter');
      },
    });
    Object.defineProperty(hostile, 'stack', {
      get: () => {
        throw new Error('hostile getter');
      },
    });
    const thrown: unknown[] = [
      undefined,
      null,
      42,
      { reason: 7 },
      hostile,
      'text with \u0000',
      new Error('x'.repeat(200_000)),
    ];
    const process = await bench.launch({
      definitions: [
        handlerOf(
          async (event) => {
            if (event.data.n >= 0) throw thrown[event.data.n];
          },
          { retry: { unclassified: { attempts: 1 } } },
        ),
      ],
    });
    await process.publish(...thrown.map((_, n) => placed(`A${n}`, n)), placed('good', -1));
    await eventually(async () => (await process.parked()).length >= thrown.length, 'all are parked');
    const parked = await process.parked();
    expect(parked.slice(0, 4).map((row) => row['error_message'])).toEqual([
      'threw undefined',
      'threw null',
      'threw 42',
      'threw {"reason":7}',
    ]);
    expect(parked.every((row) => row['state'] === 'quarantined')).toBe(true);
  });

  test('that returns junk counts as handled', async () => {
    const process = await bench.launch({ definitions: [handlerOf((async () => ({ junk: true })) as never)] });
    await process.publish(placed('A1'));
    await process.settled();
    expect(await process.parked()).toEqual([]);
    expect(process.engine.handled()).toBe(1);
  });

  test('that never returns is given up, and can never commit later', async () => {
    const signals: AbortSignal[] = [];
    let late: Promise<unknown> = never;
    const process = await bench.launch({
      definitions: [
        handlerOf(
          async (event, { signal, transaction, attempt, effect, db }) => {
            if (attempt > 1) return;
            signals.push(signal);
            const aborted = new Promise((resolve) => signal.addEventListener('abort', resolve));
            late = aborted.then(async () => {
              const refusals = await Promise.allSettled([
                transaction(async (tx) => tx.query('insert into late values ($1)', [event.data.orderId])),
                effect('late', async () => 'x'),
                db.query('select 1'),
              ]);
              return refusals.map((each) => (each.status === 'rejected' ? each.reason.code : 'went through'));
            });
            await never;
          },
          { timeout: '200ms', retry: { transient: { base: '10s' } } },
        ),
      ],
    });
    await process.rows('create table late (id text)');
    await process.publish(placed('A1'));
    await eventually(async () => (await process.parked()).length === 1, 'it is parked');
    expect(await process.parked()).toMatchObject([
      { state: 'retrying', error_code: 'HANDLER_TIMEOUT', failure_class: 'transient' },
    ]);
    expect(signals[0]?.aborted).toBe(true);
    expect(await late).toEqual(['TRANSACTION_CLOSED', 'TRANSACTION_CLOSED', 'TRANSACTION_CLOSED']);
    await process.advance(60);
    await process.settled();
    expect(await process.parked()).toEqual([]);
    expect(await process.rows('select * from late')).toEqual([]);
  });

  test('that hangs inside its transaction rolls back, and its locks are gone', async () => {
    const process = await bench.launch({
      definitions: [
        handlerOf(
          async (_event, { transaction, attempt }) => {
            await transaction(async (tx) => {
              await tx.query('update counter set n = n + 1');
              if (attempt === 1) await tx.query('select pg_sleep(60)');
            });
          },
          { timeout: '300ms', retry: { transient: { base: '10s' } } },
        ),
      ],
    });
    await process.rows('create table counter (n int); insert into counter values (0)');
    await process.publish(placed('A1'));
    await eventually(async () => (await process.parked()).length === 1, 'it is parked');
    await process.advance(60);
    await process.settled();
    expect(await process.rows('select n from counter')).toEqual([{ n: 1 }]);
    expect(await process.parked()).toEqual([]);
  });

  test('whose transaction hung while its function was not awaiting the database is rolled back too', async () => {
    let resume: () => void = () => {};
    const process = await bench.launch({
      definitions: [
        handlerOf(
          async (_event, { transaction, attempt }) => {
            await transaction(async (tx) => {
              await tx.query('update counter set n = n + 1');
              if (attempt === 1)
                await new Promise<void>((resolve) => {
                  resume = resolve;
                });
            });
          },
          { timeout: '200ms', retry: { transient: { base: '10s' } } },
        ),
      ],
    });
    await process.rows('create table counter (n int); insert into counter values (0)');
    await process.publish(placed('A1'));
    await eventually(async () => (await process.parked()).length === 1, 'it is parked');
    resume();
    await process.advance(60);
    await process.settled();
    expect(await process.rows('select n from counter')).toEqual([{ n: 1 }]);
  });

  test('that throws after its commit stays handled, and the error is on record', async () => {
    const process = await bench.launch({
      definitions: [
        handlerOf(async (event, { transaction }) => {
          await transaction(
            async (tx) => void (await tx.query('insert into done values ($1)', [event.data.orderId])),
          );
          throw new Error('too late');
        }),
      ],
    });
    await process.rows('create table done (id text primary key)');
    await process.publish(placed('A1'));
    await process.settled();
    expect(await process.parked()).toEqual([]);
    expect(await process.rows('select * from done')).toEqual([{ id: 'A1' }]);
    expect(process.told.some(({ name }) => name === 'event.failed-after-commit')).toBe(true);
  });

  test('whose transaction rolled back is tried again, also when the handler swallows the error', async () => {
    const attempts: number[] = [];
    const process = await bench.launch({
      definitions: [
        handlerOf(
          async (event, { transaction, attempt }) => {
            attempts.push(attempt);
            await transaction(async (tx) => {
              await tx.query('insert into done values ($1)', [event.data.orderId]);
              if (attempt === 1) throw new Error('not this time');
            }).catch(() => {});
          },
          { retry: { unclassified: { base: '10s' } } },
        ),
      ],
    });
    await process.rows('create table done (id text primary key)');
    await process.publish(placed('A1'));
    await process.settled();
    expect(await process.parked()).toMatchObject([{ state: 'retrying', error_message: 'not this time' }]);
    await process.advance(60);
    await process.settled();
    expect(attempts).toEqual([1, 2]);
    expect(await process.rows('select * from done')).toEqual([{ id: 'A1' }]);
  });

  test('may replace the error of its transaction by one of its own', async () => {
    const process = await bench.launch({
      definitions: [
        handlerOf(async (_event, { transaction }) => {
          await transaction(async (tx) => tx.query('insert into missing values (1)')).catch(
            (cause: unknown) => {
              throw new PermanentError('no such table', { cause });
            },
          );
        }),
      ],
    });
    await process.publish(placed('A1'));
    await process.settled();
    expect(await process.parked()).toMatchObject([
      { state: 'quarantined', failure_class: 'permanent', error_message: 'no such table' },
    ]);
  });

  test('a swallowed SQL error before COMMIT never counts as handled', async () => {
    const process = await bench.launch({
      definitions: [
        handlerOf(
          async (_event, { transaction }) => {
            await transaction(async (tx) => {
              await tx.query('insert into missing values (1)').catch(() => {});
            });
          },
          { retry: { unclassified: { attempts: 1 } } },
        ),
      ],
    });
    await process.publish(placed('A1'));
    await process.settled();
    expect(await process.parked()).toMatchObject([{ state: 'quarantined' }]);
    expect(await process.rows('select count(*)::int as n from factline.inbox')).toEqual([{ n: 0 }]);
  });

  test('a second transaction throws, and what the first committed stays', async () => {
    const codes: unknown[] = [];
    const insert = (tx: Tx): Promise<unknown> => tx.query('insert into done values (1)');
    const process = await bench.launch({
      definitions: [
        handlerOf(async (_event, { transaction }) => {
          await transaction(insert);
          await transaction(insert).catch((error: { code: unknown }) => codes.push(error.code));
        }),
      ],
    });
    await process.rows('create table done (n int)');
    await process.publish(placed('A1'));
    await process.settled();
    expect(codes).toEqual(['TRANSACTION_TWICE']);
    expect(await process.rows('select count(*)::int as n from done')).toEqual([{ n: 1 }]);
  });

  test('waits for what the handler forgot to await', async () => {
    const process = await bench.launch({
      definitions: [
        handlerOf(async (_event, { effect, transaction }) => {
          void effect('forgotten', async () => {
            await new Promise((resolve) => setTimeout(resolve, 50));
            throw new PermanentError('and it fails');
          });
          void transaction;
        }),
        handlerOf(
          async (_event, { transaction }) => {
            void transaction(async (tx) => {
              await new Promise((resolve) => setTimeout(resolve, 50));
              await tx.query('insert into done values (1)');
            });
          },
          { name: 'other' },
        ),
      ],
    });
    await process.rows('create table done (n int)');
    await process.publish(placed('A1'));
    await process.settled();
    expect(await process.rows('select count(*)::int as n from done')).toEqual([{ n: 1 }]);
    expect(await process.rows('select count(*)::int as n from factline.inbox')).toEqual([{ n: 2 }]);
  });

  test('db reads what is committed and refuses to write', async () => {
    const seen: unknown[] = [];
    const process = await bench.launch({
      definitions: [
        handlerOf(async (_event, { db, transaction }) => {
          await transaction(async (tx) => {
            await tx.query('insert into done values (1)');
            seen.push((await db.query('select count(*)::int as n from done')).rows[0]);
          });
          seen.push((await db.query('select count(*)::int as n from done')).rows[0]);
          seen.push(
            await db.query('insert into done values (2)').catch((error: { code: string }) => error.code),
          );
        }),
      ],
    });
    await process.rows('create table done (n int)');
    await process.publish(placed('A1'));
    await process.settled();
    expect(seen).toEqual([{ n: 0 }, { n: 1 }, '25006']);
  });

  test('a payload that this code does not take quarantines its key, and nothing else', async () => {
    const seen: string[] = [];
    const process = await bench.launch({
      definitions: [handlerOf(async (event) => void seen.push(event.data.orderId))],
    });
    await process.publish(placed('A1'), placed('A2'));
    await process.settled();
    await process.rows(
      `insert into factline.events (id, type, source, key, key_hash, data, meta, time)
       select gen_random_uuid(), type, source, key, key_hash, '{"orderId": 7}', meta, time from factline.events where position = 1`,
    );
    await process.publish(placed('A1', 2), placed('A2', 2));
    await process.settled();
    expect(seen).toEqual(['A1', 'A2', 'A2']);
    expect(await process.parked()).toMatchObject([
      { state: 'quarantined', failure_class: 'schema', error_code: 'PAYLOAD_INVALID', attempts: 1 },
      { state: 'waiting' },
    ]);
  });

  test('publishes events with the same ids on every attempt', async () => {
    const ids = async (): Promise<unknown[]> =>
      (
        await process.rows(`select id from factline.events where type = 'shop.order.paid.v1' order by id`)
      ).map((row) => row['id']);
    const process = await bench.launch({
      definitions: [
        handlerOf(async (event, { transaction }) => {
          await transaction(async (tx) => {
            tx.publish(
              OrderPaid({ orderId: event.data.orderId, n: 1 }),
              OrderPaid({ orderId: event.data.orderId, n: 2 }),
            );
          });
        }),
      ],
    });
    await process.publish(placed('A1'));
    await process.settled();
    const first = await ids();
    await process.engine.stop();
    // As if it had never been handled.
    await process.rows('delete from factline.inbox');
    await process.rows('update factline.checkpoints set position = 0');
    await process.engine.start();
    await process.settled();
    const both = await ids();
    expect(both).toHaveLength(4);
    expect(new Set(both)).toEqual(new Set(first));
  });

  test('that fails with others because the database is away makes one short pause with them, and does not count', async () => {
    const total = 8;
    const failing = Promise.withResolvers<void>();
    const attempts: number[] = [];
    let failedAt = 0;
    let begunAgainAt = 0;
    const process = await bench.launch({
      definitions: [
        handlerOf(async (_, { attempt }) => {
          attempts.push(attempt);
          if (attempts.length > total) {
            begunAgainAt ||= performance.now();
            return;
          }
          if (attempts.length === total) failing.resolve();
          await failing.promise;
          failedAt = performance.now();
          throw new FactlineError('DATABASE_UNREACHABLE', { host: 'here', reason: 'it restarts' });
        }),
      ],
    });
    await process.publish(...Array.from({ length: total }, (_, n) => placed(`A${n}`)));
    await process.settled();
    expect(attempts).toEqual(Array.from({ length: 2 * total }, () => 1));
    expect(begunAgainAt - failedAt).toBeLessThan(4_000);
  });
});
