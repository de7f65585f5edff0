import type pg from 'pg';
import type { Mode } from '../options.ts';

/** What the database was fed with before, and what is to be fed now. */
export interface FeedRecord {
  readonly input: string;
  /** How many invoices are wanted at most, over all runs on this database. */
  readonly invoicesMax: number;
  /** How many earlier runs have posted. */
  readonly posted: number;
}

/** `--keep` with another file, or in another mode, than the one that the database was begun with. */
export class OtherInput extends Error {
  override readonly name = 'OtherInput';
}

interface Wanted {
  readonly input: string;
  readonly invoicesMax: number;
  readonly mode: Mode;
}

/** Notes what is fed; a run that goes on with a database feeds the same file, no less of it, and in the same mode. */
export async function beginFeed(pool: pg.Pool, { input, invoicesMax, mode }: Wanted): Promise<FeedRecord> {
  const wanted = Number.isFinite(invoicesMax) ? invoicesMax : null;
  const { rows } = await pool.query<{ input: string; mode: Mode; max: number | null; posted: number }>(
    `insert into pipeline.feed as f (input, invoices_max, mode) values ($1, $2, $3)
     on conflict (one) do update set invoices_max = case
       when f.invoices_max is null or excluded.invoices_max is null then null
       else greatest(f.invoices_max, excluded.invoices_max) end
     returning input, mode, invoices_max::float8 as max, posted::float8 as posted`,
    [input, wanted, mode],
  );
  const [feed] = rows;
  if (feed === undefined || feed.input !== input) {
    throw new OtherInput(`--keep goes on with --input ${feed?.input}; got ${input}`);
  }
  if (feed.mode !== mode) {
    const preposition = feed.mode === 'orchestrated' ? 'with' : 'without';
    throw new OtherInput(`--keep goes on ${preposition} --orchestrated: the last run was ${feed.mode}`);
  }
  return { input, invoicesMax: feed.max ?? Number.POSITIVE_INFINITY, posted: feed.posted };
}

export async function endFeed(pool: pg.Pool, posted: number): Promise<void> {
  await pool.query('update pipeline.feed set posted = greatest(posted, $1)', [posted]);
}
