import pg from 'pg';

/**
 * BEGIN travels with the transaction's first statement instead of costing a round trip of its own; a transaction that only
 * publishes is one round trip in all. What cannot carry it (Submittables such as pg-cursor, callbacks) is preceded by a
 * plain BEGIN, queued on the same connection.
 */
export class LazyBegin {
  readonly #client: pg.PoolClient;
  #sent = false;

  constructor(client: pg.PoolClient) {
    this.#client = client;
  }

  /** Whether the transaction has begun on the server; when not, the finishing query is a transaction by itself. */
  get sent(): boolean {
    return this.#sent;
  }

  /** Somebody else has sent BEGIN. */
  markSent(): void {
    this.#sent = true;
  }

  /** Runs a query of the transaction, preceded by BEGIN when it is the first. */
  query(request: unknown, rest: readonly unknown[]): unknown {
    const query = this.#client.query as (...args: unknown[]) => unknown;
    if (this.#sent) return query.call(this.#client, request, ...rest);
    this.#sent = true;
    if (!carriesBegin(request, rest)) {
      // Its failure is the connection's, which the next statement reports.
      this.#client.query('BEGIN').catch(() => {});
      return query.call(this.#client, request, ...rest);
    }
    return new Promise((resolve, reject) => {
      const inner = new pg.Query(request as pg.QueryConfig, (error: unknown, result: unknown) =>
        error ? reject(error) : resolve(result),
      ) as unknown as WireQuery;
      query.call(this.#client, new BeginWithQuery(inner));
    });
  }
}

const carriesBegin = (request: unknown, rest: readonly unknown[]): boolean => {
  const { text, name, values, submit, rows, callback } = request as Record<string, unknown>;
  return (
    rest.length === 0 &&
    typeof text === 'string' &&
    text !== '' &&
    (name === undefined || typeof name === 'string') &&
    submit === undefined &&
    rows === undefined &&
    callback === undefined &&
    (values === undefined || Array.isArray(values))
  );
};

/** The part of pg's connection that writes protocol messages. */
export interface Wire {
  readonly stream: { cork?(): void; uncork?(): void };
  readonly parsedStatements: Record<string, string>;
  /** Not in every pg 8: named statements that were sent and not answered yet. */
  readonly submittedNamedStatements?: Record<string, string>;
  parse(statement: { name: string; text: string }): void;
  bind(portal: { portal: string; statement: string; values: (string | null)[] }): void;
  execute(portal: { portal: string }): void;
  sync(): void;
  on(event: 'parseComplete', listener: () => void): unknown;
  off(event: 'parseComplete', listener: () => void): unknown;
}

/** Writes one statement without parameters and without a Sync after it. */
export const sendUnsynced = (connection: Wire, text: string): void => {
  connection.parse({ name: '', text });
  connection.bind({ portal: '', statement: '', values: [] });
  connection.execute({ portal: '' });
};

/**
 * Notes a named statement as parsed at the n-th ParseComplete from now on. pg would note it at the first one, which may be
 * BEGIN's; and a statement that was parsed and then failed must not be parsed again. Answers what ends the watch.
 */
export const noteWhenParsed = (
  connection: Wire,
  statement: { readonly name: string; readonly text: string },
  completions: number,
): (() => void) => {
  let seen = 0;
  const listener = (): void => {
    seen += 1;
    if (seen < completions) return;
    connection.parsedStatements[statement.name] = statement.text;
    connection.off('parseComplete', listener);
  };
  connection.on('parseComplete', listener);
  return () => {
    connection.off('parseComplete', listener);
    if (connection.submittedNamedStatements) delete connection.submittedNamedStatements[statement.name];
    // pg's own listener came first and noted too early.
    if (seen < completions) delete connection.parsedStatements[statement.name];
  };
};

/** pg's Query, as far as it is driven from here. */
interface WireQuery {
  readonly name?: string;
  readonly text: string;
  callback: ((error: unknown, result: unknown) => void) | undefined;
  _result?: { _types: unknown };
  submit(connection: Wire): Error | null;
  handleRowDescription(message: unknown): void;
  handleDataRow(message: unknown): void;
  handleCommandComplete(message: unknown, connection: Wire): void;
  handleEmptyQuery(connection: Wire): void;
  handlePortalSuspended(connection: Wire): void;
  handleReadyForQuery(connection: Wire): void;
  handleError(error: unknown, connection: Wire): void;
  handleCopyInResponse(connection: Wire): void;
  handleCopyData(message: unknown, connection: Wire): void;
}

/**
 * Sends BEGIN before the query, up to the query's own Sync, and swallows the first CommandComplete. It has no `name`, since
 * pg would note a named statement as parsed at BEGIN's ParseComplete.
 */
class BeginWithQuery {
  readonly #inner: WireQuery;
  #begun = false;
  #endWatch: () => void = () => {};

  constructor(inner: WireQuery) {
    this.#inner = inner;
  }

  get callback(): WireQuery['callback'] {
    return this.#inner.callback;
  }

  set callback(callback: WireQuery['callback']) {
    this.#inner.callback = callback;
  }

  /** pg gives the query the client's type parsers through here. */
  get _result(): WireQuery['_result'] {
    return this.#inner._result;
  }

  submit(connection: Wire): Error | null {
    connection.stream.cork?.();
    try {
      const { name, text } = this.#inner;
      if (name && connection.parsedStatements[name] === undefined) {
        this.#endWatch = noteWhenParsed(connection, { name, text }, 2);
      }
      sendUnsynced(connection, 'BEGIN');
      return this.#inner.submit(connection);
    } finally {
      connection.stream.uncork?.();
    }
  }

  handleCommandComplete(message: unknown, connection: Wire): void {
    if (this.#begun) this.#inner.handleCommandComplete(message, connection);
    this.#begun = true;
  }

  handleRowDescription(message: unknown): void {
    this.#inner.handleRowDescription(message);
  }

  handleDataRow(message: unknown): void {
    this.#inner.handleDataRow(message);
  }

  handleEmptyQuery(connection: Wire): void {
    this.#inner.handleEmptyQuery(connection);
  }

  handlePortalSuspended(connection: Wire): void {
    this.#inner.handlePortalSuspended(connection);
  }

  handleReadyForQuery(connection: Wire): void {
    this.#endWatch();
    this.#inner.handleReadyForQuery(connection);
  }

  handleError(error: unknown, connection: Wire): void {
    this.#endWatch();
    this.#inner.handleError(error, connection);
  }

  handleCopyInResponse(connection: Wire): void {
    this.#inner.handleCopyInResponse(connection);
  }

  handleCopyData(message: unknown, connection: Wire): void {
    this.#inner.handleCopyData(message, connection);
  }
}
