import { spawn, spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { FactlineError, systemClock } from '../../foundation/index.ts';
import { giveToOwnerOf } from './account.ts';
import type { Binaries } from './binaries.ts';
import { processFacts } from './process-facts.ts';
import { program, spawnOptions } from './program.ts';
import type { StateDirectory } from './state-directory.ts';

/** A server that lives, whoever started it. */
export interface RunningServer {
  readonly pid: number;
  readonly port: number;
}

const pollMs = 10;
/** Crash recovery of a development database; the wait ends at once when the process ends. */
const readyMsMax = 120_000;
/** A fast shutdown waits for its checkpoint; after this time the server is stopped without one, which loses nothing. */
const stopMsMax = 30_000;
const killMsMax = 5_000;
const logBytesMax = 10_000_000;

/** `postmaster.pid` by lines: pid, data folder, start time, port, socket folder, address, shared memory, state. */
const readPidFile = (state: StateDirectory): string[] | undefined => {
  try {
    return readFileSync(path.join(state.dataDirectory, 'postmaster.pid'), 'utf8').split('\n');
  } catch (error) {
    // A server that ends removes the file at any moment.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
};

const separatorOf = (command: string): string => (command.includes('\0') ? '\0' : ' ');

/** The command line of the process, if it is the server of this data folder. */
const commandOf = (pid: number, state: StateDirectory): string | undefined => {
  const command = processFacts(pid)?.command;
  if (command === undefined || process.platform === 'win32') return command;
  // Another process may have been given the pid since: usual after kill -9 in a container.
  return command.includes(['-D', state.dataDirectory, '-h'].join(separatorOf(command))) ? command : undefined;
};

/** The server of this data folder, if one lives; what a dead one left is removed. */
export const findRunning = (state: StateDirectory): RunningServer | undefined => {
  const lines = readPidFile(state);
  if (!lines) return undefined;
  const pid = Math.abs(Number(lines[0]));
  if (commandOf(pid, state) !== undefined) return { pid, port: Number(lines[3]) };
  rmSync(path.join(state.dataDirectory, 'postmaster.pid'), { force: true });
  return undefined;
};

const settingArguments = (settings: Readonly<Record<string, string>>): string[] =>
  Object.entries({
    unix_socket_directories: '',
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...settings,
  }).flatMap(([name, value]) => ['-c', `${name}=${value}`]);

/** Whether a server found running was started with these settings. */
export const runsWith = (
  server: RunningServer,
  state: StateDirectory,
  settings: Readonly<Record<string, string>>,
): boolean => {
  const command = commandOf(server.pid, state);
  if (command === undefined || process.platform === 'win32') return command !== undefined;
  return command.includes(settingArguments(settings).join(separatorOf(command)));
};

const isReady = (pid: number, state: StateDirectory): boolean => {
  const lines = readPidFile(state);
  return Number(lines?.[0]) === pid && lines?.[7]?.trim() === 'ready';
};

export const whenReady = async (server: RunningServer, state: StateDirectory): Promise<boolean> => {
  const deadline = systemClock.monotonic() + readyMsMax;
  while (systemClock.monotonic() < deadline) {
    if (isReady(server.pid, state)) return true;
    if (!processFacts(server.pid)) return false;
    await systemClock.sleep(pollMs);
  }
  return false;
};

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });

const logFile = (state: StateDirectory): string => path.join(state.path, 'server.log');

const openLog = (state: StateDirectory): { descriptor: number; from: number } => {
  const file = logFile(state);
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  const descriptor = openSync(file, size > logBytesMax ? 'w' : 'a', 0o600);
  giveToOwnerOf(state.path, file);
  return { descriptor, from: size > logBytesMax ? 0 : size };
};

/** What the server said about its failed start: the first fatal line, or all of it. */
const complaint = (state: StateDirectory, from: number): string => {
  const said = readFileSync(logFile(state)).subarray(from).toString('utf8').trim();
  const fatal = said.split('\n').find((line) => /FATAL:|PANIC:/.test(line));
  return (
    fatal?.replace(/^.*?(FATAL|PANIC):\s*/, '') ?? (said === '' ? 'it said nothing' : said.slice(-1_000))
  );
};

interface StartOptions {
  readonly binaries: Binaries;
  readonly state: StateDirectory;
  readonly settings: Readonly<Record<string, string>>;
}

const launch = async (options: StartOptions): Promise<RunningServer | { readonly complaint: string }> => {
  const { binaries, state, settings } = options;
  const port = await freePort();
  const log = openLog(state);
  // Of its own session: Ctrl-C in the terminal must drain us first. It outlives us when we are killed; the next start adopts it.
  const child = spawn(
    program(binaries, 'postgres'),
    ['-D', state.dataDirectory, '-h', '127.0.0.1', '-p', String(port), ...settingArguments(settings)],
    { ...spawnOptions(state), detached: true, stdio: ['ignore', log.descriptor, log.descriptor] },
  );
  const failure = new Promise<string>((resolve) => child.once('error', (error) => resolve(error.message)));
  closeSync(log.descriptor);
  child.unref();
  if (child.pid === undefined) return { complaint: await failure };
  const server = { pid: child.pid, port };
  if (await whenReady(server, state)) return server;
  await stopServer(server, state);
  return { complaint: complaint(state, log.from) };
};

/** Between looking for a free port and binding it another process may take it: then another port is tried. */
const portTaken = 'could not create any TCP/IP sockets';
/** A backend outlives a server that was killed until its statement ends, and nobody may start beside it. */
const backendLeft = 'pre-existing shared memory block';
const retryPauseMs = 200;
const retryMsMax = 15_000;

export const startServer = async (options: StartOptions): Promise<RunningServer> => {
  const deadline = systemClock.monotonic() + retryMsMax;
  for (;;) {
    const launched = await launch(options);
    if ('pid' in launched) return launched;
    const mayPass = [portTaken, backendLeft].some((text) => launched.complaint.includes(text));
    if (!mayPass || systemClock.monotonic() > deadline) {
      throw new FactlineError('EMBEDDED_FAILED_TO_START', {
        reason: `${launched.complaint} (see ${logFile(options.state)})`,
      });
    }
    await systemClock.sleep(retryPauseMs);
  }
};

const whenGone = async (server: RunningServer, ms: number): Promise<boolean> => {
  const deadline = systemClock.monotonic() + ms;
  while (processFacts(server.pid)) {
    if (systemClock.monotonic() > deadline) return false;
    await systemClock.sleep(pollMs);
  }
  return true;
};

const signal = (server: RunningServer, name: NodeJS.Signals): void => {
  try {
    process.kill(server.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
};

/** Resolves when the process is gone: fast shutdown first, the immediate one when that hangs, at last a kill. */
export const stopServer = async (server: RunningServer, state: StateDirectory): Promise<void> => {
  if (commandOf(server.pid, state) === undefined) return;
  if (process.platform === 'win32') return stopOnWindows(server);
  signal(server, 'SIGINT');
  if (await whenGone(server, stopMsMax)) return;
  signal(server, 'SIGQUIT');
  if (await whenGone(server, killMsMax)) return;
  signal(server, 'SIGKILL');
  await whenGone(server, killMsMax);
};

/** Signals end a process without warning there; the server recovers from its log at the next start. */
const stopOnWindows = async (server: RunningServer): Promise<void> => {
  spawnSync('taskkill', ['/pid', String(server.pid), '/t', '/f'], { windowsHide: true });
  await whenGone(server, killMsMax);
};
