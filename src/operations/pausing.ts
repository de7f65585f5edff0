import type pg from 'pg';
import { loadQueries, type NamedQuery, type Row, run } from '../postgres/index.ts';
import { engineActor, perform } from '../replay/index.ts';
import { countBuffers, isExceeded, readBuffers } from './pause-buffers.ts';

const sql = loadQueries<
  'due_pauses' | 'due_parts' | 'resume_due' | 'resume_part_due' | 'resume_full' | 'resume_part_full'
>(new URL('./pausing.sql', import.meta.url));

/**
 * Lets consumers, types and keys go on whose pause was given an end, each on record: a time that is over, or a number of events that more
 * than so many have come. Any process may call it at any time. Answers what goes on: `payment`, `payment: key A1`.
 */
export const resumeDue = async (pool: pg.Pool, app: string): Promise<readonly string[]> => {
  const ended: Ended[] = [];
  for (const row of await run(pool, sql.due_pauses, [app])) {
    const { id, name, paused_by: by, paused_reason: reason } = row;
    const given = { name: String(name), part: null, by, reason, because: overTime };
    ended.push({ ...given, query: sql.resume_due, values: [id] });
  }
  for (const row of await run(pool, sql.due_parts, [app])) {
    const { id, name, scope, value, actor: by, reason } = row;
    const given = { name: String(name), part: `${scope} ${value}`, by, reason, because: overTime };
    ended.push({ ...given, query: sql.resume_part_due, values: [id, scope, value] });
  }
  ended.push(...(await overfull(pool, app)));
  const resumed: string[] = [];
  for (const each of ended)
    if (await resume(pool, each)) resumed.push(each.part === null ? each.name : `${each.name}: ${each.part}`);
  return resumed;
};

/** A pause that ends now. */
interface Ended {
  readonly name: string;
  readonly part: string | null;
  readonly by: Row[string];
  readonly reason: Row[string];
  readonly because: string;
  readonly query: NamedQuery;
  readonly values: readonly unknown[];
}

const overTime = 'the time of the pause is over';

const overfull = async (pool: pg.Pool, app: string): Promise<Ended[]> => {
  await countBuffers(pool, app);
  const buffers = await readBuffers(pool, app);
  return buffers
    .filter(({ buffer }) => buffer.resumes && isExceeded(buffer))
    .map(({ consumerId, consumer: name, scope, value, pausedAt, by, reason, buffer }) => {
      const because = `more events came than the pause may buffer: ${buffer.events} of ${buffer.max}`;
      return scope === 'consumer'
        ? { name, part: null, by, reason, because, query: sql.resume_full, values: [consumerId, pausedAt] }
        : {
            ...{ name, part: `${scope} ${value}`, by, reason, because },
            query: sql.resume_part_full,
            values: [consumerId, scope, value, pausedAt],
          };
    });
};

const resume = (pool: pg.Pool, { name, part, by, reason, because, query, values }: Ended): Promise<boolean> =>
  perform(
    pool,
    {
      actor: engineActor('the end of a pause'),
      act: 'consumer.resume',
      target: `consumer ${name}`,
      reason: because,
      details: (resumed) => ({ part, pausedBy: by, pausedFor: reason, resumed }),
    },
    async (client) => (await run(client, query, [...values])).length > 0,
  );
