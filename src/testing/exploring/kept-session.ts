import type { Duplex } from 'node:stream';
import pg from 'pg';
import { loadQueries } from '../../postgres/index.ts';
import type { OwnDatabase } from '../own-database.ts';
import { Traffic } from './traffic.ts';

const sql = loadQueries<'end_session'>(new URL('../testing.sql', import.meta.url));

type Listener = (...given: unknown[]) => void;

/** Who a session is lent to. */
export interface Borrower {
  receive(chunk: Buffer): void;
  /** The server has ended it. */
  onBreak(): void;
}

/** A session of the server's that serves one app after the other. */
export class KeptSession {
  readonly #client: pg.Client;
  readonly #name: string;
  readonly #traffic = new Traffic();
  #broken = false;
  #borrower: Borrower | undefined;
  /** What the client itself hears when nobody else does. */
  #own: Listener[] = [];

  /** @param name tells it from all others in pg_stat_activity */
  static async open(config: pg.ClientConfig, name: string): Promise<KeptSession> {
    const session = new KeptSession(new pg.Client({ ...config, application_name: name }), name);
    await session.#client.connect();
    return session;
  }

  private constructor(client: pg.Client, name: string) {
    this.#client = client;
    this.#name = name;
    client.on('error', () => {});
    client.on('end', () => {
      this.#broken = true;
      this.#borrower?.onBreak();
    });
  }

  /** What the server says to a client that it lets in. */
  get greeting(): Buffer {
    const { processID, secretKey } = this.#client as unknown as { processID: number; secretKey: number };
    const greeting = Buffer.from('R\0\0\0\x08\0\0\0\0K\0\0\0\x0c\0\0\0\0\0\0\0\0Z\0\0\0\x05I', 'latin1');
    greeting.writeInt32BE(processID, 14);
    greeting.writeInt32BE(secretKey, 18);
    return greeting;
  }

  lend(borrower: Borrower): void {
    this.#borrower = borrower;
    this.#own = this.#stream.listeners('data') as Listener[];
    for (const listener of this.#own) this.#stream.off('data', listener);
    this.#stream.on('data', this.#receive);
  }

  /** All of them in one packet, as the parts of a query are. */
  send(messages: readonly Buffer[]): void {
    this.#stream.cork();
    for (const each of messages) for (const message of this.#traffic.send(each)) this.#stream.write(message);
    this.#stream.uncork();
  }

  /** Whether it may be lent again: what the borrower left in it is gone, or it is gone itself. */
  async takeBack(database: OwnDatabase): Promise<boolean> {
    this.#borrower = undefined;
    this.#stream.off('data', this.#receive);
    for (const listener of this.#own) this.#stream.on('data', listener);
    try {
      if (!this.#broken && !this.#traffic.busy) {
        if (this.#traffic.inTransaction) await this.#client.query('rollback');
        await this.#client.query(sql.end_session.text);
        return true;
      }
    } catch {
      // Ended meanwhile.
    }
    this.#stream.destroy();
    await database.endBackends(this.#name);
    return false;
  }

  async end(): Promise<void> {
    if (!this.#broken) await this.#client.end();
  }

  get #stream(): Duplex {
    return this.#client.connection.stream;
  }

  readonly #receive = (chunk: Buffer): void => {
    this.#traffic.receive(chunk);
    this.#borrower?.receive(chunk);
  };
}
