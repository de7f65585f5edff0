import { hash } from 'node:crypto';
import type pg from 'pg';
import { FactlineError } from '../../foundation/index.ts';
import { refusedStatement } from '../../postgres/index.ts';
import type { ProjectionTx } from './sql-definition.ts';

/** Statements of one projection that are kept prepared on each connection; more different texts are sent unprepared. */
const preparedMax = 20;

/** `tx` of a SQL projection: works only while its transaction is open, and cannot end it. */
export class OpenProjectionTx implements ProjectionTx {
  readonly table: string;
  readonly #names = new Map<string, string>();
  #client: pg.ClientBase | null = null;

  constructor(table: string) {
    this.table = table;
  }

  async use<T>(client: pg.ClientBase, work: (tx: OpenProjectionTx) => Promise<T>): Promise<T> {
    this.#client = client;
    try {
      return await work(this);
    } finally {
      this.#client = null;
    }
  }

  async query(text: string, values: readonly unknown[] = []): Promise<pg.QueryResult> {
    if (this.#client === null)
      throw new FactlineError('TRANSACTION_CLOSED', { operation: 'a query of a projection' });
    const name = this.#nameOf(text);
    // The extended protocol refuses several statements in one text.
    const request = { text, values: [...values], queryMode: 'extended', ...(name === null ? {} : { name }) };
    return this.#client.query(request);
  }

  /** The same text comes back for each event: prepared, the server parses and plans it once a connection. */
  #nameOf(text: string): string | null {
    const known = this.#names.get(text);
    if (known !== undefined) return known;
    const statement = refusedStatement(text);
    if (statement !== null) throw new FactlineError('TRANSACTION_STATEMENT_REFUSED', { statement });
    if (this.#names.size >= preparedMax || !/^\s*(?:select|insert|update|delete|merge|with)\b/i.test(text))
      return null;
    // Named by its text: connections are shared, and one name must not mean two statements.
    const name = `fl.sql.${hash('sha256', text, 'hex').slice(0, 32)}`;
    this.#names.set(text, name);
    return name;
  }
}
