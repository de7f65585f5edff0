import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { removeEmbedded } from '../src/postgres/embedded/index.ts';
import { markLives, processFacts, processMark } from '../src/postgres/embedded/process-facts.ts';

const stateFolder = fileURLToPath(new URL('../.factline/', import.meta.url));
const ownerFile = 'owner';
/** Names the folder in memory that holds the server instead. */
const memoryFile = 'memory';

const memory = '/dev/shm';
const gigabyte = 2 ** 30;
const memoryFreeMin = 4 * gigabyte;
const availableMin = 6 * gigabyte;

/**
 * The tests make and drop hundreds of databases of some thousand files. ext4 does not reuse an inode for five seconds after it
 * was freed, and looks at each of those for every new file: a database costs half a second of processor time there, in memory a
 * twentieth.
 */
const memoryHasRoom = (): boolean => {
  if (!existsSync(memory) || process.availableMemory() < availableMin) return false;
  const { bavail, bsize } = statfsSync(memory);
  return bavail * bsize >= memoryFreeMin;
};

const inMemory = (folder: string): string => {
  const made = mkdtempSync(path.join(memory, 'factline-test-'));
  writeFileSync(path.join(folder, memoryFile), made);
  // PostgreSQL runs under another account than root.
  chmodSync(made, 0o755);
  return made;
};

const ownerLives = (folder: string, pid: number): boolean => {
  const owner = path.join(folder, ownerFile);
  return existsSync(owner) ? markLives(readFileSync(owner, 'utf8')) : processFacts(pid) !== undefined;
};

const remove = async (folder: string): Promise<void> => {
  const file = path.join(folder, memoryFile);
  const places = existsSync(file) ? [readFileSync(file, 'utf8'), folder] : [folder];
  for (const place of places) {
    await removeEmbedded(place).catch(() => rmSync(place, { recursive: true, force: true }));
  }
};

/** Stops and removes the servers of runs that were killed before they could do it. */
const sweep = async (): Promise<void> => {
  for (const name of readdirSync(stateFolder)) {
    const pid = Number(/^(?:test|stress)-(\d+)$/.exec(name)?.[1]);
    const folder = path.join(stateFolder, name);
    if (!Number.isNaN(pid) && !ownerLives(folder, pid)) await remove(folder);
  }
};

/** The folder of this run's server: `.factline/test-<pid>`, or one in memory that it names. */
export const openServerFolder = async (): Promise<{ readonly path: string; remove(): Promise<void> }> => {
  const folder = path.join(stateFolder, `test-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, ownerFile), processMark());
  await sweep();
  return { path: memoryHasRoom() ? inMemory(folder) : folder, remove: () => remove(folder) };
};
