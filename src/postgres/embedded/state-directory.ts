import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { FactlineError } from '../../foundation/index.ts';
import { type Account, accountFor, canReach, giveToOwnerOf } from './account.ts';

/**
 * Everything of one embedded server: `pgdata/`, `password`, `server.log` and `users/`.
 * `account` is undefined when the server runs as this process's own user.
 */
export interface StateDirectory {
  readonly path: string;
  readonly dataDirectory: string;
  readonly account: Account | undefined;
}

/** Survives reboots, and every account can pass through it. */
const systemDirectory = '/var/tmp';

/** In the folder that was asked for: names the folder that is used instead. */
const locationFile = 'location';

/** A folder of ours in the system's temporary folder; refused when anybody but root made or could change it. */
export const rootOwnedDirectory = (name: string): string => {
  const folder = path.join(systemDirectory, name);
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const stats = lstatSync(folder);
  if (stats.isDirectory() && stats.uid === 0 && (stats.mode & 0o022) === 0) return folder;
  throw new FactlineError('EMBEDDED_FAILED_TO_START', {
    reason: `${folder} must be a folder that belongs to root and that nobody else can change; remove it`,
  });
};

const redirectedName = (requested: string): string =>
  `factline-${createHash('sha256').update(requested).digest('hex').slice(0, 16)}`;

/** The folder that stands in for this one, when one does. */
export const redirection = (directory: string): string | undefined => {
  const file = path.join(directory, locationFile);
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined;
};

const describe = (folder: string, account: Account | undefined): StateDirectory => ({
  path: folder,
  dataDirectory: path.join(folder, 'pgdata'),
  account,
});

const redirect = (requested: string, onNotice: ((line: string) => void) | undefined): string => {
  const folder = path.join(systemDirectory, redirectedName(requested));
  // Without the pointer to it the folder that was asked for is new, and so must be its data.
  if (redirection(requested) !== folder) rmSync(folder, { recursive: true, force: true });
  rootOwnedDirectory(path.basename(folder));
  writeFileSync(path.join(requested, locationFile), `${folder}\n`);
  onNotice?.(`PostgreSQL's data is in ${folder}: run by root it may not enter ${requested}`);
  return folder;
};

/**
 * The folder itself, or one in its place that PostgreSQL's account can reach. Call it while holding the lock of the
 * folder that was asked for, which exists.
 */
export const openStateDirectory = (directory: string, onNotice?: (line: string) => void): StateDirectory => {
  const requested = realpathSync(directory);
  const here = describe(requested, accountFor(path.join(requested, 'pgdata')));
  if (here.account === undefined || existsSync(here.dataDirectory)) return here;
  if (redirection(requested) === undefined && canReach(requested, here.account)) return here;
  const folder = redirect(requested, onNotice);
  return describe(folder, accountFor(path.join(folder, 'pgdata')));
};

/** What a killed initdb left; call it only while holding the lock. */
export const removeHalfMadeClusters = (state: StateDirectory): void => {
  for (const name of readdirSync(state.path)) {
    if (name.startsWith('pgdata.')) rmSync(path.join(state.path, name), { recursive: true, force: true });
  }
};

export const writeStateFile = (state: StateDirectory, name: string, text: string): string => {
  const file = path.join(state.path, name);
  writeFileSync(file, text, { mode: 0o600 });
  giveToOwnerOf(state.path, file);
  return file;
};
