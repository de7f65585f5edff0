import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts';
import {
  createProjectionProcess,
  type ProjectionProcess,
  type ProjectionProcessOptions,
} from '../../../test/projection/projection-process.ts';
import { defineProjection, type Projection } from '../../consumers/index.ts';
import { defineEvent } from '../../contracts/index.ts';
import { systemClock } from '../../foundation/index.ts';
import { engineActor } from '../authority/actor.ts';
import { compareProjection, listBuilds } from './projections.ts';
import { retireProjection, rollBackProjection, switchProjection } from './switch-projection.ts';

const Counted = defineEvent({
  type: 'shop.thing.counted.v1',
  key: 'thing',
  schema: z.object({ thing: z.string(), amount: z.int() }),
});
const counted = (thing: string, amount: number) => Counted({ thing, amount });

/** Not idempotent, and what stands in a row depends on the order of its events. */
const declare = (version = 1, poison?: () => number): Projection<{ amounts: string }, { thing: string }> =>
  defineProjection({
    name: 'things',
    version,
    on: Counted,
    primaryKey: 'thing',
    columns: { thing: 'text', events: 'int4', amounts: 'text' },
    evolve: (row, event) => {
      if (event.data.amount === poison?.()) throw new TypeError('does not fold');
      return {
        events: (row?.events ?? 0) + 1,
        amounts: version === 1 ? `${row?.amounts ?? ''}${event.data.amount} ` : `v${version}`,
      };
    },
  }) as never;

const things = declare();
let database: TestDatabase;
let processes: ProjectionProcess[] = [];

const launch = async (options: Partial<ProjectionProcessOptions> = {}): Promise<ProjectionProcess> => {
  const made = createProjectionProcess({ url: database.url, definitions: [things], ...options });
  processes.push(made);
  await made.start();
  return made;
};

const publishMany = async (app: ProjectionProcess, count: number, from = 0): Promise<void> => {
  for (let first = from; first < from + count; first += 1000) {
    const drafts = Array.from({ length: Math.min(1000, from + count - first) }, (_, n) =>
      counted(`t${(first + n) % 97}`, first + n),
    );
    await app.publish(...drafts);
  }
};

const stageOf = async (app: ProjectionProcess, build: number): Promise<string | undefined> =>
  (await listBuilds(app.database.operations, 'things')).find((each) => each.build === build)?.stage;

const until = async (condition: () => Promise<boolean>): Promise<void> => {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
};

const rowsOf = (app: ProjectionProcess, from = 'things'): Promise<Record<string, unknown>[]> =>
  app.rows(`select * from ${from} order by thing`);

const act = (app: ProjectionProcess, change: object = {}) => ({
  database: app.database,
  clock: systemClock,
  actor: engineActor('ada'),
  projection: 'things',
  withinMs: 10_000,
  accepted: false,
  ...change,
});
const compare = (app: ProjectionProcess, change: object = {}) =>
  compareProjection({ database: app.database, clock: systemClock, projection: 'things', ...change });

/** Everything that is kept under the id of a consumer. */
const keptFor = async (app: ProjectionProcess, build: number): Promise<unknown> =>
  (
    await app.rows(
      `select (select count(*)::int from factline.lanes where consumer_id = k.id) + (select count(*)::int from factline.checkpoints where consumer_id = k.id)
        + (select count(*)::int from factline.parked where consumer_id = k.id) + (select count(*)::int from factline.parked_events where consumer_id = k.id)
        + (select count(*)::int from factline.inbox where consumer_id = k.id) as rows,
       to_regclass('factline.things__b' || k.build) as table, k.state, b.stage
       from factline.consumers k join factline.builds b on b.consumer_id = k.id where k.build = $1`,
      [build],
    )
  )[0];
/** Which build the sampled minutes of the promise belong to, and how many events of them were late. */
const sampledLate = (app: ProjectionProcess): Promise<Record<string, unknown>[]> =>
  app.rows(`select k.build, sum(h.late)::int as hours, sum(m.late)::int as minutes from factline.consumers k
    join factline.objective_hours h on h.consumer_id = k.id left join factline.objective_minutes m on m.consumer_id = k.id group by 1 order by 1`);
const nothing = { rows: 0, table: null, state: 'retired', stage: 'retired' };

beforeEach(async () => {
  database = await createTestDatabase({ migrated: true });
});

afterEach(async () => {
  await Promise.all(processes.map((each) => each.stop()));
  processes = [];
  await database.drop();
});

describe('a rebuild of the same version', () => {
  test('keeps to a ceiling below the size of a batch', async () => {
    const app = await launch();
    await publishMany(app, 60);
    await app.engine.idle();
    const since = performance.now();
    await app.ask('things', 'rebuild', { actor: 'ada', reason: 'slowly', arguments: { ceiling: 20 } });
    await until(async () => (await stageOf(app, 2)) === 'live');
    // Twenty at once, and twenty a second from then on.
    expect(performance.now() - since).toBeGreaterThan(1_900);
  });

  test('stops where rows differ, and a person decides; the way back is the same switch until it is retired', async () => {
    const app = await launch();
    await publishMany(app, 2000);
    await app.engine.idle();
    await app.rows(`update factline.things__b1 set amounts = 'wrong' where thing = 't7'`);
    await app.ask('things', 'rebuild', { actor: 'ada', reason: 'a row is wrong' });
    await until(async () => (await stageOf(app, 2)) === 'differs');
    const [live, own] = await listBuilds(app.database.operations);
    expect(live).toMatchObject({ build: 1, stage: 'live', done: 1, etaMs: null });
    expect(own).toMatchObject({
      build: 2,
      obstacle: '1 of 97 rows differ from build 1, which is read',
      startedBy: 'ada',
      reason: 'a row is wrong',
      // What is stored of a comparison holds no contents.
      finding: {
        verdict: 'differs',
        sample: [{ key: ['t7'], columns: ['amounts'], live: null, build: null }],
      },
    });
    expect(await compare(app)).toMatchObject({
      verdict: 'differs',
      different: 1,
      sample: [{ key: ['t7'], where: 'both', columns: ['amounts'], live: { amounts: 'wrong' } }],
    });
    await expect(switchProjection(act(app))).rejects.toMatchObject({ code: 'PROJECTION_SWITCH_REFUSED' });
    // Two late events of the build that is read, and what an older release has sampled of the other one.
    await app.rows(`with hours as (insert into factline.objective_hours (consumer_id, hour, events, late, quarantined, sampled_to, sampled_at)
        select id, now(), 9, build * 2, 0, 1, now() from factline.consumers)
      insert into factline.objective_minutes (consumer_id, sampled_at, covered_ms, events, late, quarantined, lag_ms, unhandled, behind)
        select id, now(), 1, 9, build * 2, 0, 0, 0, 0 from factline.consumers`);
    await switchProjection(act(app, { accepted: true, reason: 'the log is right' }));
    expect(await sampledLate(app)).toEqual([{ build: 2, hours: 2, minutes: 2 }]);
    expect((await rowsOf(app))[0]).not.toMatchObject({ amounts: 'wrong' });
    // Fed on: an event after the switch is in both.
    const token = await app.publish(counted('t8', 9999));
    expect((await app.read(things, { thing: 't8' }, { token }))?.amounts).toMatch(/ 9999 $/);
    await app.engine.idle();
    await rollBackProjection(act(app, { reason: 'only a drill' }));
    expect(await sampledLate(app)).toEqual([{ build: 1, hours: 2, minutes: 2 }]);
    expect((await app.read(things, { thing: 't8' }, { token }))?.amounts).toMatch(/ 9999 $/);
    expect((await app.read(things, { thing: 't7' }))?.amounts).toBe('wrong');
    await rollBackProjection(act(app));
    expect(await stageOf(app, 1)).toBe('standby');
    await retireProjection({ ...act(app), role: 'to go back to' });
    expect(await keptFor(app, 1)).toEqual(nothing);
    await expect(rollBackProjection(act(app))).rejects.toThrow(
      /has no build to go back to; there are: 2 \(live\)/,
    );
    expect(
      await app.rows("select act, actor, reason, details->>'to' as to from factline.audit order by number"),
    ).toEqual([
      { act: 'projection.switch', actor: 'ada', reason: 'the log is right', to: '2' },
      { act: 'projection.rollback', actor: 'ada', reason: 'only a drill', to: '1' },
      { act: 'projection.rollback', actor: 'ada', reason: null, to: '2' },
      { act: 'projection.retire', actor: 'ada', reason: null, to: null },
    ]);
  });

  test('how far it is, is known to whoever may only read the tables', async () => {
    const app = await launch();
    await publishMany(app, 100);
    await app.engine.idle();
    await app.rows(`do $$ begin create role factline_test_viewer; exception when duplicate_object then null; end $$;
      grant usage on schema factline to factline_test_viewer; grant select on all tables in schema factline to factline_test_viewer;
      revoke all on factline.events_position_seq from factline_test_viewer`);
    const client = await app.database.operations.connect();
    try {
      await client.query('set role factline_test_viewer');
      expect(await listBuilds(client, 'things')).toMatchObject([{ build: 1, head: 100, done: 1 }]);
    } finally {
      await client.query('reset role');
      client.release();
    }
  });

  test('fills over lanes that two processes share, keeps the order of every key, and goes live by itself', {
    timeout: 40_000,
  }, async () => {
    const app = await launch();
    await publishMany(app, 5000);
    await app.engine.idle();
    const other = await launch();
    expect(await app.ask('things', 'rebuild', { arguments: { shards: 4 } })).toMatchObject({
      state: 'done',
      answer: { build: 2, shards: 4 },
    });
    await publishMany(app, 3000, 5000);
    await until(async () => (await stageOf(app, 2)) === 'live');
    await other.publish(counted('t1', 8000));
    await app.engine.idle();
    await other.engine.idle();
    const rows = await rowsOf(app);
    expect(rows).toEqual(await rowsOf(app, 'factline.things__b1'));
    const t3 = Array.from({ length: 8000 }, (_, n) => n).filter((n) => n % 97 === 3);
    expect(rows.find(({ thing }) => thing === 't3')).toEqual({
      thing: 't3',
      events: t3.length,
      amounts: `${t3.join(' ')} `,
    });
    expect(
      await app.rows(
        'select lane, l.generation from factline.lanes l join factline.consumers k on k.id = l.consumer_id where build = 2',
      ),
    ).toEqual([{ lane: 0, generation: 2 }]);
  });

  test('--no-switch: it waits, fed, until a person says so', async () => {
    const app = await launch();
    await publishMany(app, 100);
    await app.ask('things', 'rebuild', { arguments: { switching: 'manual' } });
    await until(async () => (await stageOf(app, 2)) === 'ready');
    await publishMany(app, 100, 100);
    await app.engine.idle();
    expect((await compare(app)).verdict).toBe('equal');
    expect(await stageOf(app, 2)).toBe('ready');
    expect(
      app.engine
        .running()
        .find(({ consumer }) => consumer.build === 2)
        ?.progress.reasons.join(),
    ).toMatch(/is ready; the view moves with: factline projection switch things/);
    await switchProjection(act(app));
    expect(await stageOf(app, 2)).toBe('live');
    expect(await app.ask('things', 'rebuild', { arguments: { shards: 0 } })).toMatchObject({
      state: 'refused',
    });
  });

  test('the old build stays fed while the new one is live: nobody has asked for the way back yet, also after a restart', async () => {
    const app = await launch();
    await publishMany(app, 200);
    await app.ask('things', 'rebuild', { arguments: { switching: 'manual' } });
    await until(async () => (await stageOf(app, 2)) === 'ready');
    await switchProjection(act(app));
    expect(await stageOf(app, 1)).toBe('standby');
    const old = (from: ProjectionProcess) => rowsOf(from, 'factline.things__b1');
    const upToNow = async (from: ProjectionProcess): Promise<void> => {
      const [sum] = await from.rows('select count(*)::int as events from factline.events');
      const eventsIn = (rows: Record<string, unknown>[]): number =>
        rows.reduce((all, row) => all + Number(row['events']), 0);
      await until(async () => {
        const [mine, read] = [await old(from), await rowsOf(from)];
        return [mine, read].every((rows) => eventsIn(rows) === sum?.['events']);
      });
      expect(await old(from)).toEqual(await rowsOf(from));
    };
    await publishMany(app, 200, 200);
    await upToNow(app);
    await app.stop();
    const next = await launch();
    await publishMany(next, 200, 400);
    await upToNow(next);
    expect(await stageOf(next, 1)).toBe('standby');
  });

  test('is never read while it lacks what readers have seen', { timeout: 40_000 }, async () => {
    const app = await launch();
    await publishMany(app, 100);
    await app.ask('things', 'rebuild', { arguments: { switching: 'manual' } });
    await until(async () => (await stageOf(app, 2)) === 'ready');
    await app.engine.idle();
    // Its lane is held by somebody: it cannot commit.
    const holder = await app.database.transactions.connect();
    await holder.query('begin');
    await holder.query(
      `select from factline.lanes where consumer_id = (select id from factline.consumers where build = 2) for update`,
    );
    const token = await app.publish(counted('t1', 4711));
    expect((await app.read(things, { thing: 't1' }, { token }))?.amounts).toMatch(/ 4711 $/);
    await expect(switchProjection(act(app, { withinMs: 100 }))).rejects.toMatchObject({
      code: 'PROJECTION_BUSY',
      details: { reason: 'it is behind the build that is read' },
    });
    await holder.query('commit');
    holder.release();
    await switchProjection(act(app));
    expect((await app.read(things, { thing: 't1' }, { token }))?.amounts).toMatch(/ 4711 $/);
  });

  test('an event that fails only here parks in this build’s name and keeps it from being read, with the reason', async () => {
    let deadly = -1;
    const app = await launch({ definitions: [declare(1, () => deadly)] });
    await publishMany(app, 300);
    await app.engine.idle();
    deadly = 150;
    await app.ask('things', 'rebuild');
    const obstacle = async () => (await listBuilds(app.database.operations, 'things'))[1]?.obstacle;
    await until(async () => (await obstacle()) !== null);
    const [parked] = await app.rows(
      `select p.id::int, k.build, p.state from factline.parked p join factline.consumers k on k.id = p.consumer_id where p.state = 'quarantined'`,
    );
    expect(parked).toMatchObject({ build: 2 });
    // 150, and 247 behind it.
    expect(await obstacle()).toBe(
      `2 events that build 1 has handled did not pass here (1 in quarantine); begin with #${parked?.['id']}`,
    );
    await expect(switchProjection(act(app))).rejects.toMatchObject({ code: 'PROJECTION_SWITCH_REFUSED' });
    expect(await stageOf(app, 1)).toBe('live');
    deadly = -1;
    await app.ask('things', 'retry', { id: Number(parked?.['id']) });
    await until(async () => (await stageOf(app, 2)) === 'live');
    expect(await rowsOf(app)).toEqual(await rowsOf(app, 'factline.things__b1'));
  });
});

describe('cancelling', () => {
  test.each([
    'projection.before-commit',
    'projection.before-merge',
    'projection.after-merge',
    'projection.before-compare',
    'projection.before-switch',
  ])('at %s leaves nothing, and the next rebuild begins anew', { timeout: 40_000 }, async (step) => {
    const app = await launch();
    await publishMany(app, 1000);
    await app.engine.idle();
    await app.stop();
    processes = [];
    const reached = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    let armed = false;
    const next = await launch({
      testStep: (name) => {
        if (name !== step || !armed) return undefined;
        reached.resolve();
        return go.promise;
      },
    });
    await next.engine.idle();
    armed = true;
    await next.ask('things', 'rebuild', { arguments: { shards: 3 } });
    await reached.promise;
    const cancelling = retireProjection({ ...act(next), role: 'on its way' });
    await cancelling;
    armed = false;
    go.resolve();
    await until(async () => next.engine.running().length === 1);
    expect(await keptFor(next, 2)).toEqual(nothing);
    await next.publish(counted('t1', 7));
    await next.engine.idle();
    expect(await next.rows('select sum(events)::int as events from things')).toEqual([{ events: 1001 }]);
    await next.ask('things', 'rebuild');
    await until(async () => (await stageOf(next, 3)) === 'live');
    expect(await keptFor(next, 2)).toEqual(nothing);
  });
});

describe('readers', () => {
  test('see rows at every moment of a switch, also beside a transaction that holds the view', {
    timeout: 40_000,
  }, async () => {
    const app = await launch();
    await publishMany(app, 500);
    await app.engine.idle();
    let reading = true;
    const counts = new Set<unknown>();
    let reads = 0;
    const hammer = async (): Promise<void> => {
      while (reading) {
        counts.add((await app.database.readers.query('select count(*)::int as n from things')).rows[0].n);
        reads += 1;
      }
    };
    const hammers = [hammer(), hammer()];
    const holder = await app.database.transactions.connect();
    await holder.query('begin');
    await holder.query('select count(*) from things');
    await app.ask('things', 'rebuild');
    await until(async () => (await listBuilds(app.database.operations, 'things'))[1]?.stage === 'ready');
    await until(async () =>
      /holds the view/.test((await listBuilds(app.database.operations, 'things'))[1]?.obstacle ?? ''),
    );
    const before = reads;
    // Live writers go on beside it, and reading one's own writes works.
    const token = await app.publish(counted('t0', 1));
    expect((await app.read(things, { thing: 't0' }, { token }))?.amounts).toMatch(/ 1 $/);
    expect(await stageOf(app, 2)).toBe('ready');
    await until(async () => reads > before + 20);
    await holder.query('commit');
    holder.release();
    await until(async () => (await stageOf(app, 2)) === 'live');
    const own = await app.publish(counted('t0', 2));
    expect((await app.read(things, { thing: 't0' }, { token: own }))?.amounts).toMatch(/ 1 2 $/);
    reading = false;
    await Promise.all(hammers);
    expect([...counts]).toEqual([97]);
  });
});

describe('another version', () => {
  test('goes live by itself when its code starts; back to the one before is possible while older code feeds it', {
    timeout: 40_000,
  }, async () => {
    const old = await launch();
    await publishMany(old, 300);
    await old.engine.idle();
    const next = await launch({ definitions: [declare(2)] });
    await until(async () => (await stageOf(next, 2)) === 'live');
    expect(await stageOf(next, 1)).toBe('standby');
    expect(await compare(next)).toMatchObject({
      verdict: 'differs',
      different: 97,
      columns: ['thing', 'events', 'amounts'],
    });
    await rollBackProjection(act(next));
    expect((await rowsOf(old))[0]).toMatchObject({ thing: 't0', amounts: '0 97 194 291 ' });
    // Code of version 2 goes on feeding its build and does not take the view back by itself.
    await next.publish(counted('t0', 5));
    await next.engine.idle();
    expect(await stageOf(next, 2)).toBe('standby');
    await rollBackProjection(act(next));
    await old.stop();
    await next.publish(counted('t0', 6));
    await next.engine.idle();
    await until(async () => (await listBuilds(next.database.operations, 'things'))[0]?.fed === false);
    await expect(rollBackProjection(act(next))).rejects.toThrow(
      /no running process has code for its version 1/,
    );
    processes = [next];
    // The older release comes back: its build catches up, and the way back is open again.
    const again = await launch();
    await again.engine.idle();
    await rollBackProjection(act(again));
    expect((await rowsOf(again))[0]).toMatchObject({ amounts: '0 97 194 291 5 6 ' });
  });

  test('a deploy in the middle of a rebuild: the newer version goes live, and what was being rebuilt is given up once its code is gone', {
    timeout: 40_000,
  }, async () => {
    let hold = true;
    const old = await launch({
      testStep: (step) =>
        step === 'projection.before-compare' && hold ? until(async () => !hold) : undefined,
    });
    await publishMany(old, 500);
    await old.engine.idle();
    await old.ask('things', 'rebuild', { arguments: { shards: 2 } });
    await until(async () => (await stageOf(old, 2)) === 'checking');
    const next = await launch({ definitions: [declare(2)] });
    await until(async () => (await stageOf(next, 3)) === 'live');
    hold = false;
    await until(async () => (await stageOf(next, 2)) === 'ready');
    expect(
      (await listBuilds(next.database.operations, 'things')).map(({ build, stage }) => [build, stage]),
    ).toEqual([
      [1, 'standby'],
      [2, 'ready'],
      [3, 'live'],
    ]);
    await old.stop();
    processes = [next];
    // Whoever takes the live build's lane next clears up.
    await next.stop();
    processes = [];
    const again = await launch({ definitions: [declare(2)] });
    await until(async () => (await stageOf(again, 2)) === undefined);
    expect(await keptFor(again, 2)).toEqual(nothing);
    expect(await stageOf(again, 1)).toBe('standby');
  });
});

describe('an event whose row is not of its own key', () => {
  const Renamed = defineEvent({
    type: 'shop.thing.renamed.v1',
    key: 'thing',
    // A schema that makes another value of the key: the row is in lower case, the event's key is not.
    schema: z.object({ thing: z.string(), n: z.int() }),
  });
  const lower = defineProjection({
    name: 'things',
    on: Renamed,
    primaryKey: 'thing',
    columns: { thing: 'uuid', n: 'int4' },
    evolve: (row) => ({ n: (row?.n ?? 0) + 1 }),
  });

  test('is never folded by a lane of others: the build waits, and one lane does it', {
    timeout: 40_000,
  }, async () => {
    const app = await launch({ definitions: [lower] });
    const uuid = '0b5d8a7e-3c1f-4b6a-9f00-00000000000a';
    await app.publish(Renamed({ thing: uuid, n: 1 }), Renamed({ thing: uuid.toUpperCase(), n: 2 }));
    await app.engine.idle();
    await app.ask('things', 'rebuild', { arguments: { shards: 4 } });
    const obstacle = async () => (await listBuilds(app.database.operations, 'things'))[1]?.obstacle ?? '';
    await until(async () => (await obstacle()).includes('1 in quarantine'));
    expect(await app.rows('select error_code from factline.parked_events')).toEqual([
      { error_code: 'PROJECTION_NOT_SHARDABLE' },
    ]);
    const [parked] = await app.rows('select id::int from factline.parked');
    expect(await app.ask('things', 'retry', { id: Number(parked?.['id']) })).toMatchObject({
      state: 'refused',
    });
    await retireProjection({ ...act(app), role: 'on its way' });
    expect(await keptFor(app, 2)).toEqual(nothing);
    await app.ask('things', 'rebuild', { arguments: { shards: 1 } });
    await until(async () => (await stageOf(app, 3)) === 'live');
    expect(await app.rows('select * from things')).toEqual([{ thing: uuid, n: 2 }]);
  });
});
