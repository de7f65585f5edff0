import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts';
import { OrderPlaced, placed, useTestBench } from '../../../test/operational/fixtures.ts';
import { createManualClock, createTelemetry } from '../../foundation/index.ts';
import type { Database } from '../../postgres/index.ts';
import { defineHandler } from './define-handler.ts';
import type { Rate } from './handler.ts';
import { RateLimiter } from './rate-limiter.ts';

/* The database's clock and those of the processes stand still until the test moves them, all together. */
describe('processes that share a consumer', () => {
  let testDatabase: TestDatabase;
  let client: pg.Client;
  let clock: ReturnType<typeof createManualClock>;
  let asked = 0;
  let underWay = 0;
  let database: Database;

  beforeEach(async () => {
    testDatabase = await createTestDatabase({ migrated: true });
    client = new pg.Client(testDatabase.url);
    await client.connect();
    await client.query(
      `create or replace function factline.clock() returns timestamptz language sql volatile
         as $$ select to_timestamp(current_setting('test.ms')::double precision / 1000) $$`,
    );
    await client.query(`set test.ms = 0`);
    await client.query(
      `insert into factline.consumers (app, class, name, types, lanes, start_position)
       values ('shop', 'operational', 'mail', '{}', 16, 0)`,
    );
    clock = createManualClock();
    asked = 0;
    let last: Promise<unknown> = Promise.resolve();
    const query = (request: pg.QueryConfig): Promise<pg.QueryResult> => {
      asked += 1;
      underWay += 1;
      const answer = last.then(async () => {
        await client.query(`select set_config('test.ms', $1, false)`, [String(clock.monotonic())]);
        return client.query(request);
      });
      last = answer.finally(() => {
        underWay -= 1;
      });
      return answer;
    };
    database = { operations: { query } } as unknown as Database;
  });

  afterEach(async () => {
    await client.end();
    await testDatabase.drop();
  });

  /** Until every answer of the database is in. */
  const settle = async (): Promise<void> => {
    do await new Promise((resolve) => setImmediate(resolve));
    while (underWay > 0);
  };

  const advance = async (ms: number, step: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += step) {
      await settle();
      await clock.advance(step);
    }
    await settle();
  };

  interface Hungry {
    readonly taken: number[];
    /** Takes whatever it gets, until `rest`. */
    eat(): void;
    rest(): void;
  }

  const hungry = (rate: Rate): Hungry => {
    const taken: number[] = [];
    let resting = false;
    const eat = (): void => {
      while (!resting && limiter.tryTake()) taken.push(clock.monotonic());
    };
    const limiter = new RateLimiter({
      database,
      clock,
      telemetry: createTelemetry(),
      consumer: { id: 1, name: 'mail' },
      rate,
      onPermit: eat,
    });
    return {
      taken,
      eat: () => {
        resting = false;
        eat();
      },
      rest: () => {
        resting = true;
      },
    };
  };

  /** The most that was taken in any stretch of that length. */
  const most = (eaters: readonly Hungry[], ms: number): number => {
    const times = eaters.flatMap(({ taken }) => taken).sort((a, b) => a - b);
    return Math.max(...times.map((start) => times.filter((at) => at >= start && at < start + ms).length));
  };

  test.each([1, 2, 5])('keep the declared rate together, evenly: %i of them', async (count) => {
    const eaters = Array.from({ length: count }, () => hungry({ permits: 100, perMs: 1_000 }));
    for (const each of eaters) each.eat();
    await advance(2_000, 2);
    const total = eaters.flatMap(({ taken }) => taken).length;
    expect(total).toBeGreaterThanOrEqual(180);
    expect(most(eaters, 1_000)).toBeLessThanOrEqual(101);
    expect(most(eaters, 100)).toBeLessThanOrEqual(11);
    for (const { taken } of eaters) expect(taken.length).toBeGreaterThan(total / count / 2);
    // One statement covers a stretch of a tenth of a second, and asking in vain is rare.
    expect(asked).toBeLessThanOrEqual(21 + count * 2);
  });

  test('keep one far below one a second, too', async () => {
    const eaters = Array.from({ length: 3 }, () => hungry({ permits: 6, perMs: 60_000 }));
    for (const each of eaters) each.eat();
    await advance(240_000, 500);
    expect(eaters.flatMap(({ taken }) => taken).length).toBeGreaterThanOrEqual(23);
    expect(most(eaters, 60_000)).toBeLessThanOrEqual(6);
  });

  test('do not save up: what was reserved and not used in its time is gone', async () => {
    const eaters = Array.from({ length: 2 }, () => hungry({ permits: 100, perMs: 1_000 }));
    for (const each of eaters) each.eat();
    // In the middle of a stretch.
    await advance(250, 2);
    for (const each of eaters) each.rest();
    await advance(10_000, 100);
    for (const each of eaters) each.eat();
    await advance(1_000, 2);
    expect(most(eaters, 1_000)).toBeLessThanOrEqual(101);
  });

  test('go on after a process that had reserved and died', async () => {
    const [dead, alive] = [hungry({ permits: 100, perMs: 1_000 }), hungry({ permits: 100, perMs: 1_000 })];
    dead.eat();
    alive.eat();
    await advance(500, 2);
    dead.rest();
    await advance(1_000, 2);
    expect(alive.taken.filter((at) => at >= 600).length).toBeGreaterThanOrEqual(80);
  });
});

describe('two running processes', () => {
  const bench = useTestBench();

  test('are no quicker than the rate, and both work', async () => {
    const begun: [process: string, at: number][] = [];
    const handlerOf = (process: string) =>
      defineHandler({
        name: 'mail',
        on: [OrderPlaced],
        rate: '40/s',
        handle: async () => void begun.push([process, performance.now()]),
      });
    const one = await bench.launch({ definitions: [handlerOf('one')] });
    const two = await bench.launch({ definitions: [handlerOf('two')] });
    const lanesOf = (process: typeof one): number => process.engine.running()[0]?.progress.lanes.length ?? 0;
    while (lanesOf(one) !== lanesOf(two)) await new Promise((resolve) => setTimeout(resolve, 10));
    await one.publish(...Array.from({ length: 60 }, (_, n) => placed(`A${n}`, n)));
    two.tail.wake();
    await Promise.all([one.settled(), two.settled()]);
    const times = begun.map(([, at]) => at);
    // A stretch of four may lie in the past of each when it begins.
    expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(((60 - 2 * 4) / 40) * 1_000 - 50);
    expect(new Set(begun.map(([process]) => process))).toEqual(new Set(['one', 'two']));
    expect(begun).toHaveLength(60);
  });
});
