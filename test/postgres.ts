import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { removeEmbedded, startEmbedded } from '../src/postgres/embedded/index.ts';
import { markLives, processFacts, processMark } from '../src/postgres/embedded/process-facts.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Logs in as the superuser of the PostgreSQL server that this run of the tests owns. */
    databaseUrl: string;
  }
}

const stateFolder = fileURLToPath(new URL('../.factline/', import.meta.url));

/**
 * What the tests need beyond the defaults. No fsync: nothing here cuts the power, and a kill -9 of any process loses
 * nothing without it; a test about durability starts a server of its own.
 */
const settings = {
  fsync: 'off',
  max_connections: '200',
  max_prepared_transactions: '20',
  shared_preload_libraries: 'pg_stat_statements',
  track_commit_timestamp: 'off',
};

const ownerFile = 'owner';

const ownerLives = (folder: string, pid: number): boolean => {
  const owner = path.join(folder, ownerFile);
  return existsSync(owner) ? markLives(readFileSync(owner, 'utf8')) : processFacts(pid) !== undefined;
};

/** Stops and removes the servers of runs that were killed before they could do it. */
const sweep = async (): Promise<void> => {
  for (const name of readdirSync(stateFolder)) {
    const pid = Number(/^(?:test|stress)-(\d+)$/.exec(name)?.[1]);
    const folder = path.join(stateFolder, name);
    if (Number.isNaN(pid) || ownerLives(folder, pid)) continue;
    await removeEmbedded(folder).catch(() => rmSync(folder, { recursive: true, force: true }));
  }
};

const version = (): 15 | 18 => {
  const wanted = process.env['FACTLINE_TEST_POSTGRES'] ?? '18';
  if (wanted === '15') return 15;
  if (wanted === '18') return 18;
  throw new Error(`FACTLINE_TEST_POSTGRES is 15 or 18, not ${wanted}`);
};

/**
 * Vitest's global set-up: one PostgreSQL server for the whole run, in `.factline/test-<pid>`. With
 * FACTLINE_TEST_DATABASE_URL the tests use that server instead (16 and 17, by hand).
 */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env['FACTLINE_TEST_DATABASE_URL'];
  if (given) {
    project.provide('databaseUrl', given);
    return async () => {};
  }
  const folder = path.join(stateFolder, `test-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, ownerFile), processMark());
  await sweep();
  const server = await startEmbedded({ directory: folder, version: version(), settings }).catch(
    async (error: unknown) => {
      await removeEmbedded(folder);
      throw error;
    },
  );
  project.provide('databaseUrl', server.url);
  return () => removeEmbedded(folder);
}
