import { spawnSync } from 'node:child_process';
import { chownSync, lstatSync, type Stats, statSync } from 'node:fs';
import path from 'node:path';
import { FactlineError } from '../../foundation/index.ts';

/** The operating-system account that PostgreSQL runs under. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

export const isRoot = (): boolean => process.getuid?.() === 0;

const idOfNobody = (flag: '-u' | '-g'): number => {
  const id = spawnSync('id', [flag, 'nobody'], { encoding: 'utf8' });
  const number = Number.parseInt(id.stdout ?? '', 10);
  if (Number.isSafeInteger(number)) return number;
  throw new FactlineError('EMBEDDED_FAILED_TO_START', {
    reason: 'PostgreSQL does not run as root, and this system has no user "nobody" to run it as',
  });
};

/**
 * PostgreSQL refuses to run as root. Then it runs as whoever owns the data, and new data belongs to `nobody`:
 * a clone first used by a normal user keeps its database when root starts it.
 * Undefined means: as the user who runs this process.
 */
export const accountFor = (dataDirectory: string): Account | undefined => {
  if (!isRoot()) return undefined;
  const owner = lstatSync(dataDirectory, { throwIfNoEntry: false });
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  return { uid: idOfNobody('-u'), gid: idOfNobody('-g') };
};

const permits = (stats: Stats, account: Account, bits: number): boolean => {
  const shift = stats.uid === account.uid ? 6 : stats.gid === account.gid ? 3 : 0;
  return ((stats.mode >> shift) & bits) === bits;
};

const readAndEnter = 0o5;
const enter = 0o1;

/** Whether the account can reach this path and read it: each parent folder must let it through. */
export const canReach = (target: string, account: Account): boolean => {
  if (!permits(statSync(target), account, readAndEnter)) return false;
  for (let folder = path.dirname(target); ; folder = path.dirname(folder)) {
    if (!permits(statSync(folder), account, enter)) return false;
    if (folder === path.dirname(folder)) return true;
  }
};

/** What root writes into a folder belongs to the folder's owner, who would otherwise be locked out of it. */
export const giveToOwnerOf = (folder: string, file: string): void => {
  if (!isRoot()) return;
  const owner = statSync(folder);
  chownSync(file, owner.uid, owner.gid);
};
