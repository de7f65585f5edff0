import pg from 'pg';
import { createFactlineWith, type Factline, internals, systemSeams } from '../../app/index.ts';
import type { LogReport } from '../../log/index.ts';
import { loadQueries, run, sqlState } from '../../postgres/index.ts';
import { type OwnDatabase, runBuilt, type TestServer } from '../own-database.ts';
import { appOptionsOf, consumersOf, placeOf } from './given-saga.ts';
import { KeptSessions } from './kept-sessions.ts';
import { OutsideWorld } from './outside.ts';
import type { CrashScenario, Saga } from './scenario.ts';

const sql = loadQueries<'prepare' | 'restore'>(new URL('./saving.sql', import.meta.url));
const clockSql = loadQueries<'clock_statement'>(new URL('../testing.sql', import.meta.url));

const notPermitted = '42501';

/** A database for run after run, with what works in it whichever life the saga is in. */
export interface SagaDatabase extends OwnDatabase {
  /** Never started: it publishes and reads. What it has opened, caches included, serves the next run as well. */
  readonly surroundings: Factline;
  /** What they have found at their start: hundreds of lives need not look again. */
  readonly prepared: LogReport;
  /** For the lives of its apps. */
  readonly sessions: KeptSessions;
  /** Moves the database's clock, so far from the server's. */
  moveClock(ms: number): Promise<void>;
}

/** A statement that moves the clock costs every session its plans: it is put back only where it was moved. */
class MovableClock {
  readonly #surroundings: Factline;
  #aheadMs = 0;

  constructor(surroundings: Factline) {
    this.#surroundings = surroundings;
  }

  async move(ms: number): Promise<void> {
    if (ms === this.#aheadMs) return;
    const { database } = await internals(this.#surroundings).open();
    await runBuilt(database.transactions, clockSql.clock_statement, `${ms} milliseconds`);
    this.#aheadMs = ms;
  }
}

export interface SagaDatabasesOptions {
  readonly saga: Saga;
  readonly scenario: CrashScenario;
  readonly server: TestServer;
  readonly template: OwnDatabase;
}

/**
 * Databases in the state of a template, one for each run. What a run gives back is restored for the next one; where that is not
 * possible (its tables were changed, or the role may not) it is dropped, and the next one is a new copy.
 */
export class SagaDatabases {
  readonly #options: SagaDatabasesOptions;
  readonly #all = new Set<SagaDatabase>();
  readonly #free: SagaDatabase[] = [];
  #restorable = false;

  constructor(options: SagaDatabasesOptions) {
    this.#options = options;
  }

  /** To be called once, when the template is as it shall be. */
  async prepare(): Promise<void> {
    const { template } = this.#options;
    const client = new pg.Client({
      connectionString: template.url,
      application_name: 'factline exploring',
    });
    client.on('error', () => {});
    await client.connect();
    try {
      await client.query(sql.prepare.text);
      this.#restorable = true;
    } catch (error) {
      if (sqlState(error) !== notPermitted) throw error;
    } finally {
      await client.end();
    }
    await template.endBackends('');
  }

  async take(): Promise<SagaDatabase> {
    return this.#free.pop() ?? this.#make();
  }

  /** Connections of the user's own may stay, as long as they do nothing. */
  async giveBack(database: SagaDatabase): Promise<void> {
    await database.whenIdle();
    if (await this.#restore(database)) this.#free.push(database);
    else await this.#drop(database);
  }

  async end(): Promise<void> {
    for (const database of this.#all) await this.#drop(database);
    await this.#options.template.drop();
  }

  async #make(): Promise<SagaDatabase> {
    const { saga, scenario, server, template } = this.#options;
    const database = await server.createDatabase(template);
    const place = placeOf(database.url, () => surroundings);
    const consumers = consumersOf(typeof saga === 'function' ? saga(new OutsideWorld().door(), place) : saga);
    const surroundings: Factline = createFactlineWith(
      { ...appOptionsOf(scenario), consumers, database: database.url, handleSignals: false },
      systemSeams,
    );
    const { log: prepared } = await internals(surroundings).open();
    const clock = new MovableClock(surroundings);
    const moveClock = (ms: number): Promise<void> => clock.move(ms);
    const made = { ...database, surroundings, prepared, sessions: new KeptSessions(database), moveClock };
    this.#all.add(made);
    return made;
  }

  async #restore({ surroundings, moveClock }: SagaDatabase): Promise<boolean> {
    if (!this.#restorable || internals(surroundings).started()) return false;
    const { transactions } = (await internals(surroundings).open()).database;
    await moveClock(0);
    const [row] = await run(transactions, sql.restore);
    return row?.['restored'] === true;
  }

  async #drop(database: SagaDatabase): Promise<void> {
    this.#all.delete(database);
    await database.surroundings.stop();
    await database.sessions.end();
    await database.drop();
  }
}
