import type pg from 'pg';
import { loadQueries, type Queryable, type Row, run } from '../../postgres/index.ts';
import type { Replay } from '../request/replay.ts';

const sql = loadQueries<
  'settle_released' | 'release_facts' | 'ask_for_release' | 'unreleased' | 'withdraw_releases'
>(new URL('./release.sql', import.meta.url));

type Released = Pick<Replay, 'id' | 'freeze' | 'consumerId' | 'requestedBy' | 'plannedBy'>;

/** What the consumers have made of what was released so far, as `run_facts` says it of what is delivered again. */
export const releaseFacts = async (pool: pg.Pool, replay: Released): Promise<Row> => {
  const { id, freeze, consumerId } = replay;
  await settleReleased(pool, [consumerId]);
  const [facts = {}] = await run(pool, sql.release_facts, [id, freeze, consumerId]);
  if (Number(facts['unheard']) > 0) await askForRelease(pool, replay, []);
  return facts;
};

/** Notes what the consumers have made of what was released to them, under way or not. */
export const settleReleased = async (on: Queryable, consumerIds: readonly number[]): Promise<void> => {
  await run(on, sql.settle_released, [consumerIds]);
};

/** Asks the owners of the lanes to let go of these, and of what they did not let go of before. */
export const askForRelease = async (
  on: Queryable,
  { id, freeze, consumerId, requestedBy, plannedBy }: Released,
  positions: readonly number[],
): Promise<void> => {
  const who = requestedBy ?? plannedBy;
  await run(on, sql.ask_for_release, [id, freeze, consumerId, positions, who, `replay ${id}`]);
};

/** Selected events that were neither handled, nor failed again, nor discarded. */
export const unreleased = async (
  on: Queryable,
  { id, freeze }: Pick<Replay, 'id' | 'freeze'>,
): Promise<Row | undefined> => (await run(on, sql.unreleased, [id, freeze]))[0];

export const withdrawReleases = async (on: Queryable, consumerIds: readonly number[]): Promise<void> => {
  await run(on, sql.withdraw_releases, [consumerIds]);
};
