import { type Clock, FactlineError, withDeadline } from '../foundation/index.ts';
import {
  type Database,
  engineTransaction,
  hostOf,
  isConnectionLost,
  loadQueries,
  type NamedQuery,
  type Queryable,
  type Row,
  run,
  runArrays,
  type Session,
} from '../postgres/index.ts';

const sql = loadQueries<'asynchronous_commit' | 'listen' | 'unlisten'>(
  new URL('./tail.sql', import.meta.url),
);

/** LISTEN takes no parameters: the placeholder in the statement is replaced by a name that needs no quoting. */
const onChannel = (verb: 'listen' | 'unlisten', channel: string): NamedQuery => {
  if (!/^factline_[a-z_]{1,50}$/.test(channel)) {
    throw new FactlineError('OPTION_INVALID', {
      option: 'channel',
      expected: 'factline_name',
      actual: channel,
    });
  }
  const query = sql[verb];
  return { name: `${query.name}.${channel}`, text: query.text.replace('channel', channel) };
};

const checks = loadQueries<'backend'>(new URL('./start-checks.sql', import.meta.url));

/** A pooler may answer twice in a row from one backend by chance. */
const directRounds = 3;

/**
 * Whether the session keeps one backend to itself. PostgreSQL tells its process id at connect; a pooler makes one up.
 * Behind a pooler the backends are compared while another connection holds a transaction open.
 */
const isDirect = async ({ session, queryable }: Connection, database: Database): Promise<boolean> => {
  const backend = async (on: Queryable): Promise<unknown> => (await run(on, checks.backend))[0]?.['pid'];
  const first = await backend(queryable);
  if (first === session.processId) return true;
  for (let round = 0; round < directRounds; round += 1) {
    const { value: other } = await engineTransaction(database.operations, backend);
    if (other === first || (await backend(queryable)) !== first) return false;
  }
  return true;
};

export interface Notification {
  readonly payload: string;
  /** Sent by this very session. */
  readonly own: boolean;
}

/** What the rest of the process may do with the one direct session. */
export interface SharedSession {
  readonly connected: boolean;
  /** False behind a pooler that shares backends: no LISTEN, no session locks. */
  readonly direct: boolean;
  /** The server process behind the session; null while it is lost. */
  readonly processId: number | null;
  /** Calls `listener` for each notification, over all reconnects; returns what ends it. */
  listen(channel: string, listener: (notification: Notification) => void): () => void;
  /**
   * Runs `prepare` on every new connection before the tail reads, and now when there is one; for session locks.
   * When it rejects, the connection is given up and made again.
   */
  onConnect(prepare: (client: Queryable) => Promise<void>): () => void;
  /** The session ended: locks and LISTEN are gone until `onConnect` runs again. */
  onLost(listener: (error: unknown) => void): () => void;
  /** Ends the present connection as if the server had; another one is made. */
  giveUp(error: unknown): void;
}

/** A statement that takes longer means that the network has swallowed the connection. */
const statementMsMax = 30_000;

interface Connection {
  readonly session: Session;
  readonly queryable: Queryable;
}

/** The one direct session of a process: the tail's reads, LISTEN and the process's advisory lock share it. */
export class TailSession implements SharedSession {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #listeners = new Map<string, Set<(notification: Notification) => void>>();
  readonly #prepare = new Set<(client: Queryable) => Promise<void>>();
  readonly #lost = new Set<(error: unknown) => void>();
  #connection: Connection | null = null;
  #direct = false;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  get connected(): boolean {
    return this.#connection !== null;
  }

  get direct(): boolean {
    return this.#direct && this.#connection !== null;
  }

  get processId(): number | null {
    return this.#connection?.session.processId ?? null;
  }

  /** Opens the session, listens on all channels and prepares it; when a step fails nothing is left open. */
  async open(): Promise<void> {
    const session = await this.#database.openSession('tail');
    const connection: Connection = { session, queryable: this.#serial(session) };
    let ended = false;
    session.onEnd((error) => {
      ended = true;
      this.#end(session, error);
    });
    session.client.on('notification', ({ channel, payload, processId }) => {
      const notification = { payload: payload ?? '', own: processId === session.processId };
      for (const listener of this.#listeners.get(channel) ?? []) listener(notification);
    });
    try {
      this.#direct = await isDirect(connection, this.#database);
      await run(connection.queryable, sql.asynchronous_commit);
      await this.#prepareAll(connection);
      if (ended) throw this.#unreachable();
    } catch (error) {
      await session.close();
      throw error;
    }
    this.#connection = connection;
  }

  /** The connection, for statements that wait their turn; each within the deadline. */
  queryable(): Queryable {
    if (!this.#connection) throw this.#unreachable();
    return this.#connection.queryable;
  }

  async run(query: NamedQuery, values: readonly unknown[] = []): Promise<Row[]> {
    return run(this.queryable(), query, values);
  }

  async runArrays(query: NamedQuery, values: readonly unknown[] = []): Promise<unknown[][]> {
    return runArrays(this.queryable(), query, values);
  }

  listen(channel: string, listener: (notification: Notification) => void): () => void {
    const known = this.#listeners.get(channel);
    const listeners = known ?? new Set();
    listeners.add(listener);
    this.#listeners.set(channel, listeners);
    if (!known) this.#announce('listen', channel);
    return () => {
      if (!listeners.delete(listener) || listeners.size > 0) return;
      this.#listeners.delete(channel);
      this.#announce('unlisten', channel);
    };
  }

  onConnect(prepare: (client: Queryable) => Promise<void>): () => void {
    this.#prepare.add(prepare);
    if (this.#connection) prepare(this.#connection.queryable).catch((error: unknown) => this.giveUp(error));
    return () => void this.#prepare.delete(prepare);
  }

  onLost(listener: (error: unknown) => void): () => void {
    this.#lost.add(listener);
    return () => void this.#lost.delete(listener);
  }

  giveUp(error: unknown): void {
    const session = this.#connection?.session;
    if (!session) return;
    this.#end(session, error);
    void session.close();
  }

  async close(): Promise<void> {
    const session = this.#connection?.session;
    this.#connection = null;
    await session?.close();
  }

  /** Also what is asked for while this runs: when nothing is left, no await lies before the connection is in use. */
  async #prepareAll({ queryable }: Connection): Promise<void> {
    const channels = new Set<string>();
    const prepared = new Set<(client: Queryable) => Promise<void>>();
    for (;;) {
      const channel = [...this.#listeners.keys()].find((each) => !channels.has(each));
      const prepare = [...this.#prepare].find((each) => !prepared.has(each));
      if (channel !== undefined) {
        channels.add(channel);
        await run(queryable, onChannel('listen', channel));
      } else if (prepare !== undefined) {
        prepared.add(prepare);
        await prepare(queryable);
      } else {
        return;
      }
    }
  }

  #unreachable(): FactlineError {
    return new FactlineError('DATABASE_UNREACHABLE', {
      host: hostOf(this.#database.url),
      reason: 'the direct session was lost',
    });
  }

  #announce(verb: 'listen' | 'unlisten', channel: string): void {
    const connection = this.#connection;
    if (!connection) return;
    run(connection.queryable, onChannel(verb, channel)).catch((error: unknown) => this.giveUp(error));
  }

  #end(session: Session, error: unknown): void {
    if (this.#connection?.session !== session) return;
    this.#connection = null;
    for (const listener of this.#lost) listener(error);
  }

  /** pg takes one statement at a time: each waits here until the one before has ended. */
  #serial({ client }: Session): Queryable {
    let last: Promise<unknown> = Promise.resolve();
    return {
      query: (request: unknown) => {
        const answer = last.then(() => this.#bounded(client.query(request as string)));
        last = answer.catch(() => undefined);
        return answer;
      },
    };
  }

  /** The connection is given up with the deadline: its late answer would belong to another state. */
  #bounded<T>(answer: Promise<T>): Promise<T> {
    return withDeadline(answer, {
      ms: statementMsMax,
      clock: this.#clock,
      stage: 'a statement of the tail',
    }).catch((error: unknown) => {
      if (FactlineError.is(error, 'WAIT_TIMED_OUT') || isConnectionLost(error)) this.giveUp(error);
      throw error;
    });
  }
}
