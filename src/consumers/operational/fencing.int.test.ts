import pg from 'pg';
import { describe, expect, test } from 'vitest';
import {
  eventually,
  OrderPaid,
  OrderPlaced,
  placed,
  useTestBench,
} from '../../../test/operational/fixtures.ts';
import { defineHandler } from './define-handler.ts';
import type { Handler, HandlerContext } from './handler.ts';

const bench = useTestBench();

const handlerOf = (
  handle: (event: { data: { orderId: string; n: number } }, context: HandlerContext) => Promise<void>,
  options: Partial<Parameters<typeof defineHandler>[0]> = {},
): Handler => defineHandler({ name: 'subject', on: [OrderPlaced], ...options, handle: handle as never });

/** A takeover by somebody else, from outside: what this process still does under its token is a zombie's work. */
const takeOver = `update factline.lanes set token = token + 1, owner = null, released = false`;

const gateOf = (): { passed: Promise<void>; open: () => void } => {
  let open: () => void = () => {};
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open };
};

describe('a process that has lost its lane', () => {
  // LESSONS: Wolverine#2602.
  test('cannot commit a transaction: two leaders worked after a database session was lost', async () => {
    const inside = gateOf();
    const goOn = gateOf();
    const codes: unknown[] = [];
    let runs = 0;
    const process = await bench.launch({
      definitions: [
        handlerOf(async (event, { transaction }) => {
          runs += 1;
          const first = runs === 1;
          await transaction(async (tx) => {
            await tx.query('insert into book values ($1)', [event.data.orderId]);
            tx.publish(OrderPaid({ orderId: event.data.orderId, n: 1 }));
            if (!first) return;
            inside.open();
            await goOn.passed;
          }).catch((error: { code: unknown }) => {
            codes.push(error.code);
            throw error;
          });
        }),
      ],
    });
    await process.rows('create table book (id text)');
    await process.publish(placed('A1'));
    await inside.passed;
    await process.rows(takeOver);
    goOn.open();
    await eventually(() => runs === 2, 'its new owner handles the event');
    await process.settled();
    expect(codes).toEqual(['LEASE_LOST']);
    expect(await process.rows('select * from book')).toEqual([{ id: 'A1' }]);
    expect(
      await process.rows(`select count(*)::int as n from factline.events where type = 'shop.order.paid.v1'`),
    ).toEqual([{ n: 1 }]);
    expect(await process.parked()).toEqual([]);
  });

  test('cannot write an inbox row, a checkpoint, a parked row, or begin an effect', async () => {
    const inside = gateOf();
    const goOn = gateOf();
    const outcomes: unknown[] = [];
    let runs = 0;
    const process = await bench.launch({
      definitions: [
        handlerOf(async (event, { effect }) => {
          runs += 1;
          if (runs > 3) return;
          if (runs === 3) inside.open();
          await goOn.passed;
          if (event.data.orderId === 'fails') throw new Error('after the loss');
          if (event.data.orderId === 'effect') await effect('call', async () => void outcomes.push('called'));
        }),
      ],
    });
    await process.publish(placed('plain'), placed('fails'), placed('effect'));
    await inside.passed;
    await process.rows(takeOver);
    // Of a process that counts as alive for ten seconds: this one may not take them again, so whatever is written is a zombie's.
    await process.rows(
      `insert into factline.processes (id, app, incarnation, host, pid, code_version, direct_session)
       overriding system value values (999999, 'test', gen_random_uuid(), 'elsewhere', 1, '1', false)`,
    );
    await process.rows('update factline.lanes set token = token + 1, owner = 999999, released = false');
    const checkpoints = 'select lane, position::int from factline.checkpoints order by lane';
    const before = await process.rows(checkpoints);
    goOn.open();
    await eventually(() => process.told.some(({ name }) => name === 'lane.lost'), 'it notices');
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(outcomes).toEqual([]);
    expect(await process.parked()).toEqual([]);
    expect(await process.rows('select count(*)::int as n from factline.inbox')).toEqual([{ n: 0 }]);
    expect(await process.rows('select count(*)::int as n from factline.effects')).toEqual([{ n: 0 }]);
    expect(await process.rows(checkpoints)).toEqual(before);
  });

  test('waits for its lane row before it takes a position: locks before numbers', async () => {
    const inside = gateOf();
    const goOn = gateOf();
    const process = await bench.launch({
      definitions: [
        handlerOf(async (event, { transaction }) => {
          await transaction(async (tx) => {
            tx.publish(OrderPaid({ orderId: event.data.orderId, n: 1 }));
            inside.open();
            await goOn.passed;
          });
        }),
      ],
    });
    await process.publish(placed('A1'));
    await inside.passed;
    const takeover = new pg.Client({ connectionString: bench.url });
    await takeover.connect();
    await takeover.query('begin');
    await takeover.query('select 1 from factline.lanes for update');
    goOn.open();
    try {
      // The handler's own connection: the checkpoints wait for the same rows on another one.
      const waiting = `select pid from pg_stat_activity where datname = current_database()
        and wait_event_type = 'Lock' and application_name ~ '(handlers|transactions)'`;
      await eventually(
        async () => (await takeover.query(waiting)).rowCount === 1,
        'the commit waits for the lane',
      );
      const { rows } = await takeover.query(
        `select count(*)::int as n from pg_locks where relation = 'factline.events_position_seq'::regclass and pid in (${waiting})`,
      );
      expect(rows).toEqual([{ n: 0 }]);
    } finally {
      await takeover.query('rollback');
      await takeover.end();
    }
    await process.settled();
    expect(await process.rows(`select count(*)::int as n from factline.events`)).toEqual([{ n: 2 }]);
  });
});

describe('two processes', () => {
  test('share the keys, hand lanes over, and handle everything once and in order', {
    timeout: 60_000,
  }, async () => {
    const seen: [string, number][] = [];
    const definition = handlerOf(async (event, { transaction }) => {
      await transaction(async (tx) => {
        await tx.query('insert into book values ($1, $2)', [event.data.orderId, event.data.n]);
      });
      seen.push([event.data.orderId, event.data.n]);
    });
    const one = await bench.launch({ definitions: [definition] });
    await one.rows('create table book (id text, n int, primary key (id, n))');
    let n = 0;
    const publishSome = async (): Promise<void> => {
      for (let batch = 0; batch < 5; batch += 1) {
        await one.publish(
          ...(Array.from({ length: 40 }, () => placed(`k${n % 13}`, n++)) as [ReturnType<typeof placed>]),
        );
      }
    };
    const publishing = publishSome();
    const other = await bench.launch({ definitions: [definition] });
    await publishing;
    await eventually(
      () => (other.engine.running()[0]?.progress.lanes.length ?? 0) > 4,
      'the other has its share',
    );
    await publishSome();
    await other.stop();
    await publishSome();
    await eventually(
      async () => (await one.rows('select count(*)::int as n from book'))[0]?.['n'] === n,
      'all are handled',
    );
    for (let key = 0; key < 13; key += 1) {
      const own = seen.filter(([id]) => id === `k${key}`).map(([, number]) => number);
      expect(own).toEqual([...own].sort((a, b) => a - b));
    }
    expect(seen).toHaveLength(n);
  });
});

describe('what an event costs', () => {
  test('four statements with a transaction of its own, and a share of one without', async () => {
    const count = async (): Promise<Map<string, number>> => {
      const rows = await process.rows(
        `select left(regexp_replace(query, '\\s+', ' ', 'g'), 60) as query, sum(calls)::int as calls from pg_stat_statements
          where dbid = (select oid from pg_database where datname = current_database()) group by 1`,
      );
      return new Map(rows.map((row) => [String(row['query']), Number(row['calls'])]));
    };
    const events = 300;
    const process = await bench.launch({
      definitions: [
        handlerOf(async (event, { transaction }) => {
          await transaction(
            async (tx) => void (await tx.query('insert into book values ($1)', [event.data.orderId])),
          );
        }),
        handlerOf(async () => {}, { name: 'plain' }),
      ],
    });
    await process.rows('create extension if not exists pg_stat_statements');
    await process.rows('create table book (id text)');
    await process.rows('select pg_stat_statements_reset()');
    await process.publish(...Array.from({ length: events }, (_, n) => placed(`A${n}`)));
    await process.settled();
    const calls = await count();
    const total = [...calls.values()].reduce((sum, each) => sum + each, 0);
    expect(calls.get('insert into book values ($1)')).toBe(events);
    // BEGIN, the handler's own, the end of the event, COMMIT; the other consumer's inbox rows, reading, beats: the rest.
    expect(total / events).toBeLessThan(5);
  });
});
