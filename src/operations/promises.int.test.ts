import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { createManualClock, createTelemetry, keyHash, type Telemetry } from '../foundation/index.ts';
import { createMeter, type Meter, measure } from './meter.ts';
import { ObjectiveSampler } from './objective-sampler.ts';
import type { Verdict } from './verdict.ts';

let database: TestDatabase;
let pool: pg.Pool;

beforeAll(async () => {
  database = await createTestDatabase({ migrated: true });
  pool = new pg.Pool({ connectionString: database.url, max: 2 });
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});
beforeEach(async () => {
  await moveClock(0);
  await pool.query(`truncate factline.events, factline.consumers, factline.lanes, factline.checkpoints, factline.processes, factline.session_locks,
    factline.objective_hours, factline.objective_minutes, factline.clock_jumps restart identity`);
});

const placed = 'shop.order.placed.v1';

/** A consumer that promises a minute, worked by a living process. */
const consumer = async (): Promise<void> => {
  await pool.query(
    `insert into factline.consumers (app, class, name, types, lanes, start_position, handled_within_ms, error_budget)
     values ('shop', 'operational', 'orders', $1, 1, 0, 60000, 0.01)`,
    [[placed]],
  );
  await pool.query(
    `insert into factline.processes (app, incarnation, host, pid, code_version, direct_session) values ('shop', gen_random_uuid(), 'here', 1, '1', true)`,
  );
  await pool.query(
    'insert into factline.lanes (consumer_id, lane, generation, owner, released) values (1, 0, 1, 1, false)',
  );
  await pool.query(
    'insert into factline.checkpoints (consumer_id, lane, position, dispatch_limit) values (1, 0, 0, 0)',
  );
};
/** Holds the lock by which everybody sees that process 1 lives, whatever the clock says. */
const alive = new Set<pg.Client>();
const live = async (): Promise<void> => {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  alive.add(client);
  await client.query('select pg_advisory_lock_shared($1, 1)', [0x46414354]);
};
afterEach(async () => {
  for (const client of alive) await client.end();
  alive.clear();
});

/** The rows of a second build of it are being made, by the same process. */
const build = async (): Promise<void> => {
  await pool.query(
    `insert into factline.consumers (app, class, name, build, state, types, lanes, start_position, handled_within_ms, error_budget)
     values ('shop', 'projection', 'orders', 2, 'building', $1, 1, 0, 60000, 0.01)`,
    [[placed]],
  );
  await pool.query(
    'insert into factline.lanes (consumer_id, lane, generation, owner, released) values (2, 0, 1, 1, false)',
  );
  await pool.query(
    'insert into factline.checkpoints (consumer_id, lane, position, dispatch_limit) values (2, 0, 0, 0)',
  );
};

const publish = (count: number, secondsAgo = 0): Promise<unknown> =>
  pool.query(
    `insert into factline.events (id, type, source, key, key_hash, data, meta, time, recorded_at)
     select gen_random_uuid(), $1, 'shop', 'a', $2, '{}', '{}', now(), factline.clock() - make_interval(secs => $4) from generate_series(1, $3)`,
    [placed, keyHash('a'), count, secondsAgo],
  );
const handleAll = (): Promise<unknown> =>
  pool.query(
    'update factline.checkpoints set position = (select max(position) from factline.events), moved_at = factline.clock()',
  );

/** The clock of the database moves ahead, or back, by so much. */
const moveClock = (seconds: number): Promise<unknown> =>
  pool.query(`create or replace function factline.clock() returns timestamptz language sql volatile parallel safe
    as $clock$ select clock_timestamp() + interval '${seconds} seconds' $clock$`);

const pass = async (seconds: number): Promise<void> => {
  await pool.query(
    'update factline.objective_minutes set sampled_at = sampled_at - make_interval(secs => $1)',
    [seconds],
  );
  await pool.query(
    'update factline.objective_hours set sampled_at = sampled_at - make_interval(secs => $1)',
    [seconds],
  );
  await pool.query('update factline.events set recorded_at = recorded_at - make_interval(secs => $1)', [
    seconds,
  ]);
};

const sampler = (telemetry?: Telemetry): ObjectiveSampler =>
  new ObjectiveSampler({
    database: { operations: pool },
    clock: createManualClock(),
    app: 'shop',
    ...(telemetry === undefined ? {} : { telemetry }),
  });
const now = async (): Promise<Verdict> => {
  const [verdict] = await measure({ database: { operations: pool } });
  if (verdict === undefined) throw new Error('no verdict');
  return verdict;
};
const burnStates = async (): Promise<string[]> => (await now()).burn?.map(({ state }) => state) ?? [];

describe('burn rates of what was sampled', () => {
  /** One minute: events come, and the consumer is behind its promise or not. */
  const minute = async (events: number, late: boolean): Promise<void> => {
    await pass(60);
    await publish(events);
    await handleAll();
    if (late) {
      await publish(1, 90);
      await sampler().runOnce();
      await handleAll();
    } else await sampler().runOnce();
  };

  it('burn, outlive a restart, and are UNKNOWN as soon as a fifth of the short window was not sampled', async () => {
    await consumer();
    await sampler().runOnce();
    for (let count = 0; count < 50; count += 1) await minute(10, count >= 38);
    // 12 of 50 minutes were late: 132 of 512 events; the first window is seen to 83 %.
    expect((await now()).burn?.[0]).toMatchObject({
      state: 'BURNING',
      long: { seconds: 3_600, burn: 25.78, coverage: expect.closeTo(0.83, 1) },
      short: { seconds: 300, burn: 100 },
    });
    expect((await now()).reasons[0]).toMatchObject({ code: 'burning' });
    expect(await burnStates()).toEqual(['BURNING', 'UNKNOWN', 'UNKNOWN', 'UNKNOWN']);
    await pass(61);
    expect(await burnStates()).toEqual(['UNKNOWN', 'UNKNOWN', 'UNKNOWN', 'UNKNOWN']);
  }, 60_000);

  it('count what nobody looked at as not covered, however long the gap', async () => {
    await consumer();
    await sampler().runOnce();
    for (let count = 0; count < 5; count += 1) await minute(1, false);
    await pass(3_600);
    await publish(100);
    await handleAll();
    await sampler().runOnce();
    const { rows } = await pool.query(
      'select covered_ms from factline.objective_minutes order by sampled_at desc limit 1',
    );
    expect(rows[0].covered_ms).toBe(90_000);
    expect((await now()).burn?.[0]).toMatchObject({ state: 'UNKNOWN', short: { burn: null } });
  });

  it('do not count a build that nobody reads: of course it is behind', async () => {
    await consumer();
    await live();
    await build();
    await publish(10, 3_600);
    await pool.query('update factline.checkpoints set position = 10 where consumer_id = 1');
    await pool.query('update factline.checkpoints set position = 4 where consumer_id = 2');
    await sampler().runOnce();
    await pass(60);
    await publish(5, 3_600);
    await sampler().runOnce();
    const { rows } = await pool.query(
      'select consumer_id as id, sum(events)::int as events, sum(late)::int as late from factline.objective_hours group by 1 order by 1',
    );
    expect(rows).toEqual([
      { id: 1, events: 5, late: 5 },
      { id: 2, events: 0, late: 0 },
    ]);
    const verdicts = await measure({ database: { operations: pool } });
    expect(verdicts.map(({ verdict, filling }) => [verdict, filling])).toEqual([
      ['LATE', null],
      ['OK', { done: 4 / 15, etaSeconds: null }],
    ]);
  });

  it('are exported as counters that begin at zero, each sample counted by one process', async () => {
    await consumer();
    const [first, second] = [createTelemetry(), createTelemetry()];
    await Promise.all([sampler(first).runOnce(), sampler(second).runOnce()]);
    await pass(60);
    await publish(7, 90);
    await Promise.all([sampler(first).runOnce(), sampler(second).runOnce()]);
    const sum = (name: 'factline_slo_events_total' | 'factline_slo_failed_total'): number =>
      [first, second].reduce(
        (total, { metrics }) => total + (metrics.value(name, { consumer: 'orders' }) ?? Number.NaN),
        0,
      );
    expect([sum('factline_slo_events_total'), sum('factline_slo_failed_total')]).toEqual([7, 7]);
  });
});

describe('time to breach and to drain', () => {
  it('is known from the first measurement after a restart, by what was sampled some minutes ago', async () => {
    await consumer();
    await publish(1_000, 10);
    await sampler().runOnce();
    await pass(100);
    await pool.query("update factline.events set recorded_at = factline.clock() - interval '30 seconds'");
    await pool.query('update factline.checkpoints set position = 500, moved_at = factline.clock()');
    const verdict = await now();
    // 500 of 1,000 in 100 s; the lag grew by 20 s in 100 s and has 30 s left.
    expect(verdict.timeToDrainSeconds).toBeCloseTo(100, -1);
    expect(verdict.timeToBreachSeconds).toBeCloseTo(150, -1);
  });

  it('is null when nothing was sampled lately', async () => {
    await consumer();
    await publish(10);
    await sampler().runOnce();
    await pass(400);
    await publish(10);
    expect((await now()).timeToDrainSeconds).toBeNull();
  });
});

describe('a jump of the clock by an hour', () => {
  const running = (): { meter: Meter; later: (seconds: number) => Promise<void> } => {
    const clock = createManualClock();
    const meter = createMeter({ database: { operations: pool }, clock, app: 'shop' });
    return { meter, later: (seconds) => clock.advance(seconds * 1_000) };
  };

  for (const jump of [3_600, -3_600]) {
    it(`${jump > 0 ? 'ahead' : 'back'} makes verdicts UNKNOWN at the next measurement, never OK, in other processes as well`, async () => {
      await consumer();
      await live();
      await publish(3);
      await handleAll();
      const { meter, later } = running();
      expect((await meter.verdicts())[0]?.verdict).toBe('OK');
      await moveClock(jump);
      await later(0.01);
      expect((await meter.verdicts())[0]).toMatchObject({
        verdict: 'UNKNOWN',
        lagSeconds: null,
        reasons: [{ code: 'clock-jumped' }],
      });
      expect(await now()).toMatchObject({ verdict: 'UNKNOWN', reasons: [{ code: 'clock-jumped' }] });
      await publish(1);
      expect((await now()).verdict).toBe('UNKNOWN');
      // A minute of a steady clock later, what came after the jump can be told; what came before it can't.
      await pool.query("update factline.clock_jumps set noticed_at = noticed_at - interval '61 seconds'");
      await pool.query('update factline.events set recorded_at = factline.clock()');
      await pool.query('update factline.clock_jumps set head = 4');
      expect((await now()).verdict).toBe('UNKNOWN');
      await pool.query('update factline.clock_jumps set head = 3');
      expect((await now()).verdict).toBe('OK');
    });
  }

  it('back is seen by whoever looks for the first time after it, since the newest event is dated ahead', async () => {
    await consumer();
    await publish(1);
    await handleAll();
    await moveClock(-3_600);
    expect((await now()).reasons).toEqual([
      {
        code: 'clock-jumped',
        text: expect.stringMatching(/^the database's clock is (1 h|59 min \d+ s) behind the newest event$/),
      },
    ]);
  });

  it('is counted neither as late nor as covered, and does not stop the samples', async () => {
    await consumer();
    await sampler().runOnce();
    await pass(60);
    await publish(5);
    await moveClock(-3_600);
    await pool.query(`insert into factline.clock_jumps (by_ms, head) values (-3600000, 5)`);
    await sampler().runOnce();
    const { rows } = await pool.query(
      'select covered_ms, events, late from factline.objective_minutes order by sampled_at desc limit 1',
    );
    expect(rows[0]).toEqual({ covered_ms: 0, events: '0', late: '0' });
    await pass(60);
    expect(await sampler().runOnce()).toBe(1);
  });
});
