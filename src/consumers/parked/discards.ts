import { loadQueries, type Queryable, run } from '../../postgres/index.ts';
import { type Fence, type ParkedScope, scopeValues } from './repository.ts';

const sql = loadQueries<'discard_row' | 'find_discarded' | 'restore_rows'>(
  new URL('./parked.sql', import.meta.url),
);

/** `lost`: the lane is no longer ours. `missing`: no such row, or its handler is running. */
export type RowOutcome = 'done' | 'missing' | 'lost';

export interface DiscardRequest {
  readonly fence: Fence;
  readonly key: string;
  readonly position: number;
  readonly keyHash: number;
  readonly requestId: number;
  readonly answer: Readonly<Record<string, unknown>>;
}

/** Drops the event on a person's decision: inbox row, parked row and the request's answer in one statement. */
export const discardRow = async (
  on: Queryable,
  scope: ParkedScope,
  request: DiscardRequest,
): Promise<RowOutcome> => {
  const [row] = await run(on, sql.discard_row, [
    ...scopeValues(scope),
    JSON.stringify([request.fence]),
    request.key,
    request.keyHash,
    request.position,
    request.requestId,
    JSON.stringify(request.answer),
  ]);
  if (row?.['fenced'] !== 1) return 'lost';
  return row['discarded'] === 1 ? 'done' : 'missing';
};

/** An event that was discarded, and what has happened behind it since. */
export interface DiscardedRecord {
  readonly id: number;
  readonly consumerId: number;
  readonly position: number;
  readonly keys: readonly { readonly key: string; readonly keyHash: number }[];
  /** How many events waited behind it when it was discarded. */
  readonly followers: number;
  readonly restored: boolean;
  /** The time in which it may be restored is over. */
  readonly over: boolean;
  /** A later event of its key that was handled since; null: none was seen. */
  readonly later: number | null;
  /** False: more was published behind it than is looked through. */
  readonly seenAll: boolean;
}

/** Events behind a discarded one that are looked through for later ones of its key. */
const lookedThrough = 100_000;

export const findDiscarded = async (on: Queryable, id: number): Promise<DiscardedRecord | null> => {
  const [row] = await run(on, sql.find_discarded, [id, lookedThrough]);
  if (row === undefined) return null;
  return {
    id: Number(row['id']),
    consumerId: Number(row['consumer_id']),
    position: Number(row['position']),
    keys: row['keys'] as DiscardedRecord['keys'],
    followers: Number(row['followers']),
    restored: row['restored'] === true,
    over: row['over'] === true,
    later: row['later'] === null ? null : Number(row['later']),
    seenAll: row['seen_all'] === true,
  };
};

/** Puts a discarded event back into quarantine, under its number. Answers its keys; null when the lane is lost. */
export const restoreRows = async (
  on: Queryable,
  scope: ParkedScope,
  { fence, id }: { readonly fence: Fence; readonly id: number },
): Promise<readonly string[] | null> => {
  const [row] = await run(on, sql.restore_rows, [...scopeValues(scope), JSON.stringify([fence]), id]);
  return row?.['fenced'] === 1 ? (row['keys'] as string[]) : null;
};

/** Why a discarded event must not go back as if nothing had happened; null: it may. */
export const obstacleToRestoring = (
  { followers, restored, over, later, seenAll }: DiscardedRecord,
  { projection, force }: { readonly projection: boolean; readonly force: boolean },
): { readonly reason: string; readonly remedy: string } | null => {
  const final = 'Publish the fact anew if it still matters.';
  if (restored) return { reason: 'it was restored already', remedy: 'See: npx factline quarantine list' };
  if (over) return { reason: 'the seven days in which it could be are over', remedy: final };
  if (force) return null;
  const remedy = 'If the consumer bears another order, say so with --force; it stays on record.';
  if (later !== null)
    return { reason: `a later event of its key (position ${later}) was handled since`, remedy };
  if (projection && followers > 0)
    return { reason: `${followers} events waited behind it and went on when it was discarded`, remedy };
  if (!seenAll) return { reason: 'too much was published since to see whether its key went on', remedy };
  return null;
};
