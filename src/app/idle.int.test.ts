import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { createTestDatabase } from '../../test/database.ts';
import { createFactline, defineEvent, defineHandler } from '../index.ts';
import { createDatabase, type Queryable } from '../postgres/index.ts';

const ThingHappened = defineEvent({
  type: 'idle.thing.happened.v1',
  schema: z.object({ id: z.string() }),
  key: 'id',
});

const seconds = 20;
/** A look at the log a second, a heartbeat every two, and what the turn of the alerts measures every ten. */
const statementsMax = 2 * seconds;

/** The event is handled by all, the marks are past it, and what proved it is pruned. */
const allIsDone = async (on: Queryable): Promise<void> => {
  for (;;) {
    const { rows } = await on.query(
      `select bool_and(position >= (select max(position) from factline.events))
              and not exists (select from factline.inbox) as done from factline.checkpoints`,
    );
    if (rows[0]?.['done'] === true) return;
    await sleep(200);
  }
};

it('an idle process with ten consumers sends at most two statements a second (hatchet#2538)', {
  timeout: 60_000,
}, async () => {
  const testDatabase = await createTestDatabase({ migrated: true });
  const database = createDatabase({ url: testDatabase.url, applicationName: 'counting' });
  const app = createFactline({
    name: 'idle',
    database: testDatabase.url,
    consumers: Array.from({ length: 10 }, (_, index) =>
      defineHandler({ name: `idle-${index}`, on: ThingHappened, handle: async () => {} }),
    ),
  });
  onTestFinished(async () => {
    await app.stop();
    await database.stop();
    await testDatabase.drop();
  });
  await app.start();
  await app.publish(ThingHappened({ id: 'one' }));
  await database.operations.query('create extension pg_stat_statements');
  await allIsDone(database.operations);
  await database.operations.query('select pg_stat_statements_reset()');
  await sleep(seconds * 1_000);
  const { rows } = await database.operations.query<{ calls: string; query: string }>(
    `select s.calls, left(regexp_replace(s.query, '\\s+', ' ', 'g'), 120) as query
       from pg_stat_statements s join pg_database d on d.oid = s.dbid
      where d.datname = current_database() and s.query not like '%pg_stat_statements%' order by s.calls desc`,
  );
  const sent = rows.reduce((sum, { calls }) => sum + Number(calls), 0);
  expect(sent, rows.map(({ calls, query }) => `${calls} ${query}`).join('\n')).toBeLessThanOrEqual(
    statementsMax,
  );
});
