import path from 'node:path';
import type { Binaries } from './binaries.ts';
import type { StateDirectory } from './state-directory.ts';

export const program = (binaries: Binaries, name: 'initdb' | 'postgres' | 'pg_ctl'): string =>
  path.join(binaries.folder, 'native', 'bin', process.platform === 'win32' ? `${name}.exe` : name);

interface ProgramOptions {
  /** Its account may not be allowed to enter our working directory. */
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly windowsHide: true;
  readonly uid?: number;
  readonly gid?: number;
}

/** Settings and locale must not leak in from the developer's shell (PGPORT, LC_ALL, …). */
const cleanEnvironment = (): NodeJS.ProcessEnv => {
  const kept: NodeJS.ProcessEnv = { LC_ALL: 'C', TZ: 'UTC' };
  for (const name of ['PATH', 'SystemRoot', 'TEMP', 'TMP']) {
    const value = process.env[name];
    if (value !== undefined) kept[name] = value;
  }
  return kept;
};

export const spawnOptions = (state: StateDirectory): ProgramOptions => ({
  cwd: path.parse(state.path).root,
  env: cleanEnvironment(),
  windowsHide: true,
  ...state.account,
});
