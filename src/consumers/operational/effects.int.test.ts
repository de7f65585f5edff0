import { describe, expect, test } from 'vitest';
import { eventually, OrderPlaced, placed, useTestBench } from '../../../test/operational/fixtures.ts';
import { TransientError } from '../../foundation/index.ts';
import { defineHandler } from './define-handler.ts';
import type { Handler, HandlerContext } from './handler.ts';

const bench = useTestBench();

const handlerOf = (
  handle: (event: { data: { orderId: string; n: number } }, context: HandlerContext) => Promise<void>,
  options: Partial<Parameters<typeof defineHandler>[0]> = {},
): Handler => defineHandler({ name: 'subject', on: [OrderPlaced], ...options, handle: handle as never });

const soon = { transient: { base: '10s' }, unclassified: { base: '10s' } } as const;

describe('an effect', () => {
  test('that was recorded is not repeated by a retry, which gets the same result', async () => {
    const calls: string[] = [];
    const results: unknown[] = [];
    const process = await bench.launch({
      definitions: [
        handlerOf(
          async (_event, { effect, attempt }) => {
            results.push(
              await effect('charge', async ({ idempotencyKey }) => {
                calls.push(idempotencyKey);
                return { chargeId: 'c1', note: undefined };
              }),
            );
            results.push(await effect('nothing', async () => {}));
            if (attempt === 1) throw new Error('after the effect');
          },
          { retry: soon },
        ),
      ],
    });
    await process.publish(placed('A1'));
    await process.settled();
    await process.advance(60);
    await process.settled();
    expect(calls).toHaveLength(1);
    expect(results).toEqual([{ chargeId: 'c1' }, undefined, { chargeId: 'c1' }, undefined]);
    expect(
      await process.rows('select name, state, idempotency_key from factline.effects order by name'),
    ).toMatchObject([
      { name: 'charge', state: 'done', idempotency_key: calls[0] },
      { name: 'nothing', state: 'done' },
    ]);
  });

  test('that failed is called again under the same key, and is told so', async () => {
    const calls: unknown[] = [];
    const process = await bench.launch({
      definitions: [
        handlerOf(
          async (_event, { effect, attempt }) => {
            await effect('charge', async ({ idempotencyKey, repeated }) => {
              calls.push([idempotencyKey, repeated]);
              if (attempt === 1) throw new Error('503');
            });
          },
          { retry: soon },
        ),
      ],
    });
    await process.publish(placed('A1'));
    await process.settled();
    await process.advance(60);
    await process.settled();
    const [key] = calls[0] as [string];
    expect(calls).toEqual([
      [key, false],
      [key, true],
    ]);
  });

  test('of unknown outcome parks the key when it says so, until a person tells what happened', async () => {
    const calls: string[] = [];
    const results: unknown[] = [];
    const process = await bench.launch({
      definitions: [
        handlerOf(
          async (event, { effect, attempt }) => {
            const result = await effect(
              'charge',
              async () => {
                calls.push(event.data.orderId);
                if (attempt === 1 && calls.length <= 2) throw new Error('connection lost');
                return 'called again';
              },
              { onUnknown: 'park' },
            );
            results.push([event.data.orderId, result]);
          },
          { retry: soon },
        ),
      ],
    });
    await process.publish(placed('A1'), placed('A2'));
    await process.settled();
    await process.advance(60);
    await process.settled();
    const parked = await process.parked();
    expect(parked).toMatchObject([
      { state: 'quarantined', reason: 'outcome unknown', error_code: 'EFFECT_OUTCOME_UNKNOWN' },
      { state: 'quarantined', reason: 'outcome unknown' },
    ]);
    expect(calls).toHaveLength(2);
    const happened = {
      id: parked[0]?.['id'],
      arguments: { effect: 'charge', result: { chargeId: 'seen at the provider' } },
    };
    expect(await process.ask('subject', 'effect-happened', happened)).toMatchObject({
      state: 'done',
      answer: { happened: true },
    });
    expect(await process.ask('subject', 'effect-did-not-happen', { id: parked[1]?.['id'] })).toMatchObject({
      state: 'done',
    });
    await process.settled();
    expect(results.sort()).toEqual([
      ['A1', { chargeId: 'seen at the provider' }],
      ['A2', 'called again'],
    ]);
    expect(await process.parked()).toEqual([]);
  });

  test('of unknown outcome cannot be caught away: nothing of the attempt commits after it', async () => {
    const codes: unknown[] = [];
    const process = await bench.launch({
      definitions: [
        handlerOf(
          async (_event, { effect, transaction, attempt }) => {
            const call = async (): Promise<never> => {
              throw new Error('the line went dead');
            };
            const charged = effect('charge', call, { onUnknown: 'park' });
            if (attempt === 1) return charged;
            await charged.catch(() => {});
            await transaction(async (tx) => void (await tx.query('insert into shipped values (1)'))).catch(
              (error: { code?: unknown }) => codes.push(error.code),
            );
          },
          { retry: soon },
        ),
      ],
    });
    await process.rows('create table shipped (n int)');
    await process.publish(placed('A1'));
    await process.settled();
    await process.advance(60);
    await process.settled();
    expect(codes).toEqual(['EFFECT_OUTCOME_UNKNOWN']);
    expect(await process.rows('select * from shipped')).toEqual([]);
    expect(await process.parked()).toMatchObject([
      { state: 'quarantined', error_code: 'EFFECT_OUTCOME_UNKNOWN' },
    ]);
  });

  test('that says on purpose that nothing happened is not of unknown outcome', async () => {
    const repeated: boolean[] = [];
    const process = await bench.launch({
      definitions: [
        handlerOf(
          async (_event, { effect }) => {
            await effect(
              'charge',
              async (call) => {
                repeated.push(call.repeated);
                if (repeated.length === 1) throw new TransientError('the provider is busy');
              },
              { onUnknown: 'park' },
            );
          },
          { retry: soon },
        ),
      ],
    });
    await process.publish(placed('A1'));
    await process.settled();
    await process.advance(60);
    await process.settled();
    expect(repeated).toEqual([false, false]);
    expect(await process.parked()).toEqual([]);
  });

  test('is refused twice under one name, in a transaction, and after it', async () => {
    const codes: unknown[] = [];
    const note = (error: { code: unknown }): void => void codes.push(error.code);
    const process = await bench.launch({
      definitions: [
        handlerOf(async (_event, { effect, transaction }) => {
          await effect('a', async () => 1);
          await effect('a', async () => 2).catch(note);
          await transaction(async () => {
            await effect('b', async () => 3).catch(note);
          });
          await effect('c', async () => 4).catch(note);
        }),
      ],
    });
    await process.publish(placed('A1'));
    await process.settled();
    expect(codes).toEqual(['EFFECT_NAME_REUSED', 'EFFECT_AFTER_TRANSACTION', 'EFFECT_AFTER_TRANSACTION']);
    expect(await process.rows('select name from factline.effects')).toEqual([{ name: 'a' }]);
  });

  test('whose result is not JSON fails the attempt', async () => {
    const process = await bench.launch({
      definitions: [
        handlerOf(
          async (_event, { effect }) =>
            void (await effect('date', (async () => ({ at: new Date() })) as never)),
          {
            retry: { unclassified: { attempts: 1 } },
          },
        ),
      ],
    });
    await process.publish(placed('A1'));
    await process.settled();
    expect(await process.parked()).toMatchObject([
      { state: 'quarantined', error_code: 'EFFECT_RESULT_INVALID' },
    ]);
  });

  test('is on record before the call goes out, and its record survives the death of the process', async () => {
    const calls: string[] = [];
    let reached: () => void = () => {};
    const called = new Promise<void>((resolve) => {
      reached = resolve;
    });
    const definition = (die: boolean): Handler =>
      handlerOf(async (_event, { effect }) => {
        await effect('charge', async ({ idempotencyKey }) => {
          calls.push(idempotencyKey);
          if (!die) return 'ok';
          reached();
          return new Promise<never>(() => {});
        });
      });
    const first = await bench.launch({ definitions: [definition(true)] });
    await first.publish(placed('A1'));
    await called;
    await first.kill();
    const second = await bench.launch({ definitions: [definition(false)] });
    await eventually(
      async () => (await second.rows(`select 1 from factline.effects where state = 'done'`)).length === 1,
      'the effect is done',
    );
    await second.settled();
    expect(calls).toHaveLength(2);
    expect(calls[0]).toBe(calls[1]);
  });
});
