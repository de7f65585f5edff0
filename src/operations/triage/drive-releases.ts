import type pg from 'pg';
import { engineTransaction, loadQueries, type Queryable, run } from '../../postgres/index.ts';
import { nextReleaseState } from './release-state.ts';
import { type DrivenRelease, rateMax, readReleases } from './releases.ts';

const sql = loadQueries<'active_releases' | 'try_lock' | 'settle' | 'move_on' | 'send'>(
  new URL('./releases.sql', import.meta.url),
);

/** Sent and not ended yet, of one release: what waits for a consumer that is stopped or paused stays bounded. */
const underWayMax = 500;

/**
 * One pass over the releases under way: looks at what the consumers have confirmed, decides, and sends what the pace allows. Any
 * process may call it at any time; one does the work, and everything it knows is in the database. Answers how many are
 * under way.
 */
export const driveReleases = async (pool: pg.Pool): Promise<number> => {
  const active = (await run(pool, sql.active_releases)).map((row) => Number(row['id']));
  if (active.length === 0) return 0;
  await engineTransaction(pool, async (client) => {
    const [lock] = await run(client, sql.try_lock);
    if (lock?.['locked'] !== true) return;
    for (const id of active) await driveOne(client, id);
  });
  return active.length;
};

const driveOne = async (client: Queryable, id: number): Promise<void> => {
  await run(client, sql.settle, [id]);
  const [release] = await readReleases(client, [id]);
  if (release === undefined) return;
  const step = nextReleaseState(release);
  if (step.state !== release.state) await run(client, sql.move_on, [id, step.state, step.reason]);
  const phase = step.state === 'canary' ? 'canary' : step.state === 'releasing' ? 'rest' : null;
  if (phase === null || !release.due) return;
  const events = nextEvents(release, release[phase]);
  if (events > 0) await run(client, sql.send, [id, phase, events]);
};

/** A second's worth: the pass after the next second sends the next. */
const nextEvents = (
  { rate }: DrivenRelease,
  { selected, sent }: { readonly selected: number; readonly sent: number },
): number => Math.min(selected, underWayMax - sent, Math.max(1, Math.floor(Math.min(rate, rateMax))));
