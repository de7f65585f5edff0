import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts';
import {
  createProjectionProcess,
  type ProjectionProcess,
} from '../../../test/projection/projection-process.ts';
import { Counted, tally, tallyBySql } from '../../../test/projection/tallies.ts';
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
const runUntilKilled = async (step: ProjectionStep, times: number): Promise<string | null> => {
  const child = spawn(
    process.execPath,
    ['--conditions=factline-source', '--no-warnings', script, database.url, step, String(times)],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
  return signal;
};

const things = 7;

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
    if (step.includes('switch')) {
      await publisher.start();
      await publisher.engine.idle();
      await publisher.engine.stop();
      await publisher.rows(
        `insert into factline.requests (consumer_id, verb, actor) select id, 'rebuild', 'test' from factline.consumers where name = 'tally'`,
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
    if (step.includes('switch')) {
      while ((await next.rows(`select from factline.consumers where state = 'building'`)).length > 0)
        await next.engine.idle();
      expect(await rowsOf('tally')).toEqual(expected);
      expect(
        await next.rows(`select build from factline.consumers where name = 'tally' and state = 'live'`),
      ).toEqual([{ build: 2 }]);
    }
  },
);
