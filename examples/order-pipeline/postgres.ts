import { fileURLToPath } from 'node:url';
import { embeddedDirectory, startEmbedded } from 'factline/embedded';

/** `.factline/postgres` of the repository, wherever the command is given. */
export const EMBEDDED_DIRECTORY: string = embeddedDirectory(fileURLToPath(new URL('../..', import.meta.url)));

/** The PostgreSQL server that the run uses. */
export interface PostgresServer {
  readonly url: string;
  /** For the screen: `PostgreSQL 18 (embedded, .factline/)`. */
  readonly label: string;
  stop(): Promise<void>;
}

/** The server of `--database`, or the embedded one; what a killed run left of that is adopted or cleaned up. */
export async function openPostgres(
  database: string | null,
  onNotice: (line: string) => void = () => {},
): Promise<PostgresServer> {
  if (database !== null) {
    return { url: database, label: `PostgreSQL at ${new URL(database).host}`, stop: async () => {} };
  }
  // A demonstration is no production, whatever the shell says; the embedded server refuses to be one.
  if (process.env['NODE_ENV'] === 'production') process.env['NODE_ENV'] = 'development';
  const server = await startEmbedded({ directory: EMBEDDED_DIRECTORY, onNotice });
  const [major] = server.version.split('.');
  return { url: server.url, label: `PostgreSQL ${major} (embedded, .factline/)`, stop: () => server.stop() };
}
