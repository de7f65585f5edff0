import { spawn } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { FactlineError, systemRandomness } from '../../foundation/index.ts';
import type { Binaries } from './binaries.ts';
import { program, spawnOptions } from './program.ts';
import { removeHalfMadeClusters, type StateDirectory, writeStateFile } from './state-directory.ts';

const passwordFile = 'password';
const passwordBytes = 24;

/** The superuser's password; made with the cluster and kept beside it, readable by its owner only. */
export const readPassword = (state: StateDirectory): string => {
  const file = path.join(state.path, passwordFile);
  if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  throw new FactlineError('EMBEDDED_FAILED_TO_START', {
    reason: `${file} is missing, and without it nobody can log in; remove ${state.path} to begin with an empty database`,
  });
};

/** Version 15 has no built-in locale provider; its C locale sorts the same. */
const localeArguments = (major: number): string[] =>
  major >= 17 ? ['--locale-provider=builtin', '--locale=C.UTF-8'] : ['--locale=C'];

const runInitdb = (
  binaries: Binaries,
  state: StateDirectory,
  files: { data: string; password: string },
): Promise<void> =>
  new Promise((resolve, reject) => {
    const child = spawn(
      program(binaries, 'initdb'),
      [
        `--pgdata=${files.data}`,
        '--username=postgres',
        '--auth=scram-sha-256',
        `--pwfile=${files.password}`,
        '--encoding=UTF8',
        ...localeArguments(binaries.major),
        '--no-sync',
        '--no-instructions',
      ],
      { ...spawnOptions(state), stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let output = '';
    const collect = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-4_000);
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    const fail = (reason: string, cause?: unknown): void =>
      reject(new FactlineError('EMBEDDED_FAILED_TO_START', { reason }, { cause }));
    child.on('error', (error) => fail(`initdb cannot be run: ${error.message}`, error));
    child.on('close', (code, signal) => {
      if (code === 0) resolve();
      else fail(`initdb ended with ${signal ?? `exit code ${code}`}: ${output.trim()}`);
    });
  });

/**
 * Makes the cluster when there is none. It is made under another name and then renamed, so a half-made one never
 * counts. Call it while holding the lock.
 */
export const ensureCluster = async (binaries: Binaries, state: StateDirectory): Promise<void> => {
  removeHalfMadeClusters(state);
  if (existsSync(path.join(state.dataDirectory, 'PG_VERSION'))) return refuseOtherMajor(binaries, state);
  const data = `${state.dataDirectory}.${process.pid}`;
  const password = Buffer.from(systemRandomness.bytes(passwordBytes)).toString('base64url');
  writeStateFile(state, passwordFile, `${password}\n`);
  const passwordForInitdb = writeStateFile(state, `${passwordFile}.initdb`, `${password}\n`);
  mkdirSync(data, { mode: 0o700 });
  if (state.account) {
    chownSync(data, state.account.uid, state.account.gid);
    chownSync(passwordForInitdb, state.account.uid, state.account.gid);
  }
  try {
    await runInitdb(binaries, state, { data, password: passwordForInitdb });
    renameSync(data, state.dataDirectory);
  } finally {
    rmSync(passwordForInitdb, { force: true });
    rmSync(data, { recursive: true, force: true });
  }
};

const refuseOtherMajor = (binaries: Binaries, state: StateDirectory): void => {
  const major = Number(readFileSync(path.join(state.dataDirectory, 'PG_VERSION'), 'utf8'));
  if (major === binaries.major) return;
  throw new FactlineError('EMBEDDED_FAILED_TO_START', {
    reason: `the data in ${state.path} is PostgreSQL ${major}'s, installed is ${binaries.version}; remove that folder to begin with an empty database`,
  });
};
