import { type EmbeddedServer, embeddedDirectory, startEmbedded } from '../postgres/index.ts';

/** Where the database is, and what to stop when the app stops. */
export interface ServerAddress {
  readonly url: string;
  /** Set when the app started (or adopted) the embedded server. */
  readonly embedded: EmbeddedServer | null;
}

/** The configured database, else the embedded server of development, which is never touched when a database is configured. */
export const resolveServer = async (
  configured: string | undefined,
  onNotice?: (line: string) => void,
): Promise<ServerAddress> => {
  if (configured !== undefined) return { url: configured, embedded: null };
  const embedded = await startEmbedded({
    directory: embeddedDirectory(),
    ...(onNotice === undefined ? {} : { onNotice }),
  });
  return { url: embedded.url, embedded };
};
