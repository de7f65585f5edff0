import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Surroundings } from '../pipeline.ts';
import { EMBEDDED_DIRECTORY } from '../postgres.ts';

/** The files of a run: the export, the mail server's journal, and where its surroundings are. */
export interface StateDirectory {
  readonly analytics: string;
  readonly mailJournal: string;
  readonly surroundings: string;
}

/** `.factline/order-pipeline`, beside the embedded server's files. */
export const DEFAULT_STATE_DIRECTORY: string = join(dirname(EMBEDDED_DIRECTORY), 'order-pipeline');

export async function openStateDirectory(path: string, { keep }: { keep: boolean }): Promise<StateDirectory> {
  if (!keep) await rm(path, { recursive: true, force: true });
  await mkdir(path, { recursive: true });
  return directoryAt(path);
}

function directoryAt(path: string): StateDirectory {
  return {
    analytics: join(path, 'analytics'),
    mailJournal: join(path, 'mails.log'),
    surroundings: join(path, 'surroundings.json'),
  };
}

/** Lets the command line find the run, during and after it. */
export async function rememberSurroundings(
  directory: StateDirectory,
  surroundings: Surroundings,
  { embedded }: { embedded: boolean },
): Promise<void> {
  await writeFile(directory.surroundings, `${JSON.stringify({ ...surroundings, embedded }, null, 2)}\n`, {
    mode: 0o600,
  });
}

export async function recallSurroundings(
  path: string = DEFAULT_STATE_DIRECTORY,
): Promise<Surroundings & { readonly embedded: boolean }> {
  const text = await readFile(directoryAt(path).surroundings, 'utf8').catch((cause: unknown) => {
    throw new Error('the order pipeline has not run yet: npm start', { cause });
  });
  return JSON.parse(text) as Surroundings & { readonly embedded: boolean };
}
