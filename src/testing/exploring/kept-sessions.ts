import { Duplex } from 'node:stream';
import type { OwnDatabase } from '../own-database.ts';
import { KeptSession } from './kept-session.ts';

/*
 * A session costs the server a process that begins with empty caches, and the lives of an explored saga would need a thousand.
 * Here the sessions of one life go on to the next one. No life sees that: each connects anew and is greeted, and when it dies
 * its connections break at once. What the server held for them ends as it does when a process is killed:
 *
 *   idle                    session locks, LISTEN, settings and temporary tables go; prepared statements stay, which nobody notices
 *   idle in a transaction   ROLLBACK, then the same
 *   at work                 the server ends it, and it is not kept
 */

/** The sessions of one database. */
export class KeptSessions {
  readonly #database: OwnDatabase;
  /** By the settings that they were opened with: those RESET ALL puts back. */
  readonly #free = new Map<string, KeptSession[]>();
  #opened = 0;

  constructor(database: OwnDatabase) {
    this.#database = database;
  }

  /** For one life of an app. */
  loan(): Loan {
    return new Loan(this);
  }

  async take(settings: string): Promise<KeptSession> {
    const free = this.#free.get(settings)?.pop();
    if (free !== undefined) return free;
    this.#opened += 1;
    return KeptSession.open(
      { connectionString: this.#database.url, options: settings },
      `kept-${this.#opened}-`,
    );
  }

  async giveBack(session: KeptSession, settings: string): Promise<void> {
    if (!(await session.takeBack(this.#database))) return;
    const free = this.#free.get(settings) ?? [];
    this.#free.set(settings, free);
    free.push(session);
  }

  async end(): Promise<void> {
    await Promise.all([...this.#free.values()].flat().map((session) => session.end()));
  }
}

/** What one life has borrowed. */
export class Loan {
  readonly #sessions: KeptSessions;
  readonly #streams = new Set<LentStream>();
  readonly #returning = new Set<Promise<void>>();
  #over = false;

  constructor(sessions: KeptSessions) {
    this.#sessions = sessions;
  }

  /** For a connection with these settings. */
  readonly stream = (settings: string): Duplex => {
    const stream = new LentStream(this.#sessions, settings, (returned) => {
      this.#streams.delete(stream);
      this.#returning.add(returned);
      void returned.finally(() => this.#returning.delete(returned));
    });
    this.#streams.add(stream);
    if (this.#over) stream.destroy();
    return stream;
  };

  /** Breaks all connections, as the end of the process does. Resolves when nothing of them is left on the server. */
  async end(): Promise<void> {
    this.#over = true;
    for (const stream of this.#streams) stream.destroy();
    while (this.#returning.size > 0) await Promise.all(this.#returning);
  }
}

/** The client's end of the protocol: "close this session". */
const terminate = 'X'.charCodeAt(0);

/** Stands where pg's client has its socket. */
class LentStream extends Duplex {
  readonly #sessions: KeptSessions;
  readonly #settings: string;
  readonly #onReturn: (returned: Promise<void>) => void;
  #taking: Promise<KeptSession> | undefined;
  #session: KeptSession | undefined;
  #greeted = false;

  constructor(sessions: KeptSessions, settings: string, onReturn: (returned: Promise<void>) => void) {
    super();
    this.#sessions = sessions;
    this.#settings = settings;
    this.#onReturn = onReturn;
  }

  connect(): void {
    if (this.destroyed) return;
    this.#taking = this.#sessions.take(this.#settings);
    this.#taking.then(
      (session) => {
        session.lend({ receive: (chunk) => void this.push(chunk), onBreak: () => void this.destroy() });
        this.#session = session;
        if (!this.destroyed) this.emit('connect');
      },
      (error) => this.destroy(error),
    );
  }

  // What a socket has besides.
  setNoDelay(): void {}
  setKeepAlive(): void {}
  ref(): void {}
  unref(): void {}

  override _read(): void {}

  override _write(chunk: Buffer, _: unknown, done: () => void): void {
    this._writev([{ chunk }], done);
  }

  override _writev(written: readonly { readonly chunk: Buffer }[], done: () => void): void {
    const session = this.#session as KeptSession;
    // The first message asks for what the session has already.
    if (!this.#greeted) this.push(session.greeting);
    const messages = written.map(({ chunk }) => chunk).slice(this.#greeted ? 0 : 1);
    this.#greeted = true;
    session.send(messages.filter((message) => message[0] !== terminate));
    done();
  }

  override _final(done: () => void): void {
    this.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#onReturn(this.#giveBack());
    done(error);
  }

  async #giveBack(): Promise<void> {
    // It may be on its way; one that can't be had need not be given back.
    const session = await this.#taking?.catch(() => undefined);
    if (session !== undefined) await this.#sessions.giveBack(session, this.#settings);
  }
}
