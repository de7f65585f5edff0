import type pg from 'pg';
import { type CommandDraft, type Draft, storedDraftValues } from '../../contracts/index.ts';
import { FactlineError } from '../../foundation/index.ts';
import {
  type Database,
  type GuardedClient,
  type LastRow,
  type LastStatement,
  ownStatement,
  run,
  transaction,
} from '../../postgres/index.ts';
import { admitDrafts } from './admission.ts';
import { parsePositions, publishDeduplicated, publishingQueries } from './dedupe.ts';
import { type PublishSpan, startPublishSpan } from './publish-span.ts';
import { publishParameter, type StoredDraft, type StoringOptions, storeDrafts } from './stored-drafts.ts';
import { assertVerb, type Verb } from './verbs.ts';

/** A transaction that publishes. Events are buffered and written as its last statement. */
export interface Tx {
  /** A pg client for an ORM (`drizzle({ client: tx.client })`); it refuses to end or nest the transaction. */
  readonly client: GuardedClient;
  query(sql: string, values?: readonly unknown[]): Promise<pg.QueryResult>;
  /** Nests: when `run` throws, its writes and its events are undone and the error is thrown on. */
  savepoint<T>(run: (tx: Tx) => Promise<T>): Promise<T>;
  /** Validated when the contract was called, written at the end of the transaction, after its business rows are locked. */
  publish(...drafts: readonly [Draft, ...Draft[]]): void;
  /** The same for commands: each goes to its one handler if and only if this transaction commits. */
  send(...drafts: readonly [CommandDraft, ...CommandDraft[]]): void;
}

export interface PublishingOptions extends StoringOptions {
  readonly database: Database;
  /** Where the transaction runs. Default: the pool of user transactions. */
  readonly pool?: pg.Pool;
  /** Once aborted, the transaction can no longer commit. */
  readonly signal?: AbortSignal;
  /** Replaces the publish statement by one that does more (a consumer's fence); `events` is the publish statement's parameter, '[]' when there are none. Its first two columns must be those of `publish`. */
  readonly last?: (events: string) => LastStatement;
  /** Looks at all that is about to be written and was not undone, before anything is; what it throws rolls back. */
  readonly check?: ((drafts: readonly Draft[]) => void) | undefined;
  /** The highest position known, to find a lost publish by. */
  readonly knownPosition?: number;
}

export interface PublishingResult<T> {
  readonly value: T;
  /** Ascending; empty when nothing was published. */
  readonly positions: readonly number[];
  /** What was published, repeats included. */
  readonly drafts: readonly Draft[];
  readonly last: LastRow | null;
}

/**
 * Runs `work` in one transaction; what it publishes becomes visible if and only if the transaction commits (I1). The events'
 * INSERT goes out in one round trip with COMMIT.
 * @throws FactlineError as `transaction` of the room postgres; DEDUPE_KEY_CONFLICT, PRODUCER_NOT_LISTED, DRAFT_MISDIRECTED
 */
export const publishingTransaction = async <T>(
  options: PublishingOptions,
  work: (tx: Tx) => Promise<T>,
): Promise<PublishingResult<T>> => {
  const { database, clock, signal, knownPosition = 0 } = options;
  const buffer: Draft[] = [];
  let early: number[] = [];
  let stored: readonly StoredDraft[] = [];
  let span: PublishSpan | undefined;
  const result = await transaction(
    options.pool ?? database.transactions,
    async (client) => {
      const scope = openScope({ client, buffer, admit: (drafts) => admitDrafts(drafts, options) });
      let value: T;
      try {
        value = await work(scope.tx);
      } finally {
        scope.close();
      }
      options.check?.(buffer);
      if (buffer.length === 0) return value;
      span = startPublishSpan(buffer, options);
      if (buffer.some((draft) => draft.dedupeKey !== undefined)) {
        early = await span.run(() =>
          publishDeduplicated(buffer, options, async (query, parameter) => run(client, query, [parameter])),
        );
      } else {
        stored = span.run(() => storeDrafts(buffer, options));
      }
      return value;
    },
    {
      ...(clock === undefined ? {} : { clock }),
      ...(signal === undefined ? {} : { signal }),
      last: () => options.last?.(publishParameter(stored)) ?? publishStatement(stored),
      findWork: async (on) => {
        const firstId = stored[0]?.envelope.id;
        if (firstId === undefined) return null;
        return (await run(on, publishingQueries.find_event, [knownPosition, firstId]))[0]?.['found'] === true;
      },
    },
  ).catch((error: unknown) => {
    span?.fail(error);
    throw error;
  });
  span?.end();
  const late = parsePositions(result.last?.[1]);
  return { value: result.value, positions: [...early, ...late], drafts: buffer, last: result.last };
};

/** One event, the usual case, as plain values: reading them out of JSON would double what the statement costs the server. */
const publishStatement = (stored: readonly StoredDraft[]): LastStatement | null => {
  const [first] = stored;
  if (first === undefined) return null;
  return stored.length === 1
    ? { query: publishingQueries.publish_one, values: storedDraftValues(first.draft, first.envelope) }
    : { query: publishingQueries.publish, values: [publishParameter(stored)] };
};

export interface Scope {
  readonly tx: Tx;
  close(): void;
}

interface Place {
  readonly client: GuardedClient;
  readonly buffer: Draft[];
  readonly admit: (drafts: readonly Draft[]) => void;
}

/** `depth`: how deep savepoints nest, for their names. */
export const openScope = (place: Place, depth = 0): Scope => {
  const { client, buffer, admit } = place;
  let open = true;
  let nested = false;
  const assertOpen = (operation: string): void => {
    if (!open) throw new FactlineError('TRANSACTION_CLOSED', { operation });
  };
  const take = (verb: Verb, drafts: readonly Draft[]): void => {
    assertOpen(`tx.${verb}`);
    assertVerb(verb, drafts);
    admit(drafts);
    buffer.push(...drafts);
  };
  const tx: Tx = {
    client,
    query: async (sql, values) => {
      assertOpen('tx.query');
      return client.query(sql, values === undefined ? [] : [...values]);
    },
    publish: (...drafts) => take('publish', drafts),
    send: (...drafts) => take('send', drafts),
    savepoint: async (work) => {
      assertOpen('tx.savepoint');
      if (nested)
        throw new FactlineError('TRANSACTION_CLOSED', {
          operation: 'a second tx.savepoint beside an open one',
        });
      nested = true;
      try {
        return await runSavepoint(place, depth, work);
      } finally {
        nested = false;
      }
    },
  };
  return {
    tx,
    close: () => {
      open = false;
    },
  };
};

const runSavepoint = async <T>(place: Place, depth: number, work: (tx: Tx) => Promise<T>): Promise<T> => {
  const { client, buffer } = place;
  const name = `factline_${depth + 1}`;
  const kept = buffer.length;
  const inner = openScope(place, depth + 1);
  await savepointStatement(client, `SAVEPOINT ${name}`);
  try {
    const value = await work(inner.tx);
    inner.close();
    await savepointStatement(client, `RELEASE SAVEPOINT ${name}`);
    return value;
  } catch (error) {
    inner.close();
    buffer.length = kept;
    await savepointStatement(client, `ROLLBACK TO SAVEPOINT ${name}`);
    throw error;
  }
};

/** The guard refuses these words from users; savepoints of the transaction's own go around it. */
const savepointStatement = async (client: GuardedClient, text: string): Promise<void> => {
  await client.query({ text, [ownStatement]: true } as pg.QueryConfig);
};
