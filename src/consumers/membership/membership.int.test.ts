import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts';
import { createManualClock, systemRandomness } from '../../foundation/index.ts';
import type { SharedSession } from '../../log/index.ts';
import { createDatabase, type Database, loadQueries, type Session } from '../../postgres/index.ts';
import { Liveness } from './liveness.ts';
import { Membership, sessionLockSpace } from './membership.ts';
import type { SeenProcess } from './picture.ts';
import { runningCode } from './running-code.ts';

const sql = loadQueries<'beat'>(new URL('./membership.sql', import.meta.url));
const app = { name: 'shop', source: 'shop', codeVersion: '1', projectionSchema: 'public' };
const clock = createManualClock();
let test_: TestDatabase;
let database: Database;
let sessions: Session[] = [];

/** A process as far as membership is concerned; behind a pooler the backend is not the one that the client knows. */
const join = async ({ pooled = false } = {}): Promise<{ membership: Membership; session: Session }> => {
  const session = await database.openSession('tail');
  sessions.push(session);
  const shared: Partial<SharedSession> = { connected: true, processId: pooled ? 1 : session.processId };
  const options = {
    database,
    session: shared as SharedSession,
    clock,
    randomness: systemRandomness,
    app,
    code: runningCode([], []),
  };
  const membership = await Membership.join(options);
  await membership.holdSessionLock(session.client);
  return { membership, session };
};

const seen = async (by: Membership, id: number): Promise<SeenProcess | undefined> =>
  (await by.beat({}, [])).processes.find((process) => process.id === id);

beforeEach(async () => {
  test_ = await createTestDatabase({ migrated: true });
  database = createDatabase({ url: test_.url, applicationName: 'membership-test' });
});

afterEach(async () => {
  await Promise.all(sessions.map((session) => session.close()));
  sessions = [];
  await database.stop();
  await test_.drop();
});

test('a process whose connection ends is known to be dead at once', async () => {
  const [one, two] = [await join(), await join()];
  await two.membership.beat({}, []);
  expect(await seen(one.membership, two.membership.id)).toMatchObject({ session: 'held' });
  await two.session.close();
  const liveness = new Liveness();
  const observer = { self: one.membership.id, nowMs: 0 };
  for (let tries = 0; ; tries += 1) {
    const { processes } = await one.membership.beat({}, []);
    const { live } = liveness.observe(processes, observer);
    if (live.length === 1 || tries > 200) {
      expect(live).toEqual([one.membership.id]);
      break;
    }
  }
});

test('behind a pooler only the heartbeat counts', async () => {
  const [one, two] = [await join(), await join({ pooled: true })];
  await two.membership.beat({}, []);
  expect(two.membership.direct).toBe(false);
  expect(await seen(one.membership, two.membership.id)).toMatchObject({ session: 'none' });
});

test('after a crash of the server, which empties session_locks, whoever has lanes is awaited until it holds its lock again', async () => {
  const [one, two, three] = [await join(), await join(), await join()];
  await two.membership.beat({}, []);
  await three.membership.beat({}, []);
  await database.operations.query(
    'insert into factline.lanes (consumer_id, lane, generation, owner) values (1, 0, 1, $1)',
    [two.membership.id],
  );
  const states = async (): Promise<unknown[]> =>
    Promise.all(
      [two, three].map(async ({ membership }) => (await seen(one.membership, membership.id))?.session),
    );
  await Promise.all([two.session.close(), three.session.close()]);
  await vi.waitFor(async () => expect(await states()).toEqual(['ended', 'ended']));
  const { rows } = await database.operations.query(
    `select relpersistence from pg_class where oid = 'factline.session_locks'::regclass`,
  );
  expect(rows).toEqual([{ relpersistence: 'u' }]);
  await database.operations.query('truncate factline.session_locks');
  expect(await states()).toEqual(['awaited', 'ended']);
  const again = await database.openSession('tail');
  sessions.push(again);
  await two.membership.holdSessionLock(again.client);
  expect(await states()).toEqual(['held', 'ended']);
});

test('doubt comes after six seconds without a heartbeat, and goes with the next one', async () => {
  const { membership } = await join();
  await clock.advance(6_000);
  expect(membership.doubt()).toBeNull();
  await clock.advance(1);
  expect(membership.doubt()).toBe('no heartbeat for 6001 ms');
  await membership.beat({}, []);
  expect(membership.doubt()).toBeNull();
});

test('rows of processes that died long ago are forgotten when another one joins, unless they own a lane', async () => {
  const [one, two, three] = [await join(), await join(), await join()];
  const ids = [one, two, three].map(({ membership }) => membership.id);
  await database.operations.query(`update factline.processes set beaten_at = now() - interval '2 days'`);
  await database.operations.query(
    'insert into factline.lanes (consumer_id, lane, generation, owner) values (1, 0, 1, $1)',
    [ids[1]],
  );
  for (const { session } of [one, two]) await session.close();
  // The end of a backend is not instant.
  await new Promise((resolve) => setTimeout(resolve, 300));
  await join();
  const { rows } = await database.operations.query('select id::int from factline.processes order by id');
  expect(rows.map(({ id }) => id)).toEqual([ids[1], ids[2], (ids[2] ?? 0) + 1]);
});

test('the heartbeat tells for which chores there is work', async () => {
  const { membership } = await join();
  const chores = async (): Promise<string[]> => [...(await membership.beat({}, [1])).chores];
  expect(await chores()).toEqual([]);
  const on = database.operations;
  await on.query(
    `insert into factline.replays (app, consumer, consumer_id, class, mode, effects, code_version, planned_by, freeze_number)
     select 'shop', 'c' || n, n, 'operational', 'redeliver', 'skip', '1', 'ada', 1 from generate_series(1, 2) n`,
  );
  const release = (replay: number): Promise<unknown> =>
    on.query(
      `insert into factline.replay_selection (replay_id, freeze_number, position, key_hash, released_at) values ($1, 1, 1, 1, now())`,
      [replay],
    );
  // Of a consumer that this process does not run, or that nobody runs any more.
  await release(2);
  expect(await chores()).toEqual([]);
  await release(1);
  expect(await chores()).toEqual(['replays']);
  await on.query("update factline.replay_selection set outcome = 'handled'");
  expect(await chores()).toEqual([]);
  await on.query(
    `insert into factline.quarantine_release_items (release_id, ordinal, parked_id, position, key, key_hash, phase, state)
     values (1, 1, 1, 1, 'k', 1, 'rest', 'sent')`,
  );
  expect(await chores()).toEqual(['releases']);
});

test('a rebuild that was aborted is a chore until its build is given up', async () => {
  const { membership } = await join();
  const chores = async (): Promise<string[]> => [...(await membership.beat({}, [1])).chores];
  const on = database.operations;
  await on.query(
    `insert into factline.requests (consumer_id, verb, actor, arguments) values (1, 'rebuild', 'ada', '{}')`,
  );
  await on.query(
    `insert into factline.replays (app, consumer, consumer_id, class, mode, effects, code_version, planned_by, request_id)
     values ('shop', 'orders', 1, 'projection', 'blue-green', 'skip', '1', 'ada', 1)`,
  );
  await on.query("update factline.replays set state = 'aborted', ended_at = factline.clock()");
  // Its build may still be made.
  expect(await chores()).toEqual(['rebuilds']);
  await on.query(
    `update factline.requests set state = 'done', answer = '{"build": 2}', answered_at = factline.clock()`,
  );
  await on.query(
    `insert into factline.consumers (app, class, name, build, state, types, lanes, start_position)
     values ('shop', 'projection', 'orders', 1, 'live', '{}', 1, 0), ('shop', 'projection', 'orders', 2, 'building', '{}', 1, 0)`,
  );
  expect(await chores()).toEqual(['rebuilds']);
  await on.query("update factline.consumers set state = 'retired' where build = 2");
  expect(await chores()).toEqual([]);
});

test('the heartbeat reads due work by its indexes, however much is parked', async () => {
  const on = database.operations;
  await on.query(
    `insert into factline.parked (consumer_id, key, key_hash, position, state, reason, next_at)
     select 1, 'k' || n, n, n, 'retrying', 'x', now() + interval '1 day' from generate_series(1, 50000) n`,
  );
  await on.query(
    `insert into factline.requests (consumer_id, verb, actor, state, answered_at)
     select 1, 'x', 'y', 'done', now() from generate_series(1, 20000)`,
  );
  await on.query(
    `insert into factline.replay_selection (replay_id, freeze_number, position, key_hash, released_at, outcome)
     select 1, 1, n, n, now(), 'handled' from generate_series(1, 50000) n`,
  );
  await on.query(
    `insert into factline.quarantine_release_items (release_id, ordinal, parked_id, position, key, key_hash, phase, state)
     select 1, n, n, n, 'k' || n, n, 'rest', 'handled' from generate_series(1, 50000) n`,
  );
  await on.query('analyze');
  const values = [1, true, '{}', 'shop', sessionLockSpace, [1, 2]];
  const { rows } = await on.query(`explain (costs off) ${sql.beat.text}`, values);
  const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
  expect(plan).toMatch(/using parked_due on parked.*\n\s+Index Cond: \(\(consumer_id = .* AND \(next_at <= /);
  expect(plan).toMatch(/using requests_open on requests/);
  expect(plan).toMatch(/using replay_selection_at_work on replay_selection/);
  expect(plan).toMatch(/using quarantine_release_items_sent on quarantine_release_items/);
});
