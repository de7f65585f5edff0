import { existsSync } from 'node:fs';
import { FactlineError } from '../foundation/index.ts';
import {
  checkServer,
  createDatabase,
  type Database,
  embeddedDirectory,
  hostOf,
  pendingMigrations,
  startEmbedded,
} from '../postgres/index.ts';
import type { CommandContext, CommandOption } from './command.ts';
import { appOption, type LoadedApp, loadAppIfAny } from './configuration.ts';

export const databaseOptions: readonly CommandOption[] = [
  {
    name: 'database',
    value: 'URL',
    help: "postgres://user:password@host:port/database. Default: the app's, else DATABASE_URL, else the embedded server of this folder.",
  },
  appOption,
];

export interface Connected {
  readonly database: Database;
  /** Null where there is no configuration in this folder. */
  readonly app: LoadedApp | null;
}

export interface ConnectOptions {
  /** 'current': missing migrations are an error. Default. */
  readonly schema?: 'current' | 'any';
  /** Whether an embedded server is made where the folder has none yet. Default: false. */
  readonly makeEmbedded?: boolean;
}

/**
 * Connects as the options say, does the work and leaves nothing open.
 * @throws FactlineError DATABASE_URL_MISSING, DATABASE_UNREACHABLE, DATABASE_AUTHENTICATION_FAILED, DATABASE_READ_ONLY,
 *   DATABASE_VERSION_UNSUPPORTED, MIGRATION_PENDING
 */
export const withDatabase = async <T>(
  context: CommandContext,
  work: (connected: Connected) => Promise<T>,
  { schema = 'current', makeEmbedded = false }: ConnectOptions = {},
): Promise<T> => {
  const asked = context.given.text('database');
  const app =
    asked === undefined || context.given.text('app') !== undefined ? await loadAppIfAny(context) : null;
  const ofApp = app?.internals.settings.database;
  const address = await addressOf(context, asked ?? ofApp, makeEmbedded);
  const urlOption = asked !== undefined ? '--database' : ofApp !== undefined ? 'database' : 'DATABASE_URL';
  const database = createDatabase({ url: address.url, urlOption, applicationName: 'factline cli' });
  try {
    if (schema === 'current') {
      await checkServer(database.operations, hostOf(database.url));
      await requireSchema(database);
    }
    return await work({ database, app });
  } finally {
    await database.stop();
    await address.close();
  }
};

const requireSchema = async (database: Database): Promise<void> => {
  const pending = await pendingMigrations(database.operations);
  if (pending.length > 0) throw new FactlineError('MIGRATION_PENDING', { migrations: pending });
};

interface Address {
  readonly url: string;
  close(): Promise<void>;
}

const addressOf = async (
  { terminal }: CommandContext,
  configured: string | undefined,
  makeEmbedded: boolean,
): Promise<Address> => {
  const url = configured ?? (terminal.environment['DATABASE_URL'] || undefined);
  if (url !== undefined) return { url, close: async () => {} };
  const directory = embeddedDirectory(terminal.directory);
  if (!makeEmbedded && !existsSync(directory)) throw new FactlineError('DATABASE_URL_MISSING');
  // That it runs already is no news for who looks at a running app.
  const onNotice = makeEmbedded ? { onNotice: (line: string): void => terminal.err(line) } : {};
  const server = await startEmbedded({ directory, ...onNotice });
  return { url: server.url, close: () => server.stop() };
};
