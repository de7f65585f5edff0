import type { NamedQuery } from './queries.ts';

/** A transaction's last statement: sent in one round trip with COMMIT, so it costs no trip of its own. */
export interface LastStatement {
  readonly query: NamedQuery;
  readonly values: readonly (string | number | null)[];
}

/** Columns of the last statement's single row, as text. The first one must be `pg_current_xact_id_if_assigned()::text`. */
export type LastRow = readonly (string | null)[];

interface Wire {
  readonly stream: { cork?(): void; uncork?(): void };
  readonly parsedStatements: Record<string, string>;
  readonly submittedNamedStatements?: Record<string, string>;
  parse(statement: { name: string; text: string; types?: number[] }): void;
  bind(portal: { portal: string; statement: string; values: (string | null)[] }): void;
  execute(portal: { portal: string; rows?: number }): void;
  sync(): void;
}

/**
 * Sends Parse/Bind/Execute of the last statement and of COMMIT before one Sync. When the statement fails, the server skips
 * everything up to the Sync, COMMIT included. A plain object with pg's Submittable methods, as pg-cursor is one: it
 * needs no pipeline mode and works with every pg 8.
 */
export class FinishQuery {
  /** pg notes a parsed statement under these two. */
  readonly name: string;
  readonly text: string;
  readonly #last: LastStatement;
  readonly #settle: { resolve: () => void; reject: (error: unknown) => void };
  readonly finished: Promise<void>;
  row: LastRow | null = null;
  /** What the server answered to COMMIT: 'COMMIT', 'ROLLBACK', or null when it never answered. */
  answer: string | null = null;
  #completed = 0;
  #failed = false;
  callback: (error: unknown) => void = () => {};

  constructor(last: LastStatement) {
    this.name = last.query.name;
    this.text = last.query.text;
    this.#last = last;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.finished = promise;
    this.#settle = { resolve, reject };
  }

  submit(connection: Wire): Error | null {
    connection.stream.cork?.();
    try {
      if (connection.parsedStatements[this.name] === undefined)
        connection.parse({ name: this.name, text: this.text });
      const values = this.#last.values.map((value) => (value === null ? null : String(value)));
      connection.bind({ portal: '', statement: this.name, values });
      connection.execute({ portal: '' });
      connection.parse({ name: '', text: 'COMMIT' });
      connection.bind({ portal: '', statement: '', values: [] });
      connection.execute({ portal: '' });
      connection.sync();
    } finally {
      connection.stream.uncork?.();
    }
    return null;
  }

  handleRowDescription(): void {}

  handleDataRow(message: { fields: (string | null)[] }): void {
    this.row ??= message.fields;
  }

  handleCommandComplete(message: { text?: string }): void {
    this.#completed += 1;
    if (this.#completed === 2) this.answer = message.text ?? '';
  }

  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}
  handleCopyInResponse(): void {}
  handleCopyData(): void {}

  handleReadyForQuery(): void {
    if (!this.#failed) this.#settle.resolve();
  }

  handleError(error: unknown): void {
    this.#failed = true;
    this.#settle.reject(error);
  }
}
