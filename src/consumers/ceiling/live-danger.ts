import { loadQueries, type Queryable, run } from '../../postgres/index.ts';

const sql = loadQueries<'live_danger'>(new URL('./live-danger.sql', import.meta.url));

/** The live consumer that is closest to breaking its promise. */
export interface LiveDanger {
  readonly consumer: string | null;
  /** The age of its oldest unhandled event as a share of what was promised; 0 when nothing waits. */
  readonly danger: number;
  /** What was promised; missing where nothing waits. */
  readonly promisedMs?: number;
}

const rowsLookedAt = 1000;
/** As for lag: who promised nothing is late after a minute. */
const promisedMsDefault = 60_000;
/** What transactions that commit side by side may differ by. */
const clockSkewMs = 2_000;

export const readLiveDanger = async (on: Queryable): Promise<LiveDanger> => {
  const [row] = await run(on, sql.live_danger, [rowsLookedAt, promisedMsDefault]);
  if (row === undefined) return { consumer: null, danger: 0 };
  const promisedMs = Number(row['promised_ms']);
  const ageMs = Number(row['age_ms']);
  // Recorded in the future: the clock was set back since, and nobody knows how old it is.
  const danger = ageMs < -clockSkewMs ? 1 : Math.max(0, ageMs) / promisedMs;
  return { consumer: String(row['name']), danger, promisedMs };
};
