import { mkdtempSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { systemClock } from '../foundation/index.ts';
import { createDatabase, type Database } from './database.ts';
import { type EmbeddedServer, removeEmbedded, startEmbedded } from './embedded/index.ts';
import type { Queryable } from './queries.ts';
import { transaction } from './transaction.ts';

/** A server of its own: it crashes while a COMMIT waits to be written, a tenth of a second with these settings. */
const settings = {
  max_connections: '20',
  commit_delay: '100000',
  commit_siblings: '0',
  wal_writer_delay: '10s',
  wal_writer_flush_after: '1GB',
};
let folder: string;
let server: EmbeddedServer;
let database: Database;

beforeAll(async () => {
  const state = fileURLToPath(new URL('../../.factline/', import.meta.url));
  folder = mkdtempSync(path.join(state, `outcome-${process.pid}-`));
  server = await startEmbedded({ directory: folder, settings });
  database = createDatabase({ url: server.url, applicationName: 'test' });
  await query('create table notes (id int)');
  await query('create table others (id int)');
});
afterAll(async () => {
  await database?.stop();
  await server?.stop();
  await removeEmbedded(folder);
});

const query = async (text: string): Promise<Record<string, unknown> | undefined> => {
  const client = new pg.Client({ connectionString: server.url });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query(text)).rows[0];
  } finally {
    await client.end().catch(() => {});
  }
};
const isThere = async (id: number): Promise<boolean> =>
  (await query(`select count(*)::int as notes from notes where id = ${id}`))?.['notes'] === 1;

/** The server crashes with this COMMIT. Whoever asks what became of it does so when others have its id. */
const commitIntoCrash = async (
  id: number,
  findWork?: (on: Queryable) => Promise<boolean | null>,
): Promise<string> => {
  const victim = new pg.Client({ connectionString: server.url });
  const gone = new Promise<void>((resolve) => victim.on('error', () => resolve()));
  await victim.connect();
  const { rows } = await victim.query('select pg_backend_pid() as pid');
  const asked = Promise.withResolvers<void>();
  const outcome = transaction(
    database.transactions,
    async (client) => {
      await client.query('insert into notes values ($1)', [id]);
      setTimeout(() => process.kill(Number(rows[0].pid), 'SIGKILL'), 30);
    },
    {
      clock: { ...systemClock, sleep: () => asked.promise },
      ...(findWork === undefined ? {} : { findWork }),
    },
  ).then(
    () => 'committed',
    (error: { code: string }) => error.code,
  );
  await gone;
  await vi.waitFor(() => query('select 1'), { timeout: 20_000 });
  for (let other = 0; other < 10; other += 1) await query('insert into others values (1)');
  asked.resolve();
  return outcome;
};

test.each([
  ['published nothing', 'COMMIT_OUTCOME_UNKNOWN', false],
  ['published', 'COMMIT_ABORTED', true],
])(
  'a transaction that %s is not told to be committed when the server crashed before, and gave its id to another',
  async (_what, told, looksFor) => {
    let isLost = false;
    // A commit that was quicker than the crash is there; then once more.
    for (let id = looksFor ? 100 : 0; !isLost; id += 1) {
      const outcome = await commitIntoCrash(id, looksFor ? () => isThere(id) : undefined);
      isLost = !(await isThere(id));
      if (isLost) expect(outcome).toBe(told);
      else expect(['committed', 'COMMIT_OUTCOME_UNKNOWN']).toContain(outcome);
    }
  },
  90_000,
);
