import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Surroundings } from '../pipeline.ts';
import { EMBEDDED_DIRECTORY } from '../postgres.ts';

/** The files of a run: the export, the mail server's journal, and where its surroundings are. */
export interface StateDirectory {
  readonly analytics: string;
  readonly mailJournal: string;
  readonly surroundings: string;
}

const STATE_ROOT: string = dirname(EMBEDDED_DIRECTORY);
const NAME = 'order-pipeline';

/**
 * `.factline/order-pipeline`, beside the embedded server's files; a folder of its own for every other server, since two
 * runs may be at work on two servers.
 */
export function stateDirectoryOf(database: string | null): string {
  if (database === null) return join(STATE_ROOT, NAME);
  const { hostname, port } = new URL(database);
  return join(STATE_ROOT, `${NAME}-${hostname}-${port || '5432'}`.replace(/[^\w.-]/g, '_'));
}

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

/** The surroundings of the latest run. */
export async function recallSurroundings(): Promise<Surroundings & { readonly embedded: boolean }> {
  const names = (await readdir(STATE_ROOT).catch(() => [])).filter((name) => name.startsWith(NAME));
  const files = names.map((name) => directoryAt(join(STATE_ROOT, name)).surroundings);
  const times = await Promise.all(
    files.map((file) =>
      stat(file).then(
        ({ mtimeMs }) => mtimeMs,
        () => 0,
      ),
    ),
  );
  const latest = times.indexOf(Math.max(...times));
  const file = files[latest];
  if (file === undefined || times[latest] === 0) {
    throw new Error('the order pipeline has not run yet: npm start');
  }
  return JSON.parse(await readFile(file, 'utf8')) as Surroundings & { readonly embedded: boolean };
}
