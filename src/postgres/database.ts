import type { Duplex } from 'node:stream';
import pg from 'pg';
import { FactlineError, systemClock } from '../foundation/index.ts';
import { explainConnectionError } from './connection-errors.ts';
import { loadQueries, run } from './queries.ts';
import { type Severable, severable, severClient } from './severing.ts';

const sql = loadQueries<'gone_processes'>(new URL('./severing.sql', import.meta.url));

export interface PoolSizes {
  /** User transactions (`app.transaction`, `app.publish`). Default 20. */
  readonly transactions?: number;
  /** Transactions of consumers. Default: as many as `transactions`. */
  readonly handlers?: number;
  /** READ ONLY connections behind `context.db`. Default 5. */
  readonly readers?: number;
  /** The reserve for effects, checkpoints, leases and requests. Default 4. */
  readonly operations?: number;
}

export interface DatabaseOptions {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string;
  /** How errors name what the address came from. Default: `database`. */
  readonly urlOption?: string;
  /** Shown in pg_stat_activity. */
  readonly applicationName: string;
  readonly sizes?: PoolSizes;
  /** The lease in milliseconds: an engine transaction idle for longer is ended by the server, so that a stopped process can't block its successor. */
  readonly leaseMs?: number;
  /** What a connection with these settings goes through, in the place of its socket. */
  readonly stream?: ((settings: string) => Duplex) | undefined;
}

/** A direct connection of its own, outside every pool: for LISTEN, session locks and the tail. */
export interface Session {
  readonly client: pg.Client;
  readonly processId: number;
  /** Called once when the connection ends for whatever reason but `close`. */
  onEnd(listener: (error: Error | null) => void): void;
  close(): Promise<void>;
}

export interface Database {
  readonly url: string;
  readonly transactions: pg.Pool;
  /** Ends a transaction that stands idle for a lease: what a stopped process has locked must not block its successor. */
  readonly handlers: pg.Pool;
  readonly readers: pg.Pool;
  readonly operations: pg.Pool;
  openSession(purpose: string): Promise<Session>;
  /**
   * Ends the pools' connections where nothing comes any more and no end is told, so that others are opened in their place: all but
   * those in `transactions` that somebody works with. How many.
   */
  sever(): number;
  /** The same for those in `transactions` that somebody works with, where the server has no process (any more) that serves them. */
  severOrphans(): Promise<number>;
  stop(): Promise<void>;
}

/**
 * For the engine's own statements. row_security=off turns a policy that would hide events into an error: hidden rows look
 * like dead positions. enable_seqscan=off: a plan cached while a partition was empty must not scan it when it is full (all
 * these statements have their index). Without jit=off a scan that can't be avoided would count as expensive and be compiled.
 * datestyle=iso: `engineTypes` reads times in no other style, and a database or role may have one. force_generic_plan: each statement
 * is planned once a connection instead of six times; with the plans pinned to their indexes the values would change nothing.
 */
const engineSettings =
  '-c row_security=off -c enable_seqscan=off -c jit=off -c datestyle=iso -c plan_cache_mode=force_generic_plan';

const sessionSettings = `${engineSettings} -c default_transaction_isolation=read\\ committed`;

/** PostgreSQL cuts after 63 bytes; the purpose at the end must stay, hints find other tails by it. */
const sessionName = (applicationName: string, purpose: string): string =>
  `${Buffer.from(applicationName).subarray(0, 45).toString()} ${purpose}`;

const connectTimeoutMs = 10_000;
/** An idle connection is given back after this long, so that a quiet process holds few. */
const idleTimeoutMs = 10_000;
/** Nobody waits longer for the server to take leave. */
const goodbyeMs = 1_000;
const keepAlive = { keepAlive: true, keepAliveInitialDelayMillis: 10_000 } as const;

/**
 * The pools of one process. They are lazy: nothing connects before the first statement.
 * A pool's checkout answers connection problems with an error of the catalogue (host, user, what to do), never with a crash:
 * an idle connection that breaks is only dropped.
 */
export const createDatabase = (options: DatabaseOptions): Database => {
  const { url, applicationName, sizes = {}, leaseMs = 10_000, stream } = options;
  assertUrl(url, options.urlOption);
  const connections = new Map<pg.Pool, Severable>();
  const pool = (purpose: string, max: number, settings: string): pg.Pool => {
    const made = new pg.Pool({
      connectionString: url,
      application_name: sessionName(applicationName, purpose),
      max,
      idleTimeoutMillis: idleTimeoutMs,
      connectionTimeoutMillis: connectTimeoutMs,
      options: settings,
      ...through(stream, settings),
      ...keepAlive,
    });
    made.on('error', () => {});
    // Also of one that breaks while it is on its way out of somebody's hands: whoever works with it gets the error from its query.
    made.on('connect', (client) => client.on('error', () => {}));
    connections.set(made, severable(made));
    explainCheckouts(made, url);
    return made;
  };
  const idleLimit = `-c idle_in_transaction_session_timeout=${leaseMs}`;
  const transactions = pool('transactions', sizes.transactions ?? 20, '');
  const handlers = pool('handlers', sizes.handlers ?? sizes.transactions ?? 20, idleLimit);
  const readers = pool('readers', sizes.readers ?? 5, '-c default_transaction_read_only=on');
  const operations = pool('operations', sizes.operations ?? 4, `${engineSettings} ${idleLimit}`);
  return {
    url,
    transactions,
    handlers,
    readers,
    operations,
    openSession: (purpose) => openSession(url, sessionName(applicationName, purpose), stream),
    sever: () => {
      let count = 0;
      for (const [each, { sever }] of connections) count += sever(each === transactions ? 'idle' : 'all');
      return count;
    },
    severOrphans: async () => {
      const held = connections.get(transactions) as Severable;
      const processes = held.processes();
      if (processes.length === 0) return 0;
      const rows = await run(operations, sql.gone_processes, [
        processes,
        sessionName(applicationName, 'transactions'),
      ]);
      return held.severServedBy(new Set(rows.map((row) => row['pid'] as number)));
    },
    stop: async () => {
      await Promise.all(
        [transactions, handlers, readers, operations].filter((each) => !each.ended).map((each) => each.end()),
      );
    },
  };
};

const assertUrl = (url: string, option = 'database'): void => {
  const protocol = URL.canParse(url) ? new URL(url).protocol : '';
  if (protocol === 'postgres:' || protocol === 'postgresql:' || url.startsWith('/')) return;
  throw new FactlineError('OPTION_INVALID', {
    option,
    expected: 'postgres://user:password@host:port/database',
    actual: url.replace(/:[^:@/]*@/, ':…@'),
  });
};

/** Replaces raw network errors of `pool.connect` (which `pool.query` uses too) by explained ones. */
const explainCheckouts = (pool: pg.Pool, url: string): void => {
  const connect = pool.connect.bind(pool) as (...args: unknown[]) => unknown;
  const explained = (...args: unknown[]): unknown => {
    const callback = args[0] as ((error: unknown, ...rest: unknown[]) => void) | undefined;
    if (callback !== undefined) {
      return connect((error: unknown, ...rest: unknown[]) =>
        callback(error && explainConnectionError(error, url), ...rest),
      );
    }
    return (connect() as Promise<unknown>).catch((error: unknown) => {
      throw explainConnectionError(error, url);
    });
  };
  Object.defineProperty(pool, 'connect', { value: explained });
};

const through = (stream: DatabaseOptions['stream'], settings: string): Pick<pg.ClientConfig, 'stream'> =>
  stream === undefined ? {} : { stream: () => stream(settings) };

const openSession = async (
  url: string,
  applicationName: string,
  stream: DatabaseOptions['stream'],
): Promise<Session> => {
  const client = new pg.Client({
    connectionString: url,
    application_name: applicationName,
    connectionTimeoutMillis: connectTimeoutMs,
    options: sessionSettings,
    ...through(stream, sessionSettings),
    ...keepAlive,
  });
  const listeners = new Set<(error: Error | null) => void>();
  let ended = false;
  let closing = false;
  const end = (error: Error | null): void => {
    if (ended) return;
    ended = true;
    if (!closing) for (const listener of listeners) listener(error);
  };
  client.on('error', (error) => end(error));
  client.on('end', () => end(null));
  try {
    await client.connect();
  } catch (error) {
    throw explainConnectionError(error, url);
  }
  return {
    client,
    processId: (client as unknown as { processID: number }).processID,
    onEnd: (listener) => {
      if (ended) listener(null);
      else listeners.add(listener);
    },
    close: async () => {
      closing = true;
      if (ended) return;
      const timer = systemClock.timer(goodbyeMs, () => severClient(client));
      await client.end().catch(() => {});
      timer.cancel();
    },
  };
};
