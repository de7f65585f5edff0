import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts';
import {
  createProjectionProcess,
  type ProjectionProcess,
} from '../../../test/projection/projection-process.ts';
import { Counted, deadlyAmount, tally, tallyBySql } from '../../../test/projection/tallies.ts';
import { type ProjectionStep, projectionSteps } from './steps.ts';

const script = fileURLToPath(new URL('../../../test/projection/killed-process.ts', import.meta.url));
const definitions = [tally, tallyBySql];

let database: TestDatabase;
let processes: ProjectionProcess[] = [];

const make = (): ProjectionProcess => {
  const made = createProjectionProcess({ url: database.url, definitions });
  processes.push(made);
  return made;
};

/** Resolves when the child has ended: by its own kill -9, or not at all. */
const runUntilKilled = async (
  step: ProjectionStep | 'idle' | 'beside',
  times: number,
  environment = {},
): Promise<string | null> => {
  const child = spawn(
    process.execPath,
    ['--conditions=factline-source', '--no-warnings', script, database.url, step, String(times)],
    { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, ...environment } },
  );
  const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
  return signal;
};

const things = 7;

/** Steps that only a build comes to which is made beside the one that is read; by three lanes, where it is about lanes. */
const rebuildSteps = /merge|compare|switch/;

beforeEach(async () => {
  database = await createTestDatabase({ migrated: true });
});

afterEach(async () => {
  await Promise.all(processes.map((each) => each.stop()));
  processes = [];
  await database.drop();
});

test.each(
  projectionSteps
    .flatMap((step) => [1, 2].map((times) => ({ step, times })))
    .filter(({ step, times }) => times === 1 || step === 'projection.before-commit'),
)(
  'killed at $step, time $times: every event counts once, in order',
  { timeout: 60_000 },
  async ({ step, times }) => {
    const publisher = make();
    await publisher.engine.register();
    const drafts = Array.from({ length: 210 }, (_, n) =>
      Counted({ thing: `t${n % things}`, amount: n, flaky: step.includes('drain') && n % 50 === 0 }),
    );
    for (let from = 0; from < drafts.length; from += 70)
      await publisher.publish(...drafts.slice(from, from + 70));
    if (rebuildSteps.test(step)) {
      await publisher.start();
      await publisher.engine.idle();
      await publisher.engine.stop();
      await publisher.rows(
        `insert into factline.requests (consumer_id, verb, actor, arguments) select id, 'rebuild', 'test', $1 from factline.consumers where name = 'tally'`,
        [JSON.stringify(step.includes('switch') ? {} : { shards: 3 })],
      );
    }
    expect(await runUntilKilled(step, times)).toBe('SIGKILL');
    const next = make();
    await next.start();
    await next.publish(Counted({ thing: 't0', amount: 999, flaky: false }));
    const expected = Array.from({ length: things }, (_, thing) => {
      const amounts = drafts.flatMap((_, n) => (n % things === thing ? [n] : []));
      if (thing === 0) amounts.push(999);
      return { thing: `t${thing}`, events: amounts.length, amounts: `${amounts.join(' ')} ` };
    });
    const rowsOf = (view: string) => next.rows(`select * from ${view} order by thing`);
    while ((await next.rows('select from factline.parked limit 1')).length > 0) await next.engine.idle();
    await next.engine.idle();
    expect(await rowsOf('tally')).toEqual(expected);
    expect(await rowsOf('tally_sql')).toEqual(expected);
    if (rebuildSteps.test(step)) {
      while (
        (await next.rows(`select from factline.builds where stage = 'live'`)).length < 2 ||
        (await next.rows(`select from factline.builds where stage not in ('live', 'standby')`)).length > 0
      )
        await next.engine.idle();
      expect(await rowsOf('tally')).toEqual(expected);
      expect(
        await next.rows(`select build from factline.consumers where name = 'tally' and state = 'live'`),
      ).toEqual([{ build: 2 }]);
    }
  },
);

test('events that two processes have died beside are handled in groups: none of them was to blame', {
  timeout: 60_000,
}, async () => {
  const publisher = make();
  await publisher.engine.register();
  await publisher.publish(
    ...Array.from({ length: 600 }, (_, n) => Counted({ thing: `t${n % things}`, amount: n, flaky: false })),
  );
  expect(await runUntilKilled('projection.before-commit', 1)).toBe('SIGKILL');
  // As if another one had died there before, for both consumers; the next is the one after it.
  await publisher.rows('update factline.checkpoints set dead_owners = 1');
  let commits = 0;
  const next = createProjectionProcess({
    url: database.url,
    definitions,
    testStep: (step) => {
      if (step === 'projection.before-commit') commits += 1;
    },
  });
  processes.push(next);
  await next.start();
  await next.engine.idle();
  expect(await next.rows('select sum(events)::int as events from tally')).toEqual([{ events: 600 }]);
  expect(await next.rows('select sum(events)::int as events from tally_sql')).toEqual([{ events: 600 }]);
  // 600 of two consumers by 128; one by one they would be 1,200.
  expect(commits).toBeLessThanOrEqual(12);
  expect(await next.rows('select distinct dead_owners from factline.checkpoints')).toEqual([
    { dead_owners: 0 },
  ]);
});

test('an event that takes the process down is quarantined after three recorded deaths; everything else is handled', {
  timeout: 120_000,
}, async () => {
  const publisher = make();
  await publisher.engine.register();
  const amounts = Array.from({ length: 40 }, (_, n) => (n === 17 ? deadlyAmount : n));
  await publisher.publish(
    ...amounts.map((amount, n) => Counted({ thing: `t${n % 4}`, amount, flaky: false })),
  );
  // 17, 21, 25 … 37 have the deadly event's key and wait.
  const done = [{ events: 34 }, { events: 34 }];
  for (let runs = 0, seen: unknown[] = []; JSON.stringify(seen) !== JSON.stringify(done); runs += 1) {
    // Two consumers share the process: which of them it dies in is chance.
    expect(runs).toBeLessThan(60);
    await runUntilKilled('idle', 0, { TALLY_DEADLY: '1' });
    seen = await publisher.rows(
      'select sum(events)::int as events from tally union all select sum(events)::int from tally_sql',
    );
  }
  expect(
    await publisher.rows(`select k.name, p.position::int, p.key, e.error_code, e.killed_attempts from factline.parked p
    join factline.consumers k on k.id = p.consumer_id join factline.parked_events e using (consumer_id, position) where p.state = 'quarantined' order by 1`),
  ).toEqual([
    { name: 'tally', position: 18, key: 'thing=t1', error_code: 'KILLED_PROCESS', killed_attempts: 0 },
    { name: 'tally_sql', position: 18, key: 'thing=t1', error_code: 'KILLED_PROCESS', killed_attempts: 0 },
  ]);
  // What was recorded of events that proved harmless is gone.
  expect(
    await publisher.rows(
      'select position from factline.parked_events e where not exists (select from factline.parked p where (p.consumer_id, p.position) = (e.consumer_id, e.position))',
    ),
  ).toEqual([]);
  // Corrected code, a person's retry.
  const next = make();
  await next.start();
  for (const { id } of await next.rows(`select id from factline.parked where state = 'quarantined'`))
    await next.rows(
      `insert into factline.requests (consumer_id, verb, parked_id, actor) select consumer_id, 'retry', id, 'test' from factline.parked where id = $1`,
      [id],
    );
  await next.rows(`select pg_notify('factline_requests', '0')`);
  while ((await next.rows('select from factline.parked limit 1')).length > 0) await next.engine.idle();
  expect(await next.rows(`select amounts from tally where thing = 't1'`)).toEqual([
    { amounts: '1 5 9 13 666 21 25 29 33 37 ' },
  ]);
});

test('an event that another projection runs beside the deadly one is not taken for a deadly one', {
  timeout: 120_000,
}, async () => {
  const publisher = make();
  await publisher.engine.register();
  await publisher.publish(Counted({ thing: 't', amount: 1, flaky: false }));
  for (let runs = 0, ended: string | null = 'SIGKILL'; ended === 'SIGKILL'; runs += 1) {
    expect(runs).toBeLessThan(20);
    ended = await runUntilKilled('beside', 0);
  }
  expect(
    await publisher.rows(
      `select k.name, p.key from factline.parked p join factline.consumers k on k.id = p.consumer_id where p.state = 'quarantined'`,
    ),
  ).toEqual([{ name: 'deadly', key: 'thing=t' }]);
});
