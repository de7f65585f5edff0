import { describe, expect, test } from 'vitest';
import { eventually, OrderPlaced, placed, useTestBench } from '../../../test/operational/fixtures.ts';
import type { FactEvent } from '../../contracts/index.ts';
import { PermanentError, TransientError } from '../../foundation/index.ts';
import { defineHandler } from './define-handler.ts';
import type { Handler, HandlerContext } from './handler.ts';

/** Each test is named after the defect that others paid for (LESSONS.md). */
const bench = useTestBench();

const handlerOf = (
  handle: (
    event: FactEvent<string, { orderId: string; n: number }>,
    context: HandlerContext,
  ) => Promise<void>,
  options: Partial<Parameters<typeof defineHandler>[0]> = {},
): Handler => defineHandler({ name: 'subject', on: [OrderPlaced], ...options, handle: handle as never });

describe('consuming', () => {
  test('a bad event blocked its partition for ever (nestjs/nest#14664)', async () => {
    const seen: string[] = [];
    const process = await bench.launch({
      definitions: [
        handlerOf(
          async (event) => {
            if (event.data.orderId === 'bad') throw new Error('always');
            seen.push(event.data.orderId);
          },
          { lanes: 1, concurrency: 1, retry: { unclassified: { attempts: 3, base: '1s' } } },
        ),
      ],
    });
    await process.publish(placed('bad'), ...Array.from({ length: 20 }, (_, n) => placed(`A${n}`)));
    await process.settled();
    expect(seen).toHaveLength(20);
    for (let turn = 0; turn < 3; turn += 1) {
      await process.advance(60);
      await process.settled();
    }
    expect(await process.parked()).toMatchObject([
      { state: 'quarantined', attempts: 3, reason: 'attempts used up' },
    ]);
  });

  test('the retry limit was multiplied by the number of instances (NServiceBus on five transports)', async () => {
    const attempts: number[] = [];
    const definition = handlerOf(
      async (_event, { attempt }) => {
        attempts.push(attempt);
        throw new TransientError('down');
      },
      { retry: { transient: { attempts: 4, base: '10s' } } },
    );
    for (let instance = 0; instance < 4; instance += 1) {
      const process = await bench.launch({ definitions: [definition] });
      if (instance === 0) await process.publish(placed('A1'));
      else {
        await process.rows(
          `create or replace function factline.clock() returns timestamptz language sql volatile parallel safe
             as $$ select clock_timestamp() + interval '${instance} minutes' $$`,
        );
      }
      await eventually(async () => {
        await process.settled();
        return attempts.length > instance;
      }, 'the next attempt');
      await process.stop();
    }
    const last = await bench.launch({ definitions: [definition] });
    await last.settled();
    expect(attempts).toEqual([1, 2, 3, 4]);
    expect(await last.parked()).toMatchObject([{ state: 'quarantined', attempts: 4 }]);
  });

  test('the dedupe window was shorter than an outage: redelivered work ran twice (Wolverine#1725)', async () => {
    const seen: string[] = [];
    const definition = handlerOf(async (event) => void seen.push(event.data.orderId), {
      startAt: 'beginning',
    });
    const first = await bench.launch({ definitions: [definition] });
    await first.publish(...Array.from({ length: 50 }, (_, n) => placed(`A${n}`)));
    await first.settled();
    await first.stop();
    // The checkpoint as it stood before: what comes back is known by the inbox, however long ago it was handled.
    const second = await bench.launch({ definitions: [] });
    await second.rows(`update factline.inbox set handled_at = handled_at - interval '1 year'`);
    const kept = await second.rows('select count(*)::int as n from factline.inbox');
    await second.rows(
      `update factline.checkpoints set position = (select min(position) - 1 from factline.inbox) where exists (select from factline.inbox)`,
    );
    await second.stop();
    expect(kept).toEqual([{ n: 50 }]);
    const third = await bench.launch({ definitions: [definition] });
    await third.settled();
    expect(seen).toHaveLength(50);
  });

  test('a duplicate insert raised an error and froze the partition instead of being acknowledged (Wolverine#2639)', async () => {
    const seen: number[] = [];
    const process = await bench.launch({
      definitions: [
        handlerOf(
          async (event, { transaction }) => {
            await transaction(
              async (tx) => void (await tx.query('insert into book values ($1)', [event.data.n])),
            );
            seen.push(event.data.n);
          },
          { lanes: 1 },
        ),
      ],
    });
    await process.rows('create table book (n int)');
    await process.publish(placed('A1', 1));
    await process.settled();
    // Handled by somebody else between its delivery and its commit.
    await process.rows(
      `insert into factline.inbox (consumer_id, key_hash, position) select consumer_id, key_hash, 2 from factline.inbox`,
    );
    await process.publish(placed('A1', 2), placed('A1', 3));
    await process.settled();
    expect(seen).toEqual([1, 3]);
    expect(await process.rows('select n from book order by n')).toEqual([{ n: 1 }, { n: 3 }]);
    expect(await process.parked()).toEqual([]);
    expect(
      process.telemetry.metrics.value('factline_duplicates_suppressed_total', { consumer: 'subject' }),
    ).toBe(1);
  });

  test('commit during a rebalance stalled the group (platformatic/kafka#370)', async () => {
    let inside: () => void = () => {};
    const begun = new Promise<void>((resolve) => {
      inside = resolve;
    });
    const process = await bench.launch({
      definitions: [
        handlerOf(async (event, { transaction }) => {
          await transaction(async (tx) => {
            inside();
            await tx.query('select pg_sleep(0.3)');
            await tx.query('insert into book values ($1)', [event.data.n]);
          });
        }),
      ],
    });
    await process.rows('create table book (n int)');
    await process.publish(placed('A1', 1));
    await begun;
    // All lanes are given back while the transaction is open: it ends, then they go.
    await process.engine.stop();
    expect(await process.rows('select n from book')).toEqual([{ n: 1 }]);
    expect(await process.rows('select bool_and(released) as released from factline.lanes')).toEqual([
      { released: true },
    ]);
    await process.engine.start();
    await process.publish(placed('A1', 2));
    await process.settled();
    expect(await process.rows('select n from book order by n')).toEqual([{ n: 1 }, { n: 2 }]);
  });
});

describe('quarantine', () => {
  test('redrive forgot routing or ordering attributes (pg-boss#874; apache/pulsar#23173)', async () => {
    const seen: FactEvent[] = [];
    let broken = true;
    const process = await bench.launch({
      definitions: [
        handlerOf(async (event) => {
          seen.push(event);
          if (broken) throw new PermanentError('no');
        }),
      ],
    });
    await process.publish(OrderPlaced({ orderId: 'A1', n: 1 }, { time: new Date('2020-01-02T03:04:05Z') }));
    await process.settled();
    broken = false;
    const [row] = await process.parked();
    expect(await process.ask('subject', 'retry', { id: row?.['id'] })).toMatchObject({
      answer: { outcome: 'handled' },
    });
    expect(seen).toHaveLength(2);
    expect(seen[1]).toEqual(seen[0]);
  });

  test('redrive delivered again to consumers that had succeeded (Azure/azure-service-bus#706)', async () => {
    const seen: string[] = [];
    let broken = true;
    const process = await bench.launch({
      definitions: [
        handlerOf(async () => {
          seen.push('subject');
          if (broken) throw new PermanentError('no');
        }),
        handlerOf(async () => void seen.push('other'), { name: 'other' }),
      ],
    });
    await process.publish(placed('A1'));
    await process.settled();
    broken = false;
    const [row] = await process.parked();
    await process.ask('subject', 'retry', { id: row?.['id'] });
    expect(seen.sort()).toEqual(['other', 'subject', 'subject']);
  });

  test('"completed" meant "sent" (ServicePulse): the answer says what became of it', async () => {
    const process = await bench.launch({
      definitions: [
        handlerOf(async () => {
          throw new PermanentError('still no');
        }),
      ],
    });
    await process.publish(placed('A1'));
    await process.settled();
    const [row] = await process.parked();
    expect(await process.ask('subject', 'retry', { id: row?.['id'] })).toMatchObject({
      answer: { outcome: 'failed again', state: 'quarantined', failure: { message: 'still no' } },
    });
  });

  test('an error without stack or cause in the dead letter (moleculer channels#86)', async () => {
    const process = await bench.launch({
      definitions: [
        handlerOf(
          async () => {
            throw new Error('charging failed', { cause: new Error('connection reset by the provider') });
          },
          { retry: { unclassified: { attempts: 1 } } },
        ),
      ],
      codeVersion: '7.1',
    });
    await process.publish(placed('A1'));
    await process.settled();
    const [known] = await process.rows('select * from factline.parked_events');
    expect(known).toMatchObject({
      attempts: 1,
      failure_class: 'unclassified',
      error_message: 'charging failed',
      contract_version: 'v1',
      code_version: '7.1',
      event_type: 'shop.order.placed.v1',
      error_causes: [{ name: 'Error', message: 'connection reset by the provider' }],
      history: [{ attempt: 1, message: 'charging failed', codeVersion: '7.1' }],
    });
    expect(known?.['error_stack']).toContain('lessons.int.test.ts');
    expect(known?.['fingerprint']).toMatch(/^[0-9a-f]{16}$/);
  });

  test('nothing is dropped without a reason and a name, and the decision stays on record', async () => {
    const process = await bench.launch({
      definitions: [
        handlerOf(async (event) => {
          if (event.data.n === 1) throw new PermanentError('no');
        }),
      ],
    });
    await process.publish(placed('A1', 1), placed('A1', 2));
    await process.settled();
    const [row] = await process.parked();
    const id = row?.['id'];
    expect(await process.ask('subject', 'discard', { id, actor: 'ada' })).toMatchObject({
      state: 'refused',
      answer: { code: 'DISCARD_NEEDS_REASON' },
    });
    expect(
      await process.ask('subject', 'discard', { id, actor: 'ada', reason: 'ordered by mistake' }),
    ).toMatchObject({ state: 'done' });
    await process.settled();
    expect(await process.parked()).toEqual([]);
    expect(
      await process.rows(
        `select actor, reason, answer->>'position' as position from factline.requests where state = 'done'`,
      ),
    ).toEqual([{ actor: 'ada', reason: 'ordered by mistake', position: '1' }]);
    expect(await process.ask('subject', 'discard', { id, actor: 'ada', reason: 'again' })).toMatchObject({
      state: 'refused',
    });
  });

  test('draining needed the very resource that had filled up (a post-mortem of a large job queue)', async () => {
    let broken = true;
    const process = await bench.launch({
      definitions: [
        handlerOf(async () => {
          if (broken) throw new PermanentError('no');
        }),
      ],
      sizes: { transactions: 2, readers: 1, operations: 3 },
    });
    await process.publish(...Array.from({ length: 30 }, (_, n) => placed(`A${n}`)));
    await process.settled();
    const parked = await process.parked();
    expect(parked).toHaveLength(30);
    broken = false;
    // Users' transactions take every connection of their pool.
    const held = await Promise.all([
      process.database.transactions.connect(),
      process.database.transactions.connect(),
    ]);
    for (const row of parked.slice(0, 5)) {
      expect(await process.ask('subject', 'retry', { id: row['id'] })).toMatchObject({
        answer: { outcome: 'handled' },
      });
    }
    for (const client of held) client.release();
    expect(await process.parked()).toHaveLength(25);
  });
});
