import pg from 'pg';
import { loadQueries, run, sqlState } from '../../postgres/index.ts';
import { type OwnDatabase, runBuilt, type TestServer } from '../own-database.ts';

const sql = loadQueries<'prepare' | 'restore'>(new URL('./saving.sql', import.meta.url));
const clockSql = loadQueries<'clock_statement'>(new URL('../testing.sql', import.meta.url));

const notPermitted = '42501';

const connected = async <T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> => {
  const client = new pg.Client({ connectionString: url, application_name: 'factline exploring' });
  client.on('error', () => {});
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
};

/**
 * Databases in the state of a template, one for each run. What a run gives back is restored for the next one; where that is not
 * possible (its tables were changed, or the role may not) it is dropped, and the next one is a new copy.
 */
export class SagaDatabases {
  readonly #server: TestServer;
  readonly #template: OwnDatabase;
  readonly #free: OwnDatabase[] = [];
  #restorable = false;

  constructor(server: TestServer, template: OwnDatabase) {
    this.#server = server;
    this.#template = template;
  }

  /** To be called once, when the template is as it shall be. */
  async prepare(): Promise<void> {
    this.#restorable = await connected(this.#template.url, async (client) => {
      try {
        await client.query(sql.prepare.text);
        return true;
      } catch (error) {
        if (sqlState(error) === notPermitted) return false;
        throw error;
      }
    });
    await this.#template.endBackends('');
  }

  async take(): Promise<OwnDatabase> {
    return this.#free.pop() ?? this.#server.createDatabase(this.#template);
  }

  /** Connections of the user's own may stay, as long as they do nothing. */
  async giveBack(database: OwnDatabase): Promise<void> {
    await database.whenIdle();
    if (await this.#restore(database)) this.#free.push(database);
    else await database.drop();
  }

  async end(): Promise<void> {
    for (const database of [...this.#free, this.#template]) await database.drop();
  }

  #restore(database: OwnDatabase): Promise<boolean> {
    if (!this.#restorable) return Promise.resolve(false);
    return connected(database.url, async (client) => {
      await runBuilt(client, clockSql.clock_statement, '0 milliseconds');
      const [row] = await run(client, sql.restore);
      return row?.['restored'] === true;
    });
  }
}
