import type pg from 'pg';
import { loadQueries, type NamedQuery, type Row, run } from '../postgres/index.ts';
import { engineActor, perform } from '../replay/index.ts';

const sql = loadQueries<'due_pauses' | 'due_parts' | 'resume_due' | 'resume_part_due'>(
  new URL('./pausing.sql', import.meta.url),
);

/**
 * Lets consumers, types and keys go on whose pause was given an end, each on record. Any process may call it at any time. Answers what
 * goes on: `payment`, `payment: key A1`.
 */
export const resumeDue = async (pool: pg.Pool, app: string): Promise<readonly string[]> => {
  const resumed: string[] = [];
  for (const row of await run(pool, sql.due_pauses, [app])) {
    const { id, name, paused_by: by, paused_reason: reason } = row;
    const target = { name: String(name), part: null, by, reason };
    if (await resume(pool, { query: sql.resume_due, values: [id] }, target)) resumed.push(String(name));
  }
  for (const row of await run(pool, sql.due_parts, [app])) {
    const { id, name, scope, value, actor, reason } = row;
    const part = `${scope} ${value}`;
    const target = { name: String(name), part, by: actor, reason };
    if (await resume(pool, { query: sql.resume_part_due, values: [id, scope, value] }, target))
      resumed.push(`${name}: ${part}`);
  }
  return resumed;
};

interface Target {
  readonly name: string;
  readonly part: string | null;
  readonly by: Row[string];
  readonly reason: Row[string];
}

const resume = (
  pool: pg.Pool,
  { query, values }: { readonly query: NamedQuery; readonly values: unknown[] },
  { name, part, by, reason }: Target,
): Promise<boolean> =>
  perform(
    pool,
    {
      actor: engineActor('the end of a pause'),
      act: 'consumer.resume',
      target: `consumer ${name}`,
      reason: 'the time of the pause is over',
      details: (resumed) => ({ part, pausedBy: by, pausedFor: reason, resumed }),
    },
    async (client) => (await run(client, query, values)).length > 0,
  );
