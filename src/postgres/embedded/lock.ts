import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { FactlineError, systemClock } from '../../foundation/index.ts';
import { giveToOwnerOf } from './account.ts';
import { markLives, processMark } from './process-facts.ts';

/** Longer than the slowest initdb and crash recovery seen on a loaded machine. */
const waitMsMax = 180_000;
const pollMs = 50;

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

let attempts = 0;
const nextAside = (file: string): string => {
  attempts += 1;
  return `${file}.${process.pid}.${attempts}`;
};

/** A link appears with its content or not at all, so nobody ever reads a half-written lock. */
const tryToTake = (folder: string, file: string): boolean => {
  const aside = nextAside(file);
  try {
    writeFileSync(aside, processMark(), { mode: 0o644 });
    giveToOwnerOf(folder, aside);
    linkSync(aside, file);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(aside, { force: true });
  }
};

/** Takes away a lock whose holder died, unless somebody else did so first and holds a new one. */
const removeWhenStale = (file: string): void => {
  const aside = nextAside(file);
  try {
    const holder = readFileSync(file, 'utf8');
    if (markLives(holder)) return;
    renameSync(file, aside);
    if (readFileSync(aside, 'utf8') !== holder) linkSync(aside, file);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'EEXIST') throw error;
  } finally {
    rmSync(aside, { force: true });
  }
};

/** Starting and stopping one folder's server is for one process at a time. */
export const withLock = async <T>(folder: string, work: () => Promise<T>): Promise<T> => {
  const file = path.join(folder, 'lock');
  const deadline = systemClock.monotonic() + waitMsMax;
  while (!tryToTake(folder, file)) {
    removeWhenStale(file);
    if (systemClock.monotonic() > deadline) {
      throw new FactlineError('EMBEDDED_FAILED_TO_START', {
        reason: `another process has held ${file} for ${waitMsMax / 1_000} s; stop it, or remove that file`,
      });
    }
    await systemClock.sleep(pollMs);
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
};
