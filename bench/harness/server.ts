import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startEmbedded } from 'factline/embedded';
import type pg from 'pg';
import { connectAdministrator } from './run.ts';

/** A durable PostgreSQL of the benchmark's own. */
export interface BenchServer {
  readonly url: string;
  readonly version: string;
  /** Of the postmaster. */
  readonly processId: number;
  readonly administrator: pg.Client;
  readonly settings: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** Durable: fsync and synchronous_commit stay on. The rest keeps checkpoints out of the measured part. */
const settings = {
  max_connections: '300',
  shared_buffers: '1GB',
  max_wal_size: '8GB',
  checkpoint_timeout: '30min',
  shared_preload_libraries: 'pg_stat_statements',
};

export const startBenchServer = async (): Promise<BenchServer> => {
  const directory = fileURLToPath(new URL('../../.factline/bench', import.meta.url));
  const server = await startEmbedded({ directory, settings });
  const administrator = await connectAdministrator(server.url);
  await administrator.query('create extension if not exists pg_stat_statements');
  const [pid = ''] = readFileSync(path.join(server.dataDirectory, 'postmaster.pid'), 'utf8').split('\n');
  return {
    url: server.url,
    version: server.version,
    processId: Number(pid),
    administrator,
    settings,
    stop: async () => {
      await administrator.end();
      await server.stop();
    },
  };
};
