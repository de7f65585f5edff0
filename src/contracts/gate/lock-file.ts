import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { FactlineError } from '../../foundation/index.ts';
import type { ContractsLock } from './lock.ts';
import { parseLock, renderLock } from './lock-text.ts';

export const lockFileName = 'contracts.lock.json';

/**
 * The lock file; null where there is none yet.
 * @example const lock = await readLock('contracts.lock.json')
 * @throws FactlineError LOCK_CONFLICT, LOCK_NEWER, LOCK_INVALID, LOCK_EDITED
 */
export const readLock = async (file: string): Promise<ContractsLock | null> => {
  const bytes = await readIfThere(file);
  if (bytes === null) return null;
  try {
    return parseLock(new TextDecoder('utf-8', { fatal: true }).decode(bytes), file);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const issues = [{ path: '', expected: 'UTF-8', actual: 'other bytes', message: 'is not UTF-8' }];
    throw new FactlineError('LOCK_INVALID', { file, issues }, { cause: error });
  }
};

const readIfThere = async (file: string): Promise<Uint8Array | null> => {
  try {
    return await readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    const reason = error instanceof Error ? error.message : String(error);
    throw new FactlineError('LOCK_UNREACHABLE', { file, reason }, { cause: error });
  }
};

/** Written beside the old one and renamed over it: whoever reads meanwhile, or a crash, sees one or the other whole. */
export const writeLock = async (file: string, lock: ContractsLock): Promise<void> => {
  const beside = `${file}.${process.pid}.new`;
  try {
    const mode = await stat(file).then(
      (found) => found.mode,
      () => undefined,
    );
    await writeFile(beside, renderLock(lock), mode === undefined ? {} : { mode });
    await rename(beside, file);
  } catch (error) {
    await rm(beside, { force: true });
    const reason = error instanceof Error ? error.message : String(error);
    throw new FactlineError('LOCK_UNREACHABLE', { file, reason }, { cause: error });
  }
};
