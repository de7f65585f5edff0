import type pg from 'pg';
import { createDatabase, type Database } from '../../src/postgres/index.ts';

/** Which statement of a process is its last, counted from 1, and whether the server still does it. */
export interface Death {
  readonly at: number;
  readonly when: 'before' | 'after';
}

export interface DyingDatabase {
  readonly database: Database;
  /** Those that were sent. */
  readonly statements: readonly string[];
  /** Resolves when its connections are cut. Whatever waits for an answer waits for ever, as what is dead does. */
  readonly dead: Promise<void>;
  /** Nothing to do for one that has died. */
  stop(): Promise<void>;
}

/** What a process has of PostgreSQL that is gone at one of its statements, as by kill -9: no rollback, no farewell. */
export const openDyingDatabase = (url: string, death?: Death): DyingDatabase => {
  const database = createDatabase({ url, applicationName: 'dying' });
  const statements: string[] = [];
  const clients: pg.PoolClient[] = [];
  const dead = Promise.withResolvers<void>();
  let isDead = false;
  const die = (): Promise<never> => {
    isDead = true;
    for (const client of clients) (client as unknown as DrivenClient).connection.stream.destroy();
    dead.resolve();
    return new Promise(() => {});
  };
  const bind = (client: pg.PoolClient): void => {
    clients.push(client);
    const driven = client as unknown as DrivenClient;
    // It was on its way when the process died.
    if (isDead) driven.connection.stream.destroy();
    const send = driven.query.bind(driven);
    driven.query = (...given) => {
      if (isDead) return new Promise(() => {});
      const [statement] = given;
      const text = textOf(statement);
      const isLast = statements.push(text) === death?.at;
      if (!isLast) return send(...given);
      if (death.when === 'before') return die();
      if (typeof statement !== 'string' && statement.finished !== undefined) {
        void statement.finished.then(die, die);
        return send(statement);
      }
      // The pool's own `query` waits by a callback, which would tell what the dead must not hear.
      const unheard = given.filter((each) => typeof each !== 'function') as unknown as typeof given;
      return Promise.resolve(send(...unheard)).then(die, die);
    };
  };
  for (const pool of [database.transactions, database.handlers, database.readers, database.operations])
    pool.on('connect', bind);
  return {
    database,
    statements,
    dead: dead.promise,
    // The dead hold clients that nobody will ever give back.
    stop: async () => {
      if (!isDead) await database.stop();
    },
  };
};

/** A statement as pg takes it. The one with which a transaction ends goes together with its COMMIT (src/postgres/finish-query.ts). */
type Statement = string | { readonly text?: string; readonly finished?: Promise<unknown> };

const textOf = (statement: Statement): string => {
  if (typeof statement === 'string') return statement;
  return statement.finished === undefined ? (statement.text ?? 'begin') : 'commit';
};

/** What this file knows of the inside of pg. */
interface DrivenClient {
  readonly connection: { readonly stream: { destroy(): void } };
  query(...given: [Statement, ...unknown[]]): unknown;
}
