import type pg from 'pg';

/** What the database was fed with before, and what is to be fed now. */
export interface FeedRecord {
  readonly input: string;
  /** How many invoices are wanted at most, over all runs on this database. */
  readonly invoicesMax: number;
  /** How many earlier runs have posted. */
  readonly posted: number;
}

/** `--keep` with another file than the one that the database was fed with. */
export class OtherInput extends Error {
  override readonly name = 'OtherInput';
}

/** Notes what is fed; a run that goes on with a database feeds the same file, and no less of it. */
export async function beginFeed(pool: pg.Pool, input: string, invoicesMax: number): Promise<FeedRecord> {
  const wanted = Number.isFinite(invoicesMax) ? invoicesMax : null;
  const { rows } = await pool.query<{ input: string; max: number | null; posted: number }>(
    `insert into pipeline.feed as f (input, invoices_max) values ($1, $2)
     on conflict (one) do update set invoices_max = case
       when f.invoices_max is null or excluded.invoices_max is null then null
       else greatest(f.invoices_max, excluded.invoices_max) end
     returning input, invoices_max::float8 as max, posted::float8 as posted`,
    [input, wanted],
  );
  const [feed] = rows;
  if (feed === undefined || feed.input !== input) {
    throw new OtherInput(`--keep goes on with --input ${feed?.input}; got ${input}`);
  }
  return { input, invoicesMax: feed.max ?? Number.POSITIVE_INFINITY, posted: feed.posted };
}

export async function endFeed(pool: pg.Pool, posted: number): Promise<void> {
  await pool.query('update pipeline.feed set posted = greatest(posted, $1)', [posted]);
}
