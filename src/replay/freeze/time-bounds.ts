import { loadQueries, type Queryable, run } from '../../postgres/index.ts';

const sql = loadQueries<'position_at'>(new URL('./freeze.sql', import.meta.url));

/** Times of recording grow with positions, but for transactions side by side and a clock that was set back: this much is allowed for. */
const slackMs = 3_600_000;

/**
 * The lowest position whose event may have been recorded at `time` or later, less the slack; `end` when there is none. No index leads by
 * time, so it is found by halving over the primary key.
 */
const firstAt = async (on: Queryable, timeMs: number, end: number): Promise<number> => {
  let low = 1;
  let high = end + 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const [row] = await run(on, sql.position_at, [middle]);
    if (
      row === undefined ||
      Number(row['position']) > end ||
      Date.parse(String(row['recorded_at'])) >= timeMs
    )
      high = middle;
    else low = Number(row['position']) + 1;
  }
  return low;
};

export interface TimeBounds {
  readonly since: string | null;
  readonly until: string | null;
  readonly from: number;
  readonly to: number;
}

/** The part of a range of positions that has to be looked at for events of that time; the exact times are compared there. */
export const positionsWithin = async (
  on: Queryable,
  { since, until, from, to }: TimeBounds,
): Promise<{ readonly from: number; readonly to: number }> => {
  const first = since === null ? from : await firstAt(on, Date.parse(since) - slackMs, to);
  const last = until === null ? to : (await firstAt(on, Date.parse(until) + slackMs, to)) - 1;
  return { from: Math.max(from, first), to: Math.min(to, last) };
};
