import { type ConsumerDefinition, type Handler, Pace, readLiveDanger } from '../../consumers/index.ts';
import type { Draft } from '../../contracts/index.ts';
import { type Clock, FactlineError, systemRandomness, uuidv7 } from '../../foundation/index.ts';
import { publishingTransaction } from '../../log/index.ts';
import { type Database, loadQueries, type Queryable, run } from '../../postgres/index.ts';
import { draftOf, linesOf, type PastFacts, type PastFactsOptions, readPastFacts } from './past-facts.ts';

const sql = loadQueries<'begin_backfill' | 'find_backfill' | 'advance_backfill' | 'readers_of'>(
  new URL('./backfills.sql', import.meta.url),
);

/** Events of one transaction at most, so that it stays short. */
const batchMax = 100;

export interface BackfillReader {
  readonly consumer: string;
  readonly class: string;
  /** folds: a read model takes every fact. skips: past facts are not for it. unknown: another app's code decides. */
  readonly does: 'folds' | 'handles' | 'skips' | 'unknown';
}

export interface BackfillEstimate extends PastFacts {
  /** Lines that are in the log already: a backfill of this file was interrupted. */
  readonly done: number;
  readonly readers: readonly BackfillReader[];
  readonly ratePerSecond: number;
  readonly durationSeconds: number;
}

export interface BackfillRequest extends PastFactsOptions {
  readonly consumers: readonly ConsumerDefinition[];
  readonly ratePerSecond: number;
}

/** What entering the facts of a file would come to. @throws FactlineError BACKFILL_INVALID, BACKFILL_DONE */
export const estimateBackfill = async (
  on: Queryable,
  request: BackfillRequest,
): Promise<BackfillEstimate> => {
  const facts = await readPastFacts(request);
  const [found] = await run(on, sql.find_backfill, [facts.digest]);
  if (found !== undefined && found['ended_at'] !== null)
    throw new FactlineError('BACKFILL_DONE', {
      file: request.file,
      at: found['ended_at'],
      backfill: found['id'],
    });
  const done = Number(found?.['done'] ?? 0);
  const readers = await run(on, sql.readers_of, [Object.keys(facts.types)]);
  return {
    ...facts,
    done,
    readers: readers.map((row) => readerOf(String(row['name']), String(row['class']), request.consumers)),
    ratePerSecond: request.ratePerSecond,
    durationSeconds: Math.ceil((facts.lines - done) / request.ratePerSecond),
  };
};

const readerOf = (
  consumer: string,
  kind: string,
  definitions: readonly ConsumerDefinition[],
): BackfillReader => {
  if (kind === 'projection') return { consumer, class: kind, does: 'folds' };
  const own = definitions.find(({ name }) => name === consumer) as Handler | undefined;
  if (own === undefined) return { consumer, class: kind, does: 'unknown' };
  return { consumer, class: kind, does: own.onBackfill === 'handle' ? 'handles' : 'skips' };
};

export interface BackfillRun extends BackfillRequest {
  readonly database: Database;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** The app, as the CloudEvents source of the facts. */
  readonly source: string;
  readonly estimate: BackfillEstimate;
  readonly onProgress?: (done: number) => void;
}

/** Puts the wish on record, once per content; in a transaction. */
export const beginBackfill = async (
  client: Queryable,
  { digest, lines }: PastFacts,
  wish: { readonly name: string; readonly actor: string; readonly reason: string },
): Promise<number> => {
  await run(client, sql.begin_backfill, [digest, wish.name, lines, wish.actor, wish.reason]);
  const [row] = await run(client, sql.find_backfill, [digest]);
  return Number(row?.['id']);
};

/**
 * Enters the facts in the order of the file, with their own times, marked, never faster than the rate and slower where live consumers
 * would feel it. Each batch commits with how far it is, so that the next call goes on there and nothing enters twice.
 * Answers how many lines are in the log.
 * @throws FactlineError BACKFILL_BUSY
 */
export const runBackfill = async (options: BackfillRun): Promise<number> => {
  const { clock, database, estimate, ratePerSecond, signal } = options;
  const pace = new Pace({
    clock,
    limits: { ceiling: ratePerSecond, floor: Math.min(1, ratePerSecond) },
    look: () => readLiveDanger(database.operations),
    strained: () => false,
  });
  const [row] = await run(database.operations, sql.find_backfill, [estimate.digest]);
  const id = Number(row?.['id']);
  let done = Number(row?.['done']);
  let [line, batch]: [number, Draft[]] = [0, []];
  const flush = async (): Promise<void> => {
    if (batch.length === 0) return;
    await enter(options, { id, from: done, drafts: batch });
    done += batch.length;
    pace.spend(batch.length);
    batch = [];
    options.onProgress?.(done);
    while (pace.waitMs() > 0 && !signal.aborted)
      await clock.sleep(pace.waitMs(), signal).catch(() => undefined);
  };
  pace.start();
  try {
    for await (const { text } of linesOf(options.file)) {
      line += 1;
      if (line <= done) continue;
      batch.push(draftOf(text, options));
      if (batch.length >= Math.min(batchMax, Math.max(1, Math.floor(ratePerSecond)))) await flush();
      if (signal.aborted) return done;
    }
    await flush();
  } finally {
    await pace.stop();
  }
  return done;
};

const enter = async (
  { database, clock, source }: BackfillRun,
  { id, from, drafts }: { readonly id: number; readonly from: number; readonly drafts: readonly Draft[] },
): Promise<void> => {
  const options = {
    database,
    clock,
    source,
    backfill: String(id),
    nextId: () => uuidv7(clock.wall().getTime(), systemRandomness),
  };
  await publishingTransaction(options, async (tx) => {
    const { text } = sql.advance_backfill;
    const { rows } = await tx.query(text, [id, from, from + drafts.length]);
    if (rows.length === 0) throw new FactlineError('BACKFILL_BUSY', { backfill: id });
    const [first, ...rest] = drafts;
    if (first !== undefined) tx.publish(first, ...rest);
  });
};
