import { noteWhenParsed, sendUnsynced, type Wire } from './lazy-begin.ts';
import type { NamedQuery } from './queries.ts';

/** A transaction's last statement: sent in one round trip with COMMIT, so it costs no trip of its own. */
export interface LastStatement {
  readonly query: NamedQuery;
  readonly values: readonly (string | number | null)[];
}

/** Columns of the last statement's single row, as text. The first one must be the transaction's id. */
export type LastRow = readonly (string | null)[];

/**
 * Sends the last statement and COMMIT before one Sync. When the statement fails, the server skips everything up to the Sync,
 * COMMIT included. `alone`: nothing was sent before, so the statement is a transaction by itself, which the Sync commits.
 * A plain object with pg's Submittable methods, as pg-cursor is one: it needs no pipeline mode and works with every pg 8.
 */
export class FinishQuery {
  /** pg notes a parsed statement under these two, at any ParseComplete: see `noteWhenParsed`. */
  readonly name: string;
  readonly text: string;
  readonly finished: Promise<void>;
  row: LastRow | null = null;
  /** What the server answered to COMMIT: 'COMMIT', 'ROLLBACK', or null when it never answered. For a statement alone: to the Sync. */
  answer: string | null = null;
  callback: (error: unknown) => void = () => {};
  readonly #last: LastStatement;
  readonly #alone: boolean;
  readonly #resolve: () => void;
  readonly #reject: (error: unknown) => void;
  #completed = 0;
  #failed = false;
  #endWatch: () => void = () => {};

  constructor(last: LastStatement, options: { readonly alone: boolean }) {
    this.name = last.query.name;
    this.text = last.query.text;
    this.#last = last;
    this.#alone = options.alone;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.finished = promise;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  submit(connection: Wire): Error | null {
    connection.stream.cork?.();
    try {
      const parsed = connection.parsedStatements[this.name] !== undefined;
      if (!parsed) this.#endWatch = noteWhenParsed(connection, this, 1);
      if (!parsed) connection.parse({ name: this.name, text: this.text });
      const values = this.#last.values.map((value) => (value === null ? null : String(value)));
      connection.bind({ portal: '', statement: this.name, values });
      connection.execute({ portal: '' });
      if (!this.#alone) sendUnsynced(connection, 'COMMIT');
      connection.sync();
    } finally {
      connection.stream.uncork?.();
    }
    return null;
  }

  handleDataRow(message: { fields: (string | null)[] }): void {
    this.row ??= message.fields;
  }

  handleCommandComplete(message: { text?: string }): void {
    this.#completed += 1;
    if (this.#completed === 2) this.answer = message.text ?? '';
  }

  handleReadyForQuery(): void {
    this.#endWatch();
    if (this.#failed) return;
    if (this.#alone) this.answer = 'COMMIT';
    this.#resolve();
  }

  handleError(error: unknown): void {
    this.#failed = true;
    this.#endWatch();
    this.#reject(error);
  }

  handleRowDescription(): void {}
  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}
  handleCopyInResponse(): void {}
  handleCopyData(): void {}
}
