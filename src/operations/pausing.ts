import type pg from 'pg';
import { loadQueries, run } from '../postgres/index.ts';
import { engineActor, perform } from '../replay/index.ts';

const sql = loadQueries<'due_pauses' | 'resume_due'>(new URL('./pausing.sql', import.meta.url));

/**
 * Lets consumers go on whose pause was given an end, each on record. Any process may call it at any time. Answers their names.
 */
export const resumeDue = async (pool: pg.Pool, app: string): Promise<readonly string[]> => {
  const resumed: string[] = [];
  for (const { id, name, paused_by: by, paused_reason: reason } of await run(pool, sql.due_pauses, [app])) {
    const done = await perform(
      pool,
      {
        actor: engineActor('the end of a pause'),
        act: 'consumer.resume',
        target: `consumer ${name}`,
        reason: 'the time of the pause is over',
        details: (resumedNow) => ({ pausedBy: by, pausedFor: reason, resumed: resumedNow }),
      },
      async (client) => (await run(client, sql.resume_due, [id])).length > 0,
    );
    if (done) resumed.push(String(name));
  }
  return resumed;
};
