import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { createManualClock, keyHash, laneOf, systemClock } from '../foundation/index.ts';
import { loadQueries } from '../postgres/index.ts';
import type { ConsumerFacts } from './facts.ts';
import { measureConsumers } from './measuring.ts';
import { createMeter, measure } from './meter.ts';
import { ObjectiveSampler } from './objective-sampler.ts';

const placed = 'shop.order.placed.v1';
const paid = 'shop.order.paid.v1';

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
  await pool.query(`truncate factline.events, factline.consumers, factline.lanes, factline.checkpoints, factline.inbox, factline.parked,
    factline.parked_events, factline.processes, factline.session_locks, factline.breakers, factline.consumer_generations, factline.objective_hours restart identity`);
});

interface Given {
  readonly name?: string;
  readonly lanes?: number;
  readonly ordering?: string;
  readonly types?: readonly string[];
  readonly owned?: boolean;
}

/** A consumer with lanes at position 0, worked by a process that beats. */
const consumer = async ({
  name = 'orders',
  lanes = 1,
  ordering = 'key',
  types = [placed],
  owned = true,
}: Given = {}): Promise<number> => {
  const { rows } = await pool.query<{ id: number }>(
    `insert into factline.consumers (app, class, name, types, lanes, ordering, start_position)
     values ('shop', 'operational', $1, $2, $3, $4, 0) returning id`,
    [name, types, lanes, ordering],
  );
  const id = rows[0]?.id ?? 0;
  const owner = owned ? await process() : null;
  await pool.query(
    `insert into factline.lanes (consumer_id, lane, generation, owner, released) select $1, lane, 1, $3, false from generate_series(0, $2 - 1) lane`,
    [id, lanes, owner],
  );
  await pool.query(
    `insert into factline.checkpoints (consumer_id, lane, position, dispatch_limit) select $1, lane, 0, 0 from generate_series(0, $2 - 1) lane`,
    [id, lanes],
  );
  return id;
};

const process = async (): Promise<number> => {
  const { rows } = await pool.query<{ id: number }>(
    `insert into factline.processes (app, incarnation, host, pid, code_version, direct_session)
     values ('shop', gen_random_uuid(), 'here', 1, '1', false) returning id::integer`,
  );
  return rows[0]?.id ?? 0;
};

interface Event {
  readonly key?: string;
  readonly type?: string;
  readonly secondsAgo?: number;
}

const publish = async ({
  key = 'a',
  type = placed,
  secondsAgo = 0,
}: Event = {}): Promise<{ position: number; id: string }> => {
  const { rows } = await pool.query<{ position: string; id: string }>(
    `insert into factline.events (id, type, source, key, key_hash, data, meta, time, recorded_at)
     values (gen_random_uuid(), $1, 'shop', $2, $3, '{}', '{}', now(), factline.clock() - make_interval(secs => $4)) returning position, id`,
    [type, key, keyHash(key), secondsAgo],
  );
  return { position: Number(rows[0]?.position), id: String(rows[0]?.id) };
};

const checkpoint = (id: number, lane: number, position: number): Promise<unknown> =>
  pool.query(
    'update factline.checkpoints set position = $3, moved_at = factline.clock() where consumer_id = $1 and lane = $2',
    [id, lane, position],
  );

const handled = (id: number, position: number, key = 'a'): Promise<unknown> =>
  pool.query('insert into factline.inbox (consumer_id, key_hash, position) values ($1, $2, $3)', [
    id,
    keyHash(key),
    position,
  ]);

interface Parked {
  readonly position: number;
  readonly state: string;
  readonly key?: string;
  readonly reason?: string;
}

const park = (id: number, { position, state, key = 'a', reason = 'failed' }: Parked): Promise<unknown> =>
  pool.query(
    `insert into factline.parked (consumer_id, key, key_hash, position, state, reason, next_at)
     values ($1, $2, $3, $4, $5, $6, case when $5 = 'retrying' then factline.clock() + interval '10 s' end)`,
    [id, key, keyHash(key), position, state, reason],
  );

const only = async (): Promise<ConsumerFacts> => {
  const [facts] = await measureConsumers(pool, null);
  if (facts === undefined) throw new Error('no consumer was measured');
  return facts;
};
const ageSeconds = (facts: ConsumerFacts): number => Math.round((facts.oldest?.ageMs ?? -1_000) / 1_000);

describe('the lag', () => {
  it('is that of the oldest event above the mark that is not in the inbox', async () => {
    const id = await consumer();
    await publish({ secondsAgo: 50 });
    const second = await publish({ secondsAgo: 40 });
    const third = await publish({ secondsAgo: 30 });
    await publish({ secondsAgo: 20 });
    expect(ageSeconds(await only())).toBe(50);
    await checkpoint(id, 0, 1);
    await handled(id, third.position);
    expect(ageSeconds(await only())).toBe(40);
    await handled(id, second.position);
    const facts = await only();
    expect(ageSeconds(facts)).toBe(20);
    expect(facts.unhandled).toMatchObject({ events: 1, exact: true });
    await checkpoint(id, 0, 4);
    expect(await only()).toMatchObject({ oldest: null, unhandled: { events: 0 } });
  });

  it('counts only types that the consumer reads', async () => {
    await consumer();
    await publish({ type: paid, secondsAgo: 100 });
    expect((await only()).oldest).toBeNull();
    await publish({ secondsAgo: 5 });
    expect(ageSeconds(await only())).toBe(5);
  });

  it('counts types of a generation to come from its barrier on', async () => {
    const id = await consumer();
    await publish({ type: paid, secondsAgo: 100 });
    await publish({ type: paid, secondsAgo: 7 });
    await pool.query(
      `insert into factline.consumer_generations (consumer_id, generation, types, declared_types, key_version, lanes, barrier)
       values ($1, 2, $2, $2, 1, 1, 1)`,
      [id, [placed, paid]],
    );
    expect(ageSeconds(await only())).toBe(7);
  });

  it('is measured lane by lane, against the checkpoint of the lane', async () => {
    const id = await consumer({ lanes: 4 });
    const keys = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
    let seconds = 80;
    for (const key of keys) {
      await publish({ key, secondsAgo: seconds });
      seconds -= 10;
    }
    for (let lane = 0; lane < 4; lane += 1) await checkpoint(id, lane, 8);
    const slow = laneOf(keyHash('c'), 4);
    await checkpoint(id, slow, 0);
    const first = keys.findIndex((key) => laneOf(keyHash(key), 4) === slow);
    const facts = await only();
    expect(ageSeconds(facts)).toBe(80 - 10 * first);
    expect(facts.oldest?.lane).toBe(slow);
    expect(facts.unhandled.events).toBe(keys.filter((key) => laneOf(keyHash(key), 4) === slow).length);
  });

  it("under ordering 'none' follows the lane of the event's id", async () => {
    const id = await consumer({ lanes: 4, ordering: 'none' });
    const events = [];
    for (let index = 0; index < 12; index += 1) events.push(await publish({ secondsAgo: 120 - index * 10 }));
    for (let lane = 0; lane < 4; lane += 1) await checkpoint(id, lane, 12);
    const last = events[11];
    const slow = laneOf(keyHash(last?.id ?? ''), 4);
    await checkpoint(id, slow, 0);
    const first = events.findIndex((event) => laneOf(keyHash(event.id), 4) === slow);
    const facts = await only();
    expect(ageSeconds(facts)).toBe(120 - first * 10);
    expect(facts.unhandled.events).toBe(
      events.filter((event) => laneOf(keyHash(event.id), 4) === slow).length,
    );
  });

  it('includes what is retrying and what waits behind it, below the mark', async () => {
    const id = await consumer();
    await publish({ secondsAgo: 60 });
    await publish({ secondsAgo: 30 });
    await park(id, { position: 1, state: 'retrying' });
    await park(id, { position: 2, state: 'waiting' });
    await checkpoint(id, 0, 2);
    const facts = await only();
    expect(facts.oldest).toMatchObject({ where: 'retrying', position: 1 });
    expect(ageSeconds(facts)).toBe(60);
    expect(facts.unhandled).toMatchObject({ events: 2, retrying: 1, waiting: 1 });
    expect(facts.unhandled.nextRetryMs).toBeGreaterThan(8_000);
  });

  it('leaves out what is quarantined and what waits behind it, on any of its keys', async () => {
    const id = await consumer();
    for (const secondsAgo of [90, 80, 70]) await publish({ secondsAgo });
    await park(id, { position: 1, state: 'quarantined' });
    await park(id, { position: 2, state: 'waiting' });
    await park(id, { position: 3, state: 'waiting' });
    await park(id, { position: 3, state: 'waiting', key: 'b' });
    await checkpoint(id, 0, 3);
    const facts = await only();
    expect(facts.oldest).toBeNull();
    expect(facts.quarantined).toMatchObject({ keys: 1, events: 1, waiting: 2 });
    expect(Math.round((facts.quarantined.oldestMs ?? 0) / 1_000)).toBe(90);
  });

  it('counts events without code with a place of their own', async () => {
    const id = await consumer();
    await publish({ secondsAgo: 45 });
    await park(id, { position: 1, state: 'waiting', reason: 'no code' });
    await checkpoint(id, 0, 1);
    const facts = await only();
    expect(facts.oldest).toMatchObject({ where: 'without code' });
    expect(facts.unhandled.withoutCode).toBe(1);
  });

  it('knows when the lane of the oldest event last did something', async () => {
    const id = await consumer({ lanes: 4 });
    await publish({ secondsAgo: 500, key: 'a' });
    await pool.query("update factline.checkpoints set moved_at = factline.clock() - interval '400 s'");
    expect(Math.round(((await only()).oldest?.idleMs ?? 0) / 1_000)).toBe(400);
    const other =
      ['b', 'c', 'd', 'e'].find((key) => laneOf(keyHash(key), 4) !== laneOf(keyHash('a'), 4)) ?? '';
    await handled(id, 5, other);
    expect(Math.round(((await only()).oldest?.idleMs ?? 0) / 1_000)).toBe(400);
    await handled(id, 6, 'a');
    expect((await only()).oldest?.idleMs).toBeLessThan(5_000);
  });
});

describe('the owners of lanes', () => {
  it('are processes whose session lock or fresh beat shows that they live', async () => {
    await consumer();
    expect((await only()).lanes[0]).toMatchObject({ unownedMs: null });
    await pool.query("update factline.processes set beaten_at = factline.clock() - interval '1 minute'");
    await pool.query("update factline.consumers set registered_at = factline.clock() - interval '1 hour'");
    await pool.query("update factline.checkpoints set moved_at = factline.clock() - interval '1 hour'");
    const dead = await only();
    expect(dead.lanes[0]?.owner).toBeNull();
    expect(Math.round((dead.lanes[0]?.unownedMs ?? 0) / 1_000)).toBe(60);
    const client = await pool.connect();
    await client.query(
      'select pg_advisory_lock_shared($1, (select id::integer from factline.processes))',
      [0x46414354],
    );
    expect((await only()).lanes[0]?.owner).not.toBeNull();
    await client.query('select pg_advisory_unlock_all()');
    client.release();
  });
});

const sql = loadQueries<'scan_log' | 'read_parked' | 'last_handled'>(
  new URL('./measuring.sql', import.meta.url),
);

const scanRequest = (id: number): object => ({
  id,
  after: 0,
  types: [placed],
  newerTypes: [],
  barrier: 0,
  ordering: 'key',
  checkpoints: new Array(16).fill(0),
});

/** No plan reads a whole table that grows with the log. */
const expectIndexes = async (name: keyof typeof sql, values: unknown[]): Promise<void> => {
  const { rows } = await pool.query<{ 'QUERY PLAN': string }>(`explain ${sql[name].text}`, values);
  const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
  expect(plan).not.toMatch(/Seq Scan on (events_p0|inbox|parked)/);
};

describe('a transaction that holds up the log', () => {
  it('is named by processes without a tail of their own, after a second, when an event waits', async () => {
    await consumer();
    const client = await pool.connect();
    try {
      await client.query("begin; select nextval('factline.events_position_seq')");
      const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid, pg_sleep(1.1)');
      await publish();
      const [verdict] = await measure({ database: { operations: pool } });
      expect(verdict?.reasons).toEqual([
        {
          code: 'tail-blocked',
          text: expect.stringContaining(`process ${rows[0]?.pid}: select pg_backend_pid`),
        },
      ]);
    } finally {
      await client.query('rollback');
      client.release();
    }
  });
});

describe('the error budget', () => {
  const minuteLater = (): Promise<unknown> =>
    pool.query("update factline.objective_hours set sampled_at = sampled_at - interval '1 minute'");
  const sample = (): Promise<number> =>
    new ObjectiveSampler({
      database: { operations: pool },
      clock: createManualClock(),
      app: 'shop',
    }).runOnce();

  it('counts events, and as late those written while the consumer was behind; one process a minute', async () => {
    const id = await consumer();
    await publish();
    expect(await sample()).toBe(1);
    expect((await only()).objective.events).toBe(0);
    for (let count = 0; count < 3; count += 1) await publish({ type: count === 0 ? paid : placed });
    expect(await sample()).toBe(0);
    await minuteLater();
    expect((await Promise.all([sample(), sample()])).toSorted()).toEqual([0, 1]);
    expect((await only()).objective).toEqual({ events: 2, late: 0, quarantined: 0 });
    await publish({ secondsAgo: 90 });
    await park(id, { position: 1, state: 'quarantined' });
    await pool.query(
      'insert into factline.parked_events (consumer_id, position, last_failed_at) values ($1, 1, factline.clock())',
      [id],
    );
    await minuteLater();
    await sample();
    expect((await only()).objective).toEqual({ events: 3, late: 1, quarantined: 1 });
  });

  it('goes back thirty days and forgets what is older', async () => {
    const id = await consumer();
    await pool.query(
      `insert into factline.objective_hours (consumer_id, hour, events, late, quarantined, sampled_to, sampled_at)
       select $1, factline.clock() - make_interval(days => d), 10, 1, 0, 0, factline.clock() - interval '1 hour' from unnest('{1,29,31,40}'::int[]) d`,
      [id],
    );
    expect((await only()).objective).toEqual({ events: 20, late: 2, quarantined: 0 });
    await sample();
    expect((await pool.query('select from factline.objective_hours')).rowCount).toBeLessThan(5);
  });

  it('is sampled a moment after the start and once a minute while the app runs', async () => {
    await consumer();
    const clock = createManualClock();
    const running = new ObjectiveSampler({ database: { operations: pool }, clock, app: 'shop' });
    await running.start();
    expect(clock.armed).toBe(1);
    await clock.advance(1_000);
    expect(clock.armed).toBe(1);
    await running.stop();
    expect((await pool.query('select from factline.objective_hours')).rowCount).toBe(1);
    expect(clock.armed).toBe(0);
  });
});

describe('a large log', () => {
  it('is measured by index within two seconds, with a huge backlog and with none that matches', async () => {
    const behind = await consumer({ name: 'behind', lanes: 16, types: [placed] });
    const blind = await consumer({ name: 'blind', types: [paid] });
    const even = await consumer({ name: 'even', lanes: 16 });
    await pool.query(
      `insert into factline.events (id, type, source, key, key_hash, data, meta, time, recorded_at)
       select gen_random_uuid(), $1, 'shop', 'k' || n % 5000, hashint4(n % 5000), '{"a":1}', '{}', now(), factline.clock() - interval '1 h'
         from generate_series(1, 300000) n`,
      [placed],
    );
    await pool.query(
      `insert into factline.parked (consumer_id, key, key_hash, position, state, reason) select $1, 'k' || n % 100, n % 100, n, 'waiting', 'hot key' from generate_series(1, 50000) n`,
      [even],
    );
    await pool.query('analyze factline.events, factline.parked');
    await pool.query('update factline.checkpoints set position = 300000 where consumer_id = $1', [even]);
    const started = performance.now();
    const facts = await measureConsumers(pool, null);
    expect(performance.now() - started).toBeLessThan(2_000);
    const of = (id: number): ConsumerFacts | undefined => facts.find((each) => each.id === id);
    expect(of(behind)).toMatchObject({
      oldest: { exact: true, where: 'log' },
      unhandled: { events: 2_000, exact: false },
    });
    expect(of(blind)).toMatchObject({ oldest: { exact: false }, unhandled: { events: 0, exact: false } });
    expect(of(even)).toMatchObject({ oldest: { where: 'waiting' }, unhandled: { exact: false } });
    expect(of(even)?.hottestKey?.waiting).toBe(500);
    await expectIndexes('scan_log', [JSON.stringify([scanRequest(behind)]), 2_000]);
    await expectIndexes('read_parked', [[even], 20_000]);
    await expectIndexes('last_handled', [JSON.stringify([{ id: behind, lane: 0, lanes: 16 }])]);
  }, 60_000);
});

it('does not name the hottest key where a contract hides what it is made of', async () => {
  const id = await consumer({ name: 'letters' });
  await pool.query(
    `insert into factline.contract_terms (app, type, owner, key, sensitivity, code_version)
     values ('shop', 'shop.letter.sent.v1', 'letters', '{email}', '{"email": "personal"}', '1')`,
  );
  await pool.query(
    `insert into factline.parked (consumer_id, key, key_hash, position, state, reason)
     select $1, key, 1, n, 'waiting', 'hot key' from generate_series(1, 3) n cross join (values ($2::text)) k (key)`,
    [id, 'email=ada@example.com'],
  );
  const hottest = async (): Promise<string | undefined> =>
    (await measureConsumers(pool, null)).find((each) => each.id === id)?.hottestKey?.key;
  expect(await hottest()).toBe('(personal)');
  await pool.query('delete from factline.contract_terms');
  expect(await hottest()).toBe('email=ada@example.com');
});

describe('a meter', () => {
  it('says UNKNOWN for what is declared while nothing can be measured, and OK never', async () => {
    const broken = { operations: { query: () => Promise.reject(new Error('the server is away')) } };
    const clock = createManualClock();
    const meter = createMeter({
      database: broken as never,
      clock,
      declared: [{ name: 'orders', class: 'projection' }],
    });
    expect(await meter.verdicts()).toMatchObject([
      { consumer: 'orders', verdict: 'UNKNOWN', lagSeconds: null, reasons: [{ code: 'not-measured' }] },
    ]);
  });

  it('keeps the latest measurement for 15 s when measuring fails, then says UNKNOWN', async () => {
    await consumer();
    let away = false;
    const operations = {
      query: (request: never) => (away ? Promise.reject(new Error('away')) : pool.query(request)),
    };
    const clock = createManualClock();
    const meter = createMeter({ database: { operations } as never, clock });
    expect(await meter.verdicts()).toMatchObject([{ verdict: 'OK' }]);
    away = true;
    await clock.advance(14_000);
    expect(await meter.verdicts()).toMatchObject([{ verdict: 'OK', measuredSecondsAgo: 14 }]);
    await clock.advance(2_000);
    expect(await meter.verdicts()).toMatchObject([{ verdict: 'UNKNOWN' }]);
  });

  it('does not answer with a measurement that began before it was asked', async () => {
    await consumer();
    const gate = Promise.withResolvers<void>();
    let asked = 0;
    const operations = {
      query: async (request: never) => {
        asked += 1;
        const result = await pool.query(request);
        if (asked === 1) await gate.promise;
        return result;
      },
    };
    const meter = createMeter({ database: { operations } as never, clock: systemClock });
    const early = meter.verdicts();
    await expect.poll(() => asked).toBeGreaterThan(0);
    await pool.query(
      "update factline.consumers set paused_reason = 'deploy', paused_by = 'ada', paused_at = factline.clock()",
    );
    const late = [meter.verdicts(), meter.verdicts()];
    gate.resolve();
    await early;
    for (const verdicts of await Promise.all(late)) expect(verdicts).toMatchObject([{ verdict: 'PAUSED' }]);
  });

  it('reports a declared consumer that the database does not know', async () => {
    const verdicts = await measure({
      database: { operations: pool },
      declared: [{ name: 'orders', class: 'projection' }],
    });
    expect(verdicts).toMatchObject([{ verdict: 'UNKNOWN', reasons: [{ code: 'not-registered' }] }]);
  });
});
