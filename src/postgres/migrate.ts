import { readdirSync, readFileSync } from 'node:fs';
import type pg from 'pg';
import { FactlineError } from '../foundation/index.ts';
import type { Database } from './database.ts';
import { loadQueries, type Queryable, run } from './queries.ts';
import { engineTransaction } from './transaction.ts';

const sql = loadQueries<'lock' | 'table' | 'schema' | 'exists' | 'applied' | 'note' | 'server'>(
  new URL('./migrate.sql', import.meta.url),
);
const folder = new URL('./migrations/', import.meta.url);

export interface Migration {
  readonly name: string;
  readonly text: string;
  /** `-- breaking` in its first line: an older release can't work with the schema it leaves. */
  readonly breaking: boolean;
}

export interface MigrateOptions {
  /** Called before each migration is applied. */
  readonly onStep?: (name: string) => void;
}

/** All migrations of this release, in order. */
export const migrations = (): readonly Migration[] =>
  readdirSync(folder)
    .filter((file) => /^\d{4}_[a-z0-9_]+\.sql$/.test(file))
    .sort()
    .map((file) => {
      const text = readFileSync(new URL(file, folder), 'utf8');
      return { name: file.replace(/\.sql$/, ''), text, breaking: /^-- breaking/.test(text) };
    });

/** The majors the proof of LOG.md was made for. */
const majorMin = 15;
const majorMax = 18;

/**
 * `isNewer`: than all that this release was tested with.
 * @throws FactlineError DATABASE_VERSION_UNSUPPORTED, DATABASE_READ_ONLY, DATABASE_UNREACHABLE, DATABASE_AUTHENTICATION_FAILED
 */
export const checkServer = async (
  on: Queryable,
  host: string,
): Promise<{ readonly version: string; readonly isNewer: boolean }> => {
  const [row] = await run(on, sql.server);
  const major = Math.floor(Number(row?.['version']) / 10_000);
  if (major < majorMin) {
    throw new FactlineError('DATABASE_VERSION_UNSUPPORTED', {
      version: row?.['text'],
      supported: `${majorMin} to ${majorMax}`,
    });
  }
  if (row?.['standby'] === true)
    throw new FactlineError('DATABASE_READ_ONLY', { host, reason: 'the server is a standby' });
  if (row?.['read_only'] === true) {
    throw new FactlineError('DATABASE_READ_ONLY', { host, reason: 'default_transaction_read_only is on' });
  }
  return { version: String(row?.['text']), isNewer: major > majorMax };
};

/** The names of migrations that the database lacks. */
export const pendingMigrations = async (on: Queryable): Promise<string[]> => {
  const applied = await appliedMigrations(on);
  refuseNewer(applied);
  return migrations()
    .filter(({ name }) => !applied.has(name))
    .map(({ name }) => name);
};

/**
 * Brings the schema `factline` up to this release: forward only, in one transaction under one advisory lock, so that any
 * number of processes may start at once.
 * @throws FactlineError MIGRATION_FAILED, MIGRATION_NEWER_THAN_CODE
 * @example await migrate(database)
 */
export const migrate = async (
  database: Database,
  options: MigrateOptions = {},
): Promise<{ applied: string[] }> => {
  if ((await pendingMigrations(database.operations)).length === 0) return { applied: [] };
  const { value } = await engineTransaction(database.operations, async (client) => {
    await run(client, sql.lock);
    await run(client, sql.schema);
    await run(client, sql.table);
    const pending = new Set(await pendingMigrations(client));
    const applied: string[] = [];
    for (const migration of migrations()) {
      if (!pending.has(migration.name)) continue;
      options.onStep?.(migration.name);
      await apply(client, migration);
      applied.push(migration.name);
    }
    return { applied };
  });
  return value;
};

const apply = async (client: pg.PoolClient, migration: Migration): Promise<void> => {
  try {
    await client.query(migration.text);
    await run(client, sql.note, [migration.name, migration.breaking]);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new FactlineError('MIGRATION_FAILED', { migration: migration.name, reason }, { cause: error });
  }
};

const appliedMigrations = async (on: Queryable): Promise<Map<string, boolean>> => {
  const [row] = await run(on, sql.exists);
  if (row?.['exists'] !== true) return new Map();
  const rows = await run(on, sql.applied);
  return new Map(rows.map((each) => [String(each['name']), each['breaking'] === true]));
};

const refuseNewer = (applied: ReadonlyMap<string, boolean>): void => {
  const known = new Set(migrations().map(({ name }) => name));
  for (const [name, breaking] of applied) {
    if (breaking && !known.has(name))
      throw new FactlineError('MIGRATION_NEWER_THAN_CODE', { migration: name });
  }
};
