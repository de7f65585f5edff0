import { FactlineError } from '../../foundation/index.ts';
import { loadQueries, type Queryable, run } from '../../postgres/index.ts';
import { beginRelease, type FrozenSelection, type ReleaseRequest } from './releases.ts';

const sql = loadQueries<'redirect' | 'released_numbers' | 'list_redirects'>(
  new URL('./redirects.sql', import.meta.url),
);

export interface RedirectRequest {
  /** Numbers from `quarantine list`. */
  readonly ids: readonly number[];
  /** The name under which the handler declares it; null: the handler itself takes them again. */
  readonly repair: string | null;
  readonly actor: string;
  readonly reason: string;
}

/**
 * From the next attempt on a repair handles these events, in the place of their handler. All or none; in a transaction.
 * @throws FactlineError REDIRECT_REFUSED
 */
export const redirectParked = async (client: Queryable, request: RedirectRequest): Promise<void> => {
  const { ids, repair, actor, reason } = request;
  const redirected = await run(client, sql.redirect, [ids, repair, actor, reason]);
  const done = new Set(redirected.map((row) => Number(row['id'])));
  const left = ids.find((id) => !done.has(id));
  if (left !== undefined) throw new FactlineError('REDIRECT_REFUSED', { id: left });
};

/** Freezes what is in the group now, and has exactly that released to the repair. In a transaction. */
export const redirectGroup = async (
  client: Queryable,
  request: ReleaseRequest & { readonly repair: string | null; readonly reason: string },
): Promise<FrozenSelection> => {
  const frozen = await beginRelease(client, request);
  const ids = (await run(client, sql.released_numbers, [frozen.id])).map((row) => Number(row['parked_id']));
  const { repair, actor, reason } = request;
  await redirectParked(client, { ids, repair, actor, reason });
  return frozen;
};

/** A redirect on record. */
export interface StoredRedirect {
  readonly repair: string | null;
  readonly actor: string;
  readonly reason: string;
  readonly redirectedAt: string;
}

export const listRedirects = async (on: Queryable, id: number): Promise<StoredRedirect[]> =>
  (await run(on, sql.list_redirects, [id])).map((row) => ({
    repair: row['repair'] as string | null,
    actor: String(row['actor']),
    reason: String(row['reason']),
    redirectedAt: String(row['redirected_at']),
  }));
