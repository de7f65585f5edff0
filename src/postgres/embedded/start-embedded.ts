import { existsSync, mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { FactlineError } from '../../foundation/index.ts';
import { type Binaries, findBinaries, usableBinaries } from './binaries.ts';
import { ensureCluster, readPassword } from './cluster.ts';
import { withLock } from './lock.ts';
import {
  findRunning,
  type RunningServer,
  runsWith,
  startServer,
  stopServer,
  whenReady,
} from './server-process.ts';
import { openStateDirectory, redirection, type StateDirectory } from './state-directory.ts';
import { join, leave } from './users.ts';

export interface EmbeddedOptions {
  /** Where everything of this server is kept; made when it does not exist. See `embeddedDirectory`. */
  readonly directory: string;
  /** 15 comes only with Factline's own repository. Default: 18. */
  readonly version?: 15 | 18;
  /** Server settings, as in postgresql.conf. Default: the server's own, which are durable. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Told in one line each what a developer may wonder about: where the data went, what was adopted. */
  readonly onNotice?: (line: string) => void;
}

export interface EmbeddedServer {
  /** Logs in as the superuser `postgres`; contains the password. */
  readonly url: string;
  /** Like `18.4`. */
  readonly version: string;
  readonly dataDirectory: string;
  /** Resolves when the server has ended; when another living process uses it too, that one stops it. May be called twice. */
  stop(): Promise<void>;
}

/** `.factline/postgres` beside the nearest package.json above `from`. */
export const embeddedDirectory = (from: string = process.cwd()): string => {
  let folder = path.resolve(from);
  while (!existsSync(path.join(folder, 'package.json')) && folder !== path.dirname(folder))
    folder = path.dirname(folder);
  const root = existsSync(path.join(folder, 'package.json')) ? folder : path.resolve(from);
  return path.join(root, '.factline', 'postgres');
};

const adopt = async (state: StateDirectory, options: EmbeddedOptions): Promise<RunningServer | undefined> => {
  const server = findRunning(state);
  if (!server) return undefined;
  if (runsWith(server, state, options.settings ?? {}) && (await whenReady(server, state))) {
    options.onNotice?.(`PostgreSQL was still running (pid ${server.pid})`);
    return server;
  }
  await stopServer(server, state);
  return undefined;
};

const bringUp = async (
  binaries: Binaries,
  state: StateDirectory,
  options: EmbeddedOptions,
): Promise<RunningServer> => {
  const adopted = await adopt(state, options);
  if (adopted) return adopted;
  const usable = usableBinaries(binaries, state);
  await ensureCluster(usable, state);
  return startServer({ binaries: usable, state, settings: options.settings ?? {} });
};

interface Served {
  readonly directory: string;
  readonly version: string;
  readonly state: StateDirectory;
  readonly server: RunningServer;
}

const serve = ({ directory, version, state, server }: Served): EmbeddedServer => {
  const note = join(state);
  let stopping: Promise<void> | undefined;
  return {
    url: `postgres://postgres:${readPassword(state)}@127.0.0.1:${server.port}/postgres`,
    version,
    dataDirectory: state.dataDirectory,
    stop: () => {
      stopping ??= withLock(directory, async () => {
        if (leave(state, note)) await stopServer(server, state);
      });
      return stopping;
    },
  };
};

/**
 * Starts a PostgreSQL server of our own for development and tests, or adopts the one that a killed process left running.
 * It listens on 127.0.0.1 only, on a free port, and is durable like any other server.
 * @throws FactlineError EMBEDDED_REFUSED_IN_PRODUCTION, EMBEDDED_NOT_INSTALLED, EMBEDDED_FAILED_TO_START
 * @example
 * const server = await startEmbedded({ directory: embeddedDirectory() });
 * // … connect to server.url …
 * await server.stop();
 */
export const startEmbedded = async (options: EmbeddedOptions): Promise<EmbeddedServer> => {
  if (process.env['NODE_ENV'] === 'production') throw new FactlineError('EMBEDDED_REFUSED_IN_PRODUCTION');
  const binaries = findBinaries(options.version ?? 18);
  const { directory, onNotice } = options;
  mkdirSync(directory, { recursive: true });
  return withLock(directory, async () => {
    const state = openStateDirectory(directory, onNotice);
    const server = await bringUp(binaries, state, options);
    return serve({ directory, version: binaries.version, state, server });
  });
};

/** Stops the server of this folder, whoever uses it, and removes the folder with all data. */
export const removeEmbedded = async (directory: string): Promise<void> => {
  if (!existsSync(directory)) return;
  await withLock(directory, async () => {
    const state = openStateDirectory(directory);
    const server = findRunning(state);
    if (server) await stopServer(server, state);
    const elsewhere = redirection(directory);
    if (elsewhere) rmSync(elsewhere, { recursive: true, force: true });
    rmSync(directory, { recursive: true, force: true });
  });
};
